//! Database of the travel desk: offers, policies, employees, bookings and their audit, in SQLite.

mod bookings;
mod directory;
mod inventory;
#[cfg(feature = "s3")]
mod object;

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::TravelError;

const SCHEMA_VERSION: i64 = 3;
/// The version of `schema.sql` and `seed.sql`.
const SEEDED_VERSION: i64 = 2;
/// The versions after the first, each with the update that leads to it.
const UPDATES: [(i64, &str); 2] = [(2, include_str!("version_2.sql")), (SCHEMA_VERSION, include_str!("version_3.sql"))];

/// The travel desk's database: a file, an object in S3, or memory. Several processes may use one file or object.
///
/// Tools borrow it as `&Store`. They are plain functions that the agent runs on the blocking pool, so the methods block: for
/// microseconds with a file, for a request or two with S3. Async code calls them in [`run`](Self::run).
#[derive(Debug)]
pub struct Store {
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    /// A file, or memory.
    Connection(Mutex<Connection>),
    #[cfg(feature = "s3")]
    Object(object::ObjectDatabase),
}

impl Store {
    /// Opens the database in a file. Creates it with its folder and seed data on first use.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Open`] if the file can't be created, is not a database, or has a newer schema.
    pub fn open(path: &Path) -> Result<Self, TravelError> {
        let failed = |reason: String| TravelError::Open {
            location: path.display().to_string(),
            reason: format!("{reason}; choose another with --db"),
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| failed(format!("its folder cannot be created: {error}")))?;
        }
        let connection = Connection::open(path).map_err(|error| failed(error.to_string()))?;
        Ok(Self::local(prepared(connection).map_err(failed)?))
    }

    /// Opens the database at a location: the path of a file, or `s3://bucket/key`. Creates it with seed data on first use. S3 has
    /// the credentials and the region of the AWS SDK, and the endpoint if one is given.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Open`] if the database can't be created or is invalid, or if S3 is not compiled in, and
    /// [`TravelError::Unavailable`] if S3 does not respond as expected.
    #[cfg_attr(not(feature = "s3"), expect(clippy::unused_async, reason = "only S3 waits"))]
    pub async fn at(location: &str, s3_endpoint: Option<&str>) -> Result<Self, TravelError> {
        let Some(object) = location.strip_prefix("s3://") else {
            return Self::open(Path::new(location));
        };
        let failed = |reason: String| TravelError::Open { location: location.to_owned(), reason };
        #[cfg(feature = "s3")]
        {
            let (bucket, key) = object.split_once('/').unwrap_or((object, ""));
            let mut builder = strands::session::S3ObjectStoreBuilder::new(bucket).idle_timeout(Duration::from_secs(3));
            if let Some(endpoint) = s3_endpoint {
                builder = builder.endpoint(endpoint);
            }
            let objects =
                builder.build().await.map_err(|error| failed(strands::ErrorChain::new(&error).to_string()))?;
            Self::in_object_store(objects, key).await
        }
        #[cfg(not(feature = "s3"))]
        {
            let _ = (object, s3_endpoint);
            Err(failed("S3 is not compiled in: start with `cargo run -p travel-agent --features s3 --`".to_owned()))
        }
    }

    /// Opens the database in an object of a store with conditional writes. Creates it with seed data on first use.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Open`] if the object is not a database or has a newer schema, and [`TravelError::Unavailable`] if
    /// the store does not respond as expected.
    #[cfg(feature = "s3")]
    pub async fn in_object_store(
        objects: std::sync::Arc<dyn strands::session::object_store::ObjectStore>,
        key: &str,
    ) -> Result<Self, TravelError> {
        let location = format!("{objects}/{key}");
        let path = strands::session::object_store::path::Path::parse(key).ok().filter(|path| !path.is_root());
        let path = path.ok_or_else(|| TravelError::Open {
            location: location.clone(),
            reason: "expected the key of an object, as in s3://bucket/travel.sqlite3".to_owned(),
        })?;
        let opened = tokio::task::spawn_blocking(move || object::ObjectDatabase::open(objects, path, location)).await;
        Ok(Self { backend: Backend::Object(finished(opened)?) })
    }

    /// Creates a database in memory with seed data.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Database`] if SQLite fails.
    pub fn in_memory() -> Result<Self, TravelError> {
        let failed = |reason| TravelError::Open { location: ":memory:".to_owned(), reason };
        Ok(Self::local(prepared(Connection::open_in_memory()?).map_err(failed)?))
    }

    fn local(connection: Connection) -> Self {
        Self { backend: Backend::Connection(Mutex::new(connection)) }
    }

    /// Runs a function that uses the store on the blocking pool, for async code.
    ///
    /// # Errors
    ///
    /// Returns the error of the function.
    pub async fn run<T: Send + 'static>(
        self: std::sync::Arc<Self>,
        function: impl FnOnce(&Self) -> Result<T, TravelError> + Send + 'static,
    ) -> Result<T, TravelError> {
        finished(tokio::task::spawn_blocking(move || function(&self)).await)
    }

    /// Reads from a consistent state of the database.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, TravelError>) -> Result<T, TravelError> {
        match &self.backend {
            // After a panic the connection is still usable: rusqlite rolls a dropped transaction back.
            Backend::Connection(connection) => read(&connection.lock().unwrap_or_else(PoisonError::into_inner)),
            #[cfg(feature = "s3")]
            Backend::Object(database) => database.read(read),
        }
    }

    /// Writes in one transaction, which is rolled back on an error. With S3 the transaction is repeated if another process has
    /// written meanwhile, so it must be idempotent.
    fn write<T>(&self, write: impl Fn(&Transaction<'_>) -> Result<T, TravelError>) -> Result<T, TravelError> {
        match &self.backend {
            Backend::Connection(connection) => {
                transact(&mut connection.lock().unwrap_or_else(PoisonError::into_inner), write)
            }
            #[cfg(feature = "s3")]
            Backend::Object(database) => database.write(write),
        }
    }
}

/// Returns the result of a blocking task, or continues its panic.
fn finished<T>(done: Result<T, tokio::task::JoinError>) -> T {
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Runs a transaction that is rolled back on an error.
fn transact<T>(
    connection: &mut Connection,
    write: impl Fn(&Transaction<'_>) -> Result<T, TravelError>,
) -> Result<T, TravelError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = write(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// Returns the connection with the current schema, and seed data if it had none. The error is the reason why it can't be used.
fn prepared(mut connection: Connection) -> Result<Connection, String> {
    match update(&mut connection) {
        Ok(SCHEMA_VERSION) => Ok(connection),
        Ok(newer) => {
            Err(format!("it has schema version {newer} and this program knows {SCHEMA_VERSION}: update the program"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Creates the schema and seed data if needed, or updates an older schema, and returns the schema version.
fn update(connection: &mut Connection) -> Result<i64, rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Lock before reading the version, so that of two concurrent processes only one creates the schema.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut version = transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    if version == 0 {
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.execute_batch(include_str!("seed.sql"))?;
        version = SEEDED_VERSION;
    }
    for (next, update) in UPDATES {
        if version < next {
            transaction.execute_batch(update)?;
            transaction.pragma_update(None, "user_version", next)?;
            version = next;
        }
    }
    transaction.commit()?;
    Ok(version)
}
