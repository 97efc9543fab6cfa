//! What a session asks of the place that keeps it, in the words that files and object stores have in common: documents
//! under keys, created only where there is none and updated only where nobody else has.

mod durable;
mod files;
mod objects;

use bytes::Bytes;
use strands_core::session::SessionError;

pub(crate) use files::Files;
pub(crate) use objects::Objects;

/// How many reads are under way at once: with that of the newest message, sixteen.
const READS_IN_FLIGHT: usize = 15;

/// A place that keeps documents.
pub(crate) enum Storage {
    /// A folder.
    Files(Files),
    /// A bucket, or whatever else stores objects.
    Objects(Objects),
}

/// A document as it was when it was read or written.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// What is in it.
    pub(crate) bytes: Bytes,
    /// What an update is conditional on.
    pub(crate) version: Version,
}

/// What an update is conditional on.
#[derive(Clone, Debug)]
pub(crate) enum Version {
    /// That the document still has the content it was known with: files have no version of their own.
    Content,
    /// That the store's own mark of the version is unchanged.
    Object(object_store::UpdateVersion),
}

/// How a conditional write ended.
#[derive(Debug)]
pub(crate) enum Written {
    /// It is in the store, and survives a crash.
    Done(Version),
    /// The condition did not hold: nothing was written.
    Refused,
}

impl Storage {
    /// Where a document is, for people.
    pub(crate) fn locate(&self, key: &str) -> String {
        match self {
            Self::Files(files) => files.locate(key),
            Self::Objects(objects) => objects.locate(key),
        }
    }

    /// True where a write may have been done although it seems refused: requests over a network are repeated.
    pub(crate) fn may_lose_answers(&self) -> bool {
        matches!(self, Self::Objects(_))
    }

    /// Reads a document.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Stored>, SessionError> {
        match self {
            Self::Files(files) => files.read(key).await,
            Self::Objects(objects) => objects.read(key).await,
        }
    }

    /// Reads documents and parses each where it arrives, in the order of the keys. What is not there is left out.
    pub(crate) async fn read_all<T: Send + 'static>(
        &self,
        keys: Vec<String>,
        parse: fn(&str, &[u8]) -> Result<T, SessionError>,
    ) -> Result<Vec<T>, SessionError> {
        match self {
            Self::Files(files) => files.read_all(keys, parse).await,
            Self::Objects(objects) => objects.read_all(keys, parse).await,
        }
    }

    /// True when there is a document under the key.
    pub(crate) async fn exists(&self, key: &str) -> Result<bool, SessionError> {
        match self {
            Self::Files(files) => files.exists(key).await,
            Self::Objects(objects) => objects.exists(key).await,
        }
    }

    /// Writes a document that is not there yet.
    pub(crate) async fn create(&self, key: &str, bytes: Bytes) -> Result<Written, SessionError> {
        match self {
            Self::Files(files) => files.create(key, bytes).await,
            Self::Objects(objects) => objects.create(key, bytes).await,
        }
    }

    /// Writes a document that is still as it was known.
    pub(crate) async fn update(&self, key: &str, bytes: Bytes, known: &Stored) -> Result<Written, SessionError> {
        match (self, &known.version) {
            (Self::Files(files), _) => files.update(key, bytes, known.bytes.clone()).await,
            (Self::Objects(objects), Version::Object(version)) => objects.update(key, bytes, version.clone()).await,
            (Self::Objects(_), Version::Content) => Ok(Written::Refused),
        }
    }

    /// The names of the documents in a folder.
    pub(crate) async fn documents_in(&self, folder: &str) -> Result<Vec<String>, SessionError> {
        match self {
            Self::Files(files) => files.documents_in(folder).await,
            Self::Objects(objects) => objects.documents_in(folder).await,
        }
    }

    /// The names of the folders at the top.
    pub(crate) async fn folders(&self) -> Result<Vec<String>, SessionError> {
        match self {
            Self::Files(files) => files.folders().await,
            Self::Objects(objects) => objects.folders().await,
        }
    }

    /// Deletes a folder at the top with all that is in it; `false` when there was none. `last` goes last, so that a
    /// deletion that breaks off can be seen and repeated.
    pub(crate) async fn delete_folder(&self, folder: &str, last: &str) -> Result<bool, SessionError> {
        match self {
            Self::Files(files) => files.delete_folder(folder).await,
            Self::Objects(objects) => objects.delete_folder(folder, last).await,
        }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files(files) => files.fmt(f),
            Self::Objects(objects) => objects.fmt(f),
        }
    }
}

/// An error of the store about a key.
pub(crate) fn failed(
    action: &'static str,
    key: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SessionError {
    SessionError::Storage { action, key: key.to_owned(), source: source.into() }
}
