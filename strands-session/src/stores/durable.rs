//! Writing to a folder so that a crash at any instant leaves each file whole, as it was before or as it is after.

use std::fs::{self, DirBuilder, DirEntry, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Names of files that are being written, as Strands gives them.
const TEMPORARY_PREFIX: &str = ".strands_";
const TEMPORARY_SUFFIX: &str = ".tmp";
/// No write takes this long: what is older was left by a crash.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

/// Creates a file with this content; `false` when there is one already.
///
/// The content is on the disk before the name is, so nobody ever reads half of it; and linking, unlike renaming, fails
/// where the name is taken.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let folder = folder_of(path)?;
    let temporary = Temporary::write(folder, bytes)?;
    let linked = fs::hard_link(&temporary.path, path);
    drop(temporary);
    match linked {
        Ok(()) => sync_folder(folder).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts this content in place of a file's.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path)?;
    let temporary = Temporary::write(folder, bytes)?;
    fs::rename(&temporary.path, path)?;
    sync_folder(folder)
}

/// Deletes a file. One that is gone already is no error.
pub(super) fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(folder_of(path)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Locks a file, unless somebody else has locked it: then there is no lock. It ends with the file, and with the process.
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

/// Opens a lock, or makes it. For writing alone, a pipe that has come in between would be waited for; for reading too, it
/// is opened at once.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    private_file(&mut options);
    let file = options.open(path)?;
    require_file(path, &file.metadata()?)?;
    Ok(file)
}

/// Checks that a lock is a file: opening anything else may wait forever, or lead elsewhere.
fn require_file(path: &Path, found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    Err(io::Error::other(format!("{} is no regular file; remove it", path.display())))
}

/// True if a file that was opened is still the one at its path. The lock on another one, deleted with its folder,
/// excludes nobody.
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

/// Deletes a file that a crash has left half written; one that is being written stays.
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
        // What can't be deleted does no harm: it is never read.
        let _ = fs::remove_file(entry.path());
    }
}

/// A file with a name of its own, deleted unless it is renamed.
struct Temporary {
    path: PathBuf,
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
        // From here on a failure deletes the file.
        let temporary = Self { path };
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing to delete; after a failure there may be no way to.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a folder and those above it, for this user alone.
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

/// The folder that a path is in.
pub(super) fn folder_of(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(folder) => Ok(folder),
        None => Err(io::Error::new(ErrorKind::InvalidInput, "the path is in no folder")),
    }
}

#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere a folder can't be opened, and its entries are the system's affair"
)]
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
    fn the_lock_of_a_deleted_folder_is_no_lock() {
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

    /// A pipe that comes after the first look is found out all the same.
    #[test]
    fn a_pipe_is_opened_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(open_lock(&path).unwrap_err().to_string()));
        let error = receiver.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(error.contains("no regular file"), "{error}");
    }
}
