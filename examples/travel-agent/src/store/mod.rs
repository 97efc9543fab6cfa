//! The travel desk's memory: one SQLite file that holds the offers, the rules, the people and what is booked.

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

const SCHEMA_VERSION: i64 = 1;

/// The travel desk's database.
///
/// Tools share it as `&Store`. They are plain functions that the agent runs on the blocking pool, so the
/// connection sits behind a lock: a query takes microseconds, and a second connection would buy nothing.
/// Several programs may use one file.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database in a file; creates and fills it, with its folder, on first use.
    ///
    /// # Errors
    ///
    /// [`TravelError::Open`] if the file cannot be created, is no database, or was written by a newer program.
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

    /// A fresh database that is gone with the value.
    ///
    /// # Errors
    ///
    /// [`TravelError::Database`] if SQLite has no memory left.
    pub fn in_memory() -> Result<Self, TravelError> {
        let mut connection = Connection::open_in_memory()?;
        prepare(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panicked query leaves no half transaction behind: rusqlite rolls back when it is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates what is missing and returns the schema version that the file has.
fn prepare(connection: &mut Connection) -> Result<i64, rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // The lock comes before the look: of two programs that start at once, one creates and the other finds.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut version = transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    if version == 0 {
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.execute_batch(include_str!("seed.sql"))?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        version = SCHEMA_VERSION;
    }
    transaction.commit()?;
    Ok(version)
}
