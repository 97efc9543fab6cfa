//! Durable file operations: after a crash at any instant each file is complete, with its old or its new content.

use std::fs::{self, DirBuilder, DirEntry, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Prefix and suffix of temporary files, as in Strands.
const TEMPORARY_PREFIX: &str = ".strands_";
const TEMPORARY_SUFFIX: &str = ".tmp";
/// Age of a temporary file after which it counts as left by a crash.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

/// Creates a file with this content. Returns false if the file exists.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut prepared = Prepared::write(path.to_owned(), bytes)?;
    prepared.sync()?;
    let is_new = prepared.create()?;
    if is_new {
        sync_created(vec![prepared])?;
    }
    Ok(is_new)
}

/// A file whose name is not visible yet. Its content is synced before, so that readers never see part of it.
pub(super) struct Prepared {
    path: PathBuf,
    temporary: Temporary,
}

impl Prepared {
    pub(super) fn write(path: PathBuf, bytes: &[u8]) -> io::Result<Self> {
        let temporary = Temporary::write(folder_of(&path)?, bytes)?;
        Ok(Self { path, temporary })
    }

    /// Writes the content to the disk, and closes the file. Several files are written before the first is synced: one commit
    /// of the file system's journal may then do for all of them.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.temporary.sync()
    }

    /// Makes the file visible, until [`sync_created`] not durably. Returns false if another file has the name.
    pub(super) fn create(&self) -> io::Result<bool> {
        // Linking, unlike renaming, fails if the name is taken. `O_TMPFILE` with `linkat`, which needs no temporary name, takes
        // a tenth longer on ext4, and Linux alone has it.
        match fs::hard_link(&self.temporary.path, &self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Deletes the temporary files of created files, and makes the names of the created ones durable: each folder is synced
/// once.
pub(super) fn sync_created(files: Vec<Prepared>) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = Vec::with_capacity(1);
    for file in files {
        let folder = folder_of(&file.path)?;
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    folders.iter().try_for_each(|folder| sync_folder(folder))
}

/// Replaces the content of a file.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path)?;
    let mut temporary = Temporary::write(folder, bytes)?;
    temporary.sync()?;
    fs::rename(&temporary.path, path)?;
    sync_folder(folder)
}

/// Deletes a file. A missing file is no error.
pub(super) fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(folder_of(path)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Locks a file. Returns `None` if it is locked already. The lock ends when the file is dropped or the process ends.
pub(super) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    match fs::symlink_metadata(path) {
        Ok(found) => require_file(path, &found)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(is_at(path, &file)?.then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens or creates a lock file. It is opened for reading and writing: opening a pipe for writing alone would block.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    private_file(&mut options);
    let file = options.open(path)?;
    require_file(path, &file.metadata()?)?;
    Ok(file)
}

/// Checks that a lock is a regular file: opening anything else may block forever, or follow a link.
fn require_file(path: &Path, found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    Err(io::Error::other(format!("{} is not a regular file; remove it", path.display())))
}

/// Returns true if an opened file is still the one at its path. A lock on a file that was deleted with its folder has no
/// effect.
#[cfg(unix)]
fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let opened = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere std has no stable way to compare files")]
fn is_at(_path: &Path, _file: &File) -> io::Result<bool> {
    Ok(true)
}

/// Deletes a temporary file that a crash has left. Files that may still be written stay.
pub(super) fn sweep(entry: &DirEntry, name: &str) {
    if !name.starts_with(TEMPORARY_PREFIX) || !name.ends_with(TEMPORARY_SUFFIX) {
        return;
    }
    let age = entry
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|written| SystemTime::now().duration_since(written).ok());
    if age.is_some_and(|age| age > ABANDONED_AFTER) {
        // A failure is ignored: the file is never read.
        let _ = fs::remove_file(entry.path());
    }
}

/// A temporary file, deleted on drop unless it was renamed.
struct Temporary {
    path: PathBuf,
    /// Open until it is synced.
    file: Option<File>,
}

impl Temporary {
    fn write(folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        let name = format!("{TEMPORARY_PREFIX}{:016x}{TEMPORARY_SUFFIX}", fastrand::u64(..));
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private_file(&mut options);
        let mut file = match options.open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_folder(folder)?;
                options.open(&path)?
            }
            opened => opened?,
        };
        // A failure after this line deletes the file.
        let mut temporary = Self { path, file: None };
        file.write_all(bytes)?;
        temporary.file = Some(file);
        Ok(temporary)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |file| file.sync_all())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename the file is gone; other failures can't be handled here.
        let _ = fs::remove_file(&self.path);
    }
}

/// Creates a folder and its parents, accessible to this user only.
fn make_folder(path: &Path) -> io::Result<()> {
    match private_folder().create(path) {
        Ok(()) => sync_folder(folder_of(path)?),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = folder_of(path)?;
            make_folder(parent)?;
            match private_folder().create(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
                made => made.and_then(|()| sync_folder(parent)),
            }
        }
        Err(error) => Err(error),
    }
}

/// Returns the parent folder of a path.
pub(super) fn folder_of(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(folder) => Ok(folder),
        None => Err(io::Error::new(ErrorKind::InvalidInput, "the path has no parent folder")),
    }
}

#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "other systems can't open a folder, and sync its entries themselves")]
pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private_file(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn private_folder() -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private_folder() -> DirBuilder {
    DirBuilder::new()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignores_the_lock_of_a_deleted_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let locked = try_lock(&path).unwrap().unwrap();
        assert!(try_lock(&path).unwrap().is_none());
        assert!(is_at(&path, &locked).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&path, &locked).unwrap());
        let next = try_lock(&path).unwrap().unwrap();
        assert!(is_at(&path, &next).unwrap() && !is_at(&path, &locked).unwrap());
    }

    /// Covers a pipe that is created after the first check.
    #[test]
    fn opens_a_pipe_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(open_lock(&path).unwrap_err().to_string()));
        let error = receiver.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(error.contains("not a regular file"), "{error}");
    }
}
