//! Blocking operations on a folder of documents. No part of a document's path may be a symbolic link, which could lead out
//! of the folder.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::deletion;
use super::durable_files::{self, Prepared};
use crate::document_store::{CreatedBatch, Document, NewDocument, StoreError, Version, WriteOutcome};
use crate::snapshots::key_layout;

/// Name of the lock file in a session's folder, locked for updates of its documents.
const LOCK: &str = ".strands.lock";
/// Maximum number of open files of a batch.
const OPEN_FILES: usize = 32;

/// A folder of documents. Clones share the folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: Arc<Path>,
}

/// The outcome of an operation that needs the lock.
pub(super) enum Locked<T> {
    /// The operation was done.
    Done(T),
    /// Another process, or another task of this one, holds the lock on this file.
    Busy(PathBuf),
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: Arc::from(root) }
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + key.len() + 1);
        path.push(&*self.root);
        path.extend(key.split('/').filter(|segment| !segment.is_empty()));
        path
    }

    pub(super) fn read(&self, key: &str) -> Result<Option<Document>, StoreError> {
        let (path, found) = self.resolve(key)?;
        Ok(read_file(&path, found)?.map(document))
    }

    pub(super) fn read_chunk(&self, keys: &[String]) -> Result<Vec<Option<Document>>, StoreError> {
        let mut documents = Vec::with_capacity(keys.len());
        let mut checked = CheckedFolders::default();
        for key in keys {
            let content = self.read_in(key, &mut checked).map_err(|error| StoreError::at(key.as_str(), error))?;
            documents.push(content.map(document));
        }
        Ok(documents)
    }

    /// Reads a file whose folders may have been checked before.
    fn read_in<'k>(&self, key: &'k str, checked: &mut CheckedFolders<'k>) -> io::Result<Option<Bytes>> {
        checked.check(self, key)?;
        let path = self.path(key);
        let found = metadata_at(&path)?;
        read_file(&path, found)
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.resolve(key)?.1.is_some())
    }

    pub(super) fn create(&self, key: &str, content: &[u8]) -> Result<WriteOutcome, StoreError> {
        let (path, found) = self.resolve(key)?;
        let created = found.is_none() && durable_files::create(&path, content)?;
        Ok(outcome(created))
    }

    /// Creates the files of a batch in their order, up to the first that exists, and then reads a file. The content of all
    /// files is on the disk before the first name is visible, and their names are on the disk at the end.
    pub(super) fn create_batch(&self, batch: &[NewDocument], read: &str) -> Result<CreatedBatch, StoreError> {
        let mut checked = CheckedFolders::default();
        let mut prepared = Vec::with_capacity(batch.len());
        for part in batch.chunks(OPEN_FILES) {
            let first = prepared.len();
            for document in part {
                let file = self.prepared(document, &mut checked);
                prepared.push(file.map_err(|error| StoreError::at(&document.key, error))?);
            }
            for (file, document) in prepared.iter_mut().skip(first).zip(part) {
                file.sync().map_err(|error| StoreError::at(&document.key, error))?;
            }
        }
        let mut created = CreatedBatch::default();
        for (file, document) in prepared.iter().zip(batch) {
            let is_new = file.create().map_err(|error| StoreError::at(&document.key, error))?;
            created.outcomes.push(outcome(is_new));
            if !is_new {
                break;
            }
        }
        if created.outcomes.first().is_none_or(|first| *first == WriteOutcome::Conflict) {
            return Ok(created);
        }
        durable_files::sync_created(prepared)?;
        let found = self.read_in(read, &mut checked).map_err(|error| StoreError::at(read, error))?;
        created.found = found.map(document);
        Ok(created)
    }

    fn prepared<'k>(&self, document: &'k NewDocument, checked: &mut CheckedFolders<'k>) -> io::Result<Prepared> {
        checked.check(self, &document.key)?;
        Prepared::write(self.path(&document.key), &document.content)
    }

    /// Replaces a file that has the known content.
    pub(super) fn update(&self, key: &str, content: &[u8], known: &[u8]) -> Result<Locked<WriteOutcome>, StoreError> {
        self.locked(key, WriteOutcome::Conflict, |path| {
            if read_file(path, metadata_at(path)?)?.is_none_or(|found| found != known) {
                return Ok(WriteOutcome::Conflict);
            }
            durable_files::replace(path, content)?;
            Ok(WriteOutcome::Done(Version::content()))
        })
    }

    /// Deletes a file under the lock, so that no update is in flight.
    pub(super) fn delete(&self, key: &str) -> Result<Locked<()>, StoreError> {
        self.locked(key, (), |path| match metadata_at(path)? {
            Some(_) => durable_files::delete(path),
            None => Ok(()),
        })
    }

    pub(super) fn delete_folder(&self, folder: &str) -> Result<bool, StoreError> {
        match self.resolve(folder)? {
            // A document has nothing below it.
            (_, Some(found)) if !found.is_dir() => Ok(false),
            (path, _) => Ok(deletion::delete_folder(&path)?),
        }
    }

    /// Returns the keys of all files below a folder.
    pub(super) fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (path, found) = self.resolve(folder)?;
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

    /// Returns the names of the folders in a folder.
    pub(super) fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (path, found) = self.resolve(folder)?;
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
        if self.resolve(folder)?.1.is_none() && !folder.is_empty() {
            return Ok(Locked::Done(absent));
        }
        let lock = format!("{folder}/{LOCK}");
        let (lock, _) = self.resolve(lock.trim_start_matches('/'))?;
        let _locked = match durable_files::try_lock(&lock) {
            Ok(Some(locked)) => locked,
            Ok(None) => return Ok(Locked::Busy(lock)),
            // The folder was never created, or was just deleted.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Locked::Done(absent)),
            Err(error) => return Err(error.into()),
        };
        let (path, _) = self.resolve(key)?;
        Ok(Locked::Done(work(&path)?))
    }

    /// Returns the path of a document and its metadata, if it exists.
    fn resolve(&self, key: &str) -> io::Result<(PathBuf, Option<Metadata>)> {
        let mut path = self.root.to_path_buf();
        let mut found = None;
        for segment in key.split('/').filter(|segment| !segment.is_empty()) {
            path.push(segment);
            found = metadata_at(&path)?;
            if found.is_none() {
                return Ok((self.path(key), None));
            }
        }
        Ok((path, found))
    }
}

