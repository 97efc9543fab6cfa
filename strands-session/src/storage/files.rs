//! Documents in a folder. Updates are conditional on the file's content, compared under a lock that all workers take.

use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use strands_core::session::SessionError;

use super::{READS_IN_FLIGHT, Stored, Version, Written, durable, failed};
use crate::snapshots::layout;

/// Workers take turns at updating a session's documents by locking this file in its folder.
const LOCK: &str = ".strands.lock";
/// Fewer files than this are not worth another thread.
const FILES_PER_READER: usize = 64;

/// A folder of documents. Clones are the same folder.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    root: Arc<Path>,
}

impl Files {
    /// Documents in this folder. It is made when the first of them is written.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: Arc::from(root) }
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Stored>, SessionError> {
        let found = self.run("read", key, |files, key| files.read_now(key)).await?;
        Ok(found.map(|bytes| Stored { bytes, version: Version::Content }))
    }

    pub(super) async fn read_all<T: Send + 'static>(
        &self,
        keys: Vec<String>,
        parse: fn(&str, &[u8]) -> Result<T, SessionError>,
    ) -> Result<Vec<T>, SessionError> {
        let chunk = keys.len().div_ceil(READS_IN_FLIGHT).max(FILES_PER_READER);
        let chunks: Vec<Vec<String>> = keys.chunks(chunk).map(<[String]>::to_vec).collect();
        let read_chunk = |chunk: Vec<String>| async move {
            let first = chunk.first().cloned().unwrap_or_default();
            self.run("read", &first, move |files, _| files.read_chunk(&chunk, parse)).await
        };
        let chunks: Vec<Vec<T>> = stream::iter(chunks).map(read_chunk).buffered(READS_IN_FLIGHT).try_collect().await?;
        Ok(chunks.into_iter().flatten().collect())
    }

    pub(super) async fn exists(&self, key: &str) -> Result<bool, SessionError> {
        self.run("read", key, |files, key| files.look("read", key).map(|found| found.1.is_some())).await
    }

    pub(super) async fn create(&self, key: &str, bytes: Bytes) -> Result<Written, SessionError> {
        self.run("write", key, move |files, key| {
            let (path, found) = files.look("write", key)?;
            if found.is_some() {
                return Ok(Written::Refused);
            }
            let created = durable::create(&path, &bytes).map_err(|error| files.failed("write", key, error))?;
            Ok(if created { Written::Done(Version::Content) } else { Written::Refused })
        })
        .await
    }

    pub(super) async fn update(&self, key: &str, bytes: Bytes, known: Bytes) -> Result<Written, SessionError> {
        self.run("write", key, move |files, key| {
            let folder = layout::folder_of_session(key);
            if files.look("write", folder)?.1.is_none() {
                return Ok(Written::Refused);
            }
            let (lock, _) = files.look("write", &format!("{folder}/{LOCK}"))?;
            let _locked = durable::lock(&lock).map_err(|error| files.failed("lock", key, error))?;
            if files.read_now(key)? != Some(known) {
                return Ok(Written::Refused);
            }
            durable::replace(&files.path(key), &bytes).map_err(|error| files.failed("write", key, error))?;
            Ok(Written::Done(Version::Content))
        })
        .await
    }

    pub(super) async fn documents_in(&self, folder: &str) -> Result<Vec<String>, SessionError> {
        self.run("list", folder, |files, folder| {
            let (path, found) = files.look("list", folder)?;
            if found.is_none() {
                return Ok(Vec::new());
            }
            files.names(folder, &path, |entry, name| {
                durable::sweep(entry, name);
                true
            })
        })
        .await
    }

    pub(super) async fn folders(&self) -> Result<Vec<String>, SessionError> {
        self.run("list", "", |files, key| {
            files.names(key, &files.root, |entry, _| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        })
        .await
    }

    pub(super) async fn delete_folder(&self, folder: &str) -> Result<bool, SessionError> {
        self.run("delete", folder, |files, folder| {
            let (path, _) = files.look("delete", folder)?;
            durable::delete_folder(&path).map_err(|error| files.failed("delete", folder, error))
        })
        .await
    }

    /// Where a document is, for people.
    pub(super) fn locate(&self, key: &str) -> String {
        self.path(key).display().to_string()
    }

    /// Does work that waits for the disk on a thread that may.
    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        key: &str,
        work: impl FnOnce(&Self, &str) -> Result<T, SessionError> + Send + 'static,
    ) -> Result<T, SessionError> {
        let files = self.clone();
        let owned = key.to_owned();
        match tokio::task::spawn_blocking(move || work(&files, &owned)).await {
            Ok(done) => done,
            Err(error) => Err(failed(action, &self.locate(key), error)),
        }
    }

    fn read_chunk<T>(
        &self,
        keys: &[String],
        parse: fn(&str, &[u8]) -> Result<T, SessionError>,
    ) -> Result<Vec<T>, SessionError> {
        let mut parsed = Vec::with_capacity(keys.len());
        let mut looked_at = None;
        for key in keys {
            // The way to the folder is the same for all that are in it.
            let folder = key.rsplit_once('/').map(|(folder, _)| folder);
            if folder != looked_at {
                self.look("read", folder.unwrap_or_default())?;
                looked_at = folder;
            }
            let path = self.path(key);
            let found = self.look_at("read", key, &path)?;
            if let Some(bytes) = self.read_file(key, &path, found)? {
                parsed.push(parse(&path.to_string_lossy(), &bytes)?);
            }
        }
        Ok(parsed)
    }

    fn read_now(&self, key: &str) -> Result<Option<Bytes>, SessionError> {
        let (path, found) = self.look("read", key)?;
        self.read_file(key, &path, found)
    }

    fn read_file(&self, key: &str, path: &Path, found: Option<Metadata>) -> Result<Option<Bytes>, SessionError> {
        let Some(metadata) = found else { return Ok(None) };
        // Opening a pipe would wait for somebody to write to it.
        if !metadata.is_file() {
            return Err(self.failed("read", key, io::Error::other("it is no file")));
        }
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", key, error)),
        }
    }

    /// Where a document is, and what is there. Nothing on the way may be a symbolic link: it could lead anywhere.
    fn look(&self, action: &'static str, key: &str) -> Result<(PathBuf, Option<Metadata>), SessionError> {
        let mut path = self.root.to_path_buf();
        let mut found = None;
        for segment in key.split('/').filter(|segment| !segment.is_empty()) {
            path.push(segment);
            found = self.look_at(action, key, &path)?;
            if found.is_none() {
                return Ok((self.path(key), None));
            }
        }
        Ok((path, found))
    }

    /// What is at one place on the way.
    fn look_at(&self, action: &'static str, key: &str, path: &Path) -> Result<Option<Metadata>, SessionError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.file_type().is_symlink() => {
                let reason = format!("{} is a symbolic link, and sessions follow none", path.display());
                Err(self.failed(action, key, io::Error::other(reason)))
            }
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(action, key, error)),
        }
    }

    /// The names in a folder that are wanted. No folder has no names.
    fn names(
        &self,
        key: &str,
        path: &Path,
        wanted: impl Fn(&DirEntry, &str) -> bool,
    ) -> Result<Vec<String>, SessionError> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("list", key, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.failed("list", key, error))?;
            // What we or Strands have written has a name that is text.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if wanted(&entry, &name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn path(&self, key: &str) -> PathBuf {
        let mut path = self.root.to_path_buf();
        path.extend(key.split('/').filter(|segment| !segment.is_empty()));
        path
    }

    fn failed(&self, action: &'static str, key: &str, error: io::Error) -> SessionError {
        failed(action, &self.locate(key), error)
    }
}
