//! Files with secrets: created once, and readable by their owner alone.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Returns the content of a file. If there is none, it is created with the content that `make` returns.
///
/// Of two processes that create it at the same time, both get the content of the first. A process that is killed leaves no partial
/// file.
pub(crate) fn load_or_create(path: &Path, make: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
    match load(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        loaded => return loaded,
    }
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    create_private_dir(folder)?;
    // A temporary file has mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&make()?)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => load(path),
    }
}

fn load(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too large for a file with a secret"));
    }
    restrict(path, 0o600)?;
    fs::read(path)
}

/// Creates a folder that only its owner can read. Folders above it are created as usual.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    restrict(path, 0o700)
}

/// Removes the permissions that are not in `mode`.
#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = fs::metadata(path)?.permissions();
    let restricted = permissions.mode() & mode;
    if permissions.mode() & 0o777 == restricted {
        return Ok(());
    }
    permissions.set_mode(restricted);
    fs::set_permissions(path, permissions)
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creates_a_private_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inner").join("secret");
        assert_eq!(load_or_create(&path, || Ok(b"first".to_vec())).unwrap(), b"first");
        assert_eq!(load_or_create(&path, || Ok(b"second".to_vec())).unwrap(), b"first");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            load_or_create(&path, || Ok(Vec::new())).unwrap();
            assert_eq!(mode(&path), 0o600, "the permissions of a copied file are restricted");
        }
    }

    #[test]
    fn concurrent_creators_agree() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let threads: Vec<_> = (0..8_u8)
            .map(|number| {
                let path = path.clone();
                std::thread::spawn(move || load_or_create(&path, || Ok(vec![number; 32])).unwrap())
            })
            .collect();
        let mut contents: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        contents.dedup();
        assert_eq!(contents.len(), 1, "{contents:?}");
    }
}
