//! Data folder: of one running system at a time.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::SystemError;
use crate::auth::private_file::{create_private_dir, load_or_create};

/// The folder. It is locked as long as the value lives.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, which is created on first use.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, SystemError> {
        let path = path.or_else(|| Some(dirs::data_dir()?.join("strands-travel-agent").join("system")));
        let path = path.ok_or(SystemError::NoDataFolder)?;
        let failed = |source| SystemError::Data { path: path.clone(), source };
        create_private_dir(&path).map_err(failed)?;
        // Processes have other working directories than a caller may think.
        let path = path.canonicalize().map_err(failed)?;
        let failed = |source| SystemError::Data { path: path.clone(), source };
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(SystemError::DataInUse { path }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a folder in the folder, which is created on first use.
    pub(super) fn inner(&self, name: &str) -> Result<PathBuf, SystemError> {
        let path = self.path.join(name);
        create_private_dir(&path).map_err(|source| SystemError::Data { path: path.clone(), source })?;
        Ok(path)
    }

    /// Returns the secret that agent and MCP server share. It is stored, so that a restart of the system needs no other sign-in.
    pub(super) fn desk_secret(&self) -> Result<String, SystemError> {
        let path = self.path.join("desk-secret");
        let new_secret = || {
            let mut secret = [0; 32];
            SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("the system has no random numbers"))?;
            Ok(URL_SAFE_NO_PAD.encode(secret).into_bytes())
        };
        let secret = load_or_create(&path, new_secret).and_then(|secret| {
            String::from_utf8(secret).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not text"))
        });
        secret.map_err(|source| SystemError::Data { path, source })
    }
}
