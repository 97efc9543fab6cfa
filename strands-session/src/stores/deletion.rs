//! Deleting a folder so that it is gone at once, and its content even if the deletion breaks off and is repeated.

use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::durable::{folder_of, sync_folder};

/// A folder that is being deleted has this name with a random number and its former name.
const PREFIX: &str = ".strands_deleted_";
/// Attempts while another process deletes the same folder.
const ATTEMPTS: usize = 100;

/// Takes a folder away at once, and then deletes its content, and that of folders whose deletion has broken off. False if
/// there was no such folder, nor the rest of one.
pub(super) fn delete_folder(path: &Path) -> io::Result<bool> {
    let parent = folder_of(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let deleted = parent.join(format!("{PREFIX}{:016x}_{name}", fastrand::u64(..)));
    let mut found = match fs::rename(path, &deleted) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    let entries = match fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    if found {
        sync_folder(parent)?;
    }
    for entry in entries {
        let entry = entry?;
        let Ok(other) = entry.file_name().into_string() else { continue };
        if former_name(&other) == Some(&*name) {
            remove(&entry.path())?;
            found = true;
        } else {
            sweep(&entry, &other);
        }
    }
    Ok(found)
}

/// Goes on with a deletion that has broken off. One that is under way is done the sooner for it.
pub(super) fn sweep(entry: &DirEntry, name: &str) {
    if name.starts_with(PREFIX) && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
        // What can't be deleted now is tried again next time. It is never read.
        let _ = remove(&entry.path());
    }
}

/// The name that a folder had before it was taken away.
fn former_name(name: &str) -> Option<&str> {
    Some(name.strip_prefix(PREFIX)?.split_once('_')?.1)
}

fn remove(path: &Path) -> io::Result<()> {
    let mut removed = Ok(());
    for _ in 0..ATTEMPTS {
        removed = fs::remove_dir_all(path);
        match &removed {
            // Another process deletes it too, and was faster with a part or with all of it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => return removed,
        }
        if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(());
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_has_removed_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        remove(&folder.path().join("absent")).unwrap();
    }
}
