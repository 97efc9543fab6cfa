//! Database of the travel desk: one SQLite file with offers, policies, employees and bookings.

mod bookings;
mod directory;
mod inventory;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, TransactionBehavior};

use crate::error::TravelError;

const SCHEMA_VERSION: i64 = 2;

/// The travel desk's database.
///
/// Tools borrow it as `&Store`. They are plain functions that the agent runs on the blocking pool, so the connection is
/// behind a lock: a query takes microseconds. Several processes may use one file.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database in a file. Creates it with its folder and seed data on first use.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Open`] if the file can't be created, is not a database, or has a newer schema.
    pub fn open(path: &Path) -> Result<Self, TravelError> {
        let failed = |reason: String| TravelError::Open { path: path.to_owned(), reason };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| failed(format!("its folder cannot be created: {error}; choose another with --db")))?;
        }
        let mut connection =
            Connection::open(path).map_err(|error| failed(format!("{error}; choose another with --db")))?;
        match prepare(&mut connection) {
            Ok(SCHEMA_VERSION) => Ok(Self { connection: Mutex::new(connection) }),
            Ok(newer) => Err(failed(format!(
                "it has schema version {newer} and this program knows {SCHEMA_VERSION}: update the program, or choose another file with --db"
            ))),
            Err(error) => Err(failed(format!("{error}; choose another file with --db"))),
        }
    }

    /// Creates a database in memory with seed data.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Database`] if SQLite fails.
    pub fn in_memory() -> Result<Self, TravelError> {
        let mut connection = Connection::open_in_memory()?;
        prepare(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // After a panic the connection is still usable: rusqlite rolls a dropped transaction back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates the schema and seed data if needed, or updates an older schema, and returns the schema version.
fn prepare(connection: &mut Connection) -> Result<i64, rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Lock before reading the version, so that of two concurrent processes only one creates the schema.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut version = transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    if version == 0 {
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.execute_batch(include_str!("seed.sql"))?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        version = SCHEMA_VERSION;
    }
    if version == 1 {
        transaction.execute_batch(include_str!("version_2.sql"))?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        version = SCHEMA_VERSION;
    }
    transaction.commit()?;
    Ok(version)
}
