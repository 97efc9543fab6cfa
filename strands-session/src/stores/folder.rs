//! Blocking work on a folder of documents. Nothing on the way to a document may be a symbolic link: it could lead
//! anywhere.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{deletion, durable};
use crate::document_store::{Document, StoreError, Version, Written};
use crate::snapshots::layout;

/// Workers take turns at updating a session's documents by locking this file in its folder.
const LOCK: &str = ".strands.lock";

/// A folder of documents. Clones are the same folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: Arc<Path>,
}

/// The outcome of work that needs the lock.
pub(super) enum Locked<T> {
    /// It was done.
    Done(T),
    /// Somebody else has the lock on this file: another process, or another task of this one.
    Busy(PathBuf),
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: Arc::from(root) }
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        let mut path = self.root.to_path_buf();
        path.extend(key.split('/').filter(|segment| !segment.is_empty()));
        path
    }

    pub(super) fn read(&self, key: &str) -> Result<Option<Document>, StoreError> {
        let (path, found) = self.look(key)?;
        Ok(read_file(&path, found)?.map(document))
    }

    pub(super) fn read_chunk(&self, keys: &[String]) -> Result<Vec<Option<Document>>, StoreError> {
        let mut documents = Vec::with_capacity(keys.len());
        let mut looked_at = None;
        for key in keys {
            let mut read = || {
                // The way to the folder is the same for all that are in it.
                let folder = key.rsplit_once('/').map(|(folder, _)| folder);
                if folder != looked_at {
                    self.look(folder.unwrap_or_default())?;
                    looked_at = folder;
                }
                let path = self.path(key);
                read_file(&path, look_at(&path)?)
            };
            let content = read().map_err(|error| StoreError::at(key.as_str(), error))?;
            documents.push(content.map(document));
        }
        Ok(documents)
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.look(key)?.1.is_some())
    }

    pub(super) fn create(&self, key: &str, content: &[u8]) -> Result<Written, StoreError> {
        let (path, found) = self.look(key)?;
        let created = found.is_none() && durable::create(&path, content)?;
        Ok(if created { Written::Done(Version::content()) } else { Written::Refused })
    }

    /// Writes over a file that has the known content.
    pub(super) fn update(&self, key: &str, content: &[u8], known: &[u8]) -> Result<Locked<Written>, StoreError> {
        self.locked(key, Written::Refused, |path| {
            if read_file(path, look_at(path)?)?.is_none_or(|found| found != known) {
                return Ok(Written::Refused);
            }
            durable::replace(path, content)?;
            Ok(Written::Done(Version::content()))
        })
    }

    /// Deletes a file while nobody updates it.
    pub(super) fn delete(&self, key: &str) -> Result<Locked<()>, StoreError> {
        self.locked(key, (), |path| match look_at(path)? {
            Some(_) => durable::delete(path),
            None => Ok(()),
        })
    }

    pub(super) fn delete_folder(&self, folder: &str) -> Result<bool, StoreError> {
        match self.look(folder)? {
            // A document has nothing below it.
            (_, Some(found)) if !found.is_dir() => Ok(false),
            (path, _) => Ok(deletion::delete_folder(&path)?),
        }
    }

    /// The keys of everything below a folder that is no folder itself.
    pub(super) fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (path, found) = self.look(folder)?;
        let mut keys = Vec::new();
        // The root itself may be a link.
        if !folder.is_empty() && found.is_none_or(|found| !found.is_dir()) {
            return Ok(keys);
        }
        let mut folders = vec![(folder.to_owned(), path)];
        while let Some((folder, path)) = folders.pop() {
            for (name, is_folder) in names(&path)? {
                let key = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                if is_folder {
                    folders.push((key, path.join(name)));
                } else {
                    keys.push(key);
                }
            }
        }
        Ok(keys)
    }

    /// The names of the folders in a folder.
    pub(super) fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (path, found) = self.look(folder)?;
        if !folder.is_empty() && found.is_none_or(|found| !found.is_dir()) {
            return Ok(Vec::new());
        }
        Ok(names(&path)?.into_iter().filter_map(|(name, is_folder)| is_folder.then_some(name)).collect())
    }

    fn locked<T>(
        &self,
        key: &str,
        absent: T,
        work: impl FnOnce(&Path) -> io::Result<T>,
    ) -> Result<Locked<T>, StoreError> {
        let folder = lock_folder(key);
        if self.look(folder)?.1.is_none() && !folder.is_empty() {
            return Ok(Locked::Done(absent));
        }
        let lock = format!("{folder}/{LOCK}");
        let (lock, _) = self.look(lock.trim_start_matches('/'))?;
        let _locked = match durable::try_lock(&lock) {
            Ok(Some(locked)) => locked,
            Ok(None) => return Ok(Locked::Busy(lock)),
            // No folder: it was never made, or was deleted just now.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Locked::Done(absent)),
            Err(error) => return Err(error.into()),
        };
        let (path, _) = self.look(key)?;
        Ok(Locked::Done(work(&path)?))
    }

    /// The path of a document, and what is there.
    fn look(&self, key: &str) -> io::Result<(PathBuf, Option<Metadata>)> {
        let mut path = self.root.to_path_buf();
        let mut found = None;
        for segment in key.split('/').filter(|segment| !segment.is_empty()) {
            path.push(segment);
            found = look_at(&path)?;
            if found.is_none() {
                return Ok((self.path(key), None));
            }
        }
        Ok((path, found))
    }
}

/// The folder with the lock of a document: its session's, or the one that it is in if it is of no session.
fn lock_folder(key: &str) -> &str {
    match layout::folder_of_session(key) {
        folder if folder == key => key.rsplit_once('/').map_or("", |(folder, _)| folder),
        folder => folder,
    }
}

fn document(content: Bytes) -> Document {
    Document::new(content, Version::content())
}

fn read_file(path: &Path, found: Option<Metadata>) -> io::Result<Option<Bytes>> {
    let Some(metadata) = found else { return Ok(None) };
    // Opening a pipe would wait for somebody to write to it.
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Kind of entry at one step of a path.
fn look_at(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => {
            Err(io::Error::other(format!("{} is a symbolic link, and sessions follow none", path.display())))
        }
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder, and which of them are folders. No folder has no names; names that start with a dot are those of
/// files that are being written.
fn names(path: &Path) -> io::Result<Vec<(String, bool)>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        // What we or Strands have written has a name that is text.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            durable::sweep(&entry, &name);
            deletion::sweep(&entry, &name);
        } else {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            names.push((name, is_folder));
        }
    }
    Ok(names)
}
