//! The database as one object in an object store, such as S3: read whole, and replaced only if it is still the version that was
//! read.

use std::{
    error::Error as StdError,
    future::Future,
    io::Cursor,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use rusqlite::{Connection, MAIN_DB, Transaction};
use strands::session::{
    bytes::Bytes,
    object_store::{
        Attribute, Attributes, Error, GetOptions, ObjectStore, PutMode, PutOptions, UpdateVersion, path::Path,
    },
};
use tokio::{
    runtime::{Builder, Handle},
    sync::{Semaphore, oneshot},
    time::{Instant, sleep, timeout},
};

use super::{prepared, transact};
use crate::error::TravelError;

/// Limit of one read or write of the database, with all its requests and repetitions.
const DEADLINE: Duration = Duration::from_secs(20);
/// Limit of one request.
const REQUEST: Duration = Duration::from_secs(5);
/// Number of writes without a response after which the outcome is unknown.
const MOST_FAILURES: u32 = 3;
/// Pauses before a transaction is repeated: random, up to this time, doubled each time up to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];
/// Maximum size of the object.
const MOST_BYTES: u64 = 64 << 20;

/// A database in an object store with conditional writes.
#[derive(Debug)]
pub(super) struct ObjectDatabase {
    objects: Arc<Objects>,
    /// One write at a time in this process: concurrent ones would only make each other repeat.
    writer: Arc<Semaphore>,
    /// A runtime on a thread of its own, so that callers may block in any context. It ends when the sender is dropped.
    runtime: Handle,
    _end: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Objects {
    store: Arc<dyn ObjectStore>,
    path: Path,
    location: String,
    latest: Mutex<Option<Arc<Image>>>,
}

/// A version of the database.
#[derive(Debug)]
struct Image {
    bytes: Bytes,
    version: UpdateVersion,
}

/// The outcome of a conditional write.
enum Written {
    Done,
    /// Another version is stored, or the write has failed: the transaction must be repeated.
    Repeat(Option<Error>),
}

impl ObjectDatabase {
    /// Opens the database, and creates it with seed data if there is none. `location` is for errors.
    pub(super) fn open(store: Arc<dyn ObjectStore>, path: Path, location: String) -> Result<Self, TravelError> {
        let failed =
            |error: std::io::Error| TravelError::Open { location: location.clone(), reason: error.to_string() };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || drop(runtime.block_on(ended));
        thread::Builder::new().name("travel-database".to_owned()).spawn(run).map_err(failed)?;
        let objects = Arc::new(Objects { store, path, location, latest: Mutex::default() });
        let database = Self { objects, writer: Arc::new(Semaphore::new(1)), runtime: handle, _end: end };
        let failed = |reason| TravelError::Open { location: database.objects.location.clone(), reason };
        let opened = database.replace(true, |connection| Ok(((), prepared(connection).map_err(failed)?)));
        opened.map_err(|error| match error {
            TravelError::Database(error) => failed(error.to_string()),
            error => error,
        })?;
        Ok(database)
    }

    /// Reads from the latest version.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, TravelError>) -> Result<T, TravelError> {
        let objects = Arc::clone(&self.objects);
        let image = self.wait(async move { objects.load().await })??;
        read(&self.objects.connection(image.as_deref())?)
    }

    /// Writes in a transaction on the latest version. It is repeated on the next version if another process has written.
    pub(super) fn write<T>(
        &self,
        write: impl Fn(&Transaction<'_>) -> Result<T, TravelError>,
    ) -> Result<T, TravelError> {
        self.replace(false, |mut connection| Ok((transact(&mut connection, &write)?, connection)))
    }

    fn replace<T>(
        &self,
        creates: bool,
        change: impl Fn(Connection) -> Result<(T, Connection), TravelError>,
    ) -> Result<T, TravelError> {
        let end = Instant::now() + DEADLINE;
        let (writer, busy) = (Arc::clone(&self.writer), self.objects.contended(0));
        let turn = self.wait(async move { timeout(DEADLINE, writer.acquire_owned()).await })?;
        let _turn = turn.map_err(|_| busy)?;
        let (mut attempts, mut failures) = (0, 0);
        loop {
            let objects = Arc::clone(&self.objects);
            let image = self.wait(async move { objects.load().await })??;
            let connection = match &image {
                None if creates => Connection::open_in_memory()?,
                image => self.objects.connection(image.as_deref())?,
            };
            let (done, mut connection) = change(connection)?;
            let bytes = Bytes::copy_from_slice(&connection.serialize(MAIN_DB)?);
            if image.as_ref().is_some_and(|image| image.bytes == bytes) {
                return Ok(done);
            }
            let objects = Arc::clone(&self.objects);
            attempts += 1;
            match self.wait(async move { objects.store(bytes, image.as_deref()).await })?? {
                Written::Done => return Ok(done),
                Written::Repeat(Some(error)) if failures + 1 >= MOST_FAILURES => {
                    return Err(self.objects.unknown(error));
                }
                Written::Repeat(Some(_)) => failures += 1,
                Written::Repeat(None) if Instant::now() >= end => return Err(self.objects.contended(attempts)),
                Written::Repeat(None) => {}
            }
            let [first, longest] = PAUSES;
            let longest = first.saturating_mul(1 << attempts.min(10)).min(longest);
            self.wait(sleep(longest.mul_f64(fastrand::f64())))?;
        }
    }

    /// Runs a future on the database's thread, and blocks the caller until it is done.
    fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Result<T, TravelError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.runtime.spawn(async move { sender.send(future.await) });
        receiver.recv().map_err(|error| self.objects.unavailable(error))
    }
}

impl Objects {
    /// Returns the stored version, which is only transferred if it has changed.
    async fn load(&self) -> Result<Option<Arc<Image>>, TravelError> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let if_none_match = latest.as_ref().and_then(|image| image.version.e_tag.clone());
        let options = GetOptions { if_none_match, ..GetOptions::default() };
        let loaded = timeout(REQUEST, async {
            let found = self.store.get_opts(&self.path, options).await?;
            let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            if found.meta.size > MOST_BYTES {
                let source = format!("it has {} bytes, and at most {MOST_BYTES} are expected", found.meta.size).into();
                return Err(Error::Generic { store: "travel", source });
            }
            Ok(Image { bytes: found.bytes().await?, version })
        });
        match loaded.await {
            Ok(Ok(image)) => Ok(Some(self.keep(image))),
            Ok(Err(Error::NotModified { .. })) => Ok(latest),
            Ok(Err(Error::NotFound { source, .. })) if !source.to_string().contains("NoSuchBucket") => Ok(None),
            Ok(Err(error)) => Err(self.unavailable(error)),
            Err(elapsed) => Err(self.unavailable(elapsed)),
        }
    }

    /// Stores a version in place of the one it was made from. The outcome of a failed request is found out by reading.
    async fn store(&self, bytes: Bytes, base: Option<&Image>) -> Result<Written, TravelError> {
        let mode = base.map_or(PutMode::Create, |image| PutMode::Update(image.version.clone()));
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, "application/vnd.sqlite3".into());
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let put = timeout(REQUEST, self.store.put_opts(&self.path, bytes.clone().into(), options));
        let error = match put.await {
            Ok(Ok(put)) => {
                self.keep(Image { bytes, version: UpdateVersion { e_tag: put.e_tag, version: put.version } });
                return Ok(Written::Done);
            }
            Ok(Err(error @ (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }))) => {
                return Err(self.unavailable(error));
            }
            // A repeated request conflicts with the first one if only its response was lost.
            Ok(Err(Error::Precondition { .. } | Error::AlreadyExists { .. } | Error::NotFound { .. })) => None,
            Ok(Err(error)) => Some(error),
            Err(elapsed) => Some(Error::Generic { store: "travel", source: elapsed.into() }),
        };
        match (self.load().await, error) {
            (Ok(Some(stored)), _) if stored.bytes == bytes => Ok(Written::Done),
            (Ok(_), error) => Ok(Written::Repeat(error)),
            (Err(_), Some(error)) => Err(self.unknown(error)),
            (Err(failed), None) => Err(failed),
        }
    }

    fn keep(&self, image: Image) -> Arc<Image> {
        let image = Arc::new(image);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&image));
        image
    }

    /// Opens a version in memory.
    fn connection(&self, image: Option<&Image>) -> Result<Connection, TravelError> {
        let image = image.ok_or_else(|| self.unavailable("the object has been deleted"))?;
        let mut connection = Connection::open_in_memory()?;
        connection.deserialize_read_exact(MAIN_DB, Cursor::new(&image.bytes), image.bytes.len(), false)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    }

    fn unavailable(&self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> TravelError {
        TravelError::Unavailable { location: self.location.clone(), source: source.into() }
    }

    fn unknown(&self, source: Error) -> TravelError {
        TravelError::OutcomeUnknown { location: self.location.clone(), source: source.into() }
    }

    fn contended(&self, attempts: u32) -> TravelError {
        TravelError::Contended { location: self.location.clone(), attempts }
    }
}