/// Folders of documents that were checked: they are no symbolic links.
#[derive(Default)]
struct CheckedFolders<'k>(Vec<&'k str>);

impl<'k> CheckedFolders<'k> {
    /// Checks the folders of a document that exist and were not checked before.
    fn check(&mut self, folder: &Folder, key: &'k str) -> io::Result<()> {
        for (end, _) in key.match_indices('/') {
            let parent = key.get(..end).unwrap_or_default();
            if self.0.contains(&parent) {
                continue;
            }
            if metadata_at(&folder.path(parent))?.is_none() {
                break;
            }
            self.0.push(parent);
        }
        Ok(())
    }
}

fn outcome(is_created: bool) -> WriteOutcome {
    if is_created { WriteOutcome::Done(Version::content()) } else { WriteOutcome::Conflict }
}

/// Returns the folder of a document's lock: its session's, or its own if it belongs to no session.
fn lock_folder(key: &str) -> &str {
    match key_layout::folder_of_session(key) {
        folder if folder == key => key.rsplit_once('/').map_or("", |(folder, _)| folder),
        folder => folder,
    }
}

fn document(content: Bytes) -> Document {
    Document::new(content, Version::content())
}

fn read_file(path: &Path, found: Option<Metadata>) -> io::Result<Option<Bytes>> {
    let Some(metadata) = found else { return Ok(None) };
    // Opening a pipe would block until a writer opens it.
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the metadata of one component of a path; rejects symbolic links.
fn metadata_at(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => {
            Err(io::Error::other(format!("{} is a symbolic link, which sessions do not follow", path.display())))
        }
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the names in a folder, each with true for a folder. A missing folder is empty. Names that start with a dot are
/// temporary files and are left out.
fn names(path: &Path) -> io::Result<Vec<(String, bool)>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        // This crate and Strands write names in UTF-8 only.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            durable_files::sweep(&entry, &name);
            deletion::sweep(&entry, &name);
        } else {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            names.push((name, is_folder));
        }
    }
    Ok(names)
}
