//! Atomic deletion of a folder: it is renamed first, and a later call completes an interrupted deletion.

use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::durable_files::{folder_of, sync_folder};

/// Prefix of the name of a folder that is being deleted, before a random number and the original name.
const PREFIX: &str = ".strands_deleted_";
/// Attempts while another process deletes the same folder.
const ATTEMPTS: usize = 100;

/// Renames a folder and then deletes its content, and that of folders whose deletion was interrupted. Returns false if
/// there was no such folder and no rest of one.
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
        if original_name(&other) == Some(&*name) {
            remove(&entry.path())?;
            found = true;
        } else {
            sweep(&entry, &other);
        }
    }
    Ok(found)
}

/// Completes an interrupted deletion. It is safe while another process performs the same deletion.
pub(super) fn sweep(entry: &DirEntry, name: &str) {
    if name.starts_with(PREFIX) && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
        // A failure is retried next time. The folder is never read.
        let _ = remove(&entry.path());
    }
}

/// Returns the name of a folder before it was renamed.
fn original_name(name: &str) -> Option<&str> {
    Some(name.strip_prefix(PREFIX)?.split_once('_')?.1)
}

fn remove(path: &Path) -> io::Result<()> {
    let mut removed = Ok(());
    for _ in 0..ATTEMPTS {
        removed = fs::remove_dir_all(path);
        match &removed {
            // Another process deletes it too.
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
    fn ignores_a_folder_that_another_process_removed() {
        let folder = tempfile::tempdir().unwrap();
        remove(&folder.path().join("absent")).unwrap();
    }
}
