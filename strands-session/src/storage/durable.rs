//! Writing to a folder so that a crash at any instant leaves each file whole, as it was before or as it is after.

use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions};
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

/// Takes a folder away at once, and then deletes it at leisure.
pub(super) fn delete_folder(path: &Path) -> io::Result<bool> {
    let parent = folder_of(path)?;
    let doomed = parent.join(format!("{TEMPORARY_PREFIX}deleted_{:016x}", fastrand::u64(..)));
    match fs::rename(path, &doomed) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    sync_folder(parent)?;
    fs::remove_dir_all(&doomed)?;
    Ok(true)
}

/// Opens a file to be locked, and locks it. The lock ends with the file, and with the process.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    private_file(&mut options);
    let file = options.open(path)?;
    file.lock()?;
    Ok(file)
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
fn folder_of(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(folder) => Ok(folder),
        None => Err(io::Error::new(ErrorKind::InvalidInput, "the path is in no folder")),
    }
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere a folder can't be opened, and its entries are the system's affair"
)]
fn sync_folder(_path: &Path) -> io::Result<()> {
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
