//! The file below a JSON-lines audit: appended in whole lines, and repaired when it is opened.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::AuditFileError;
use crate::audit::AuditRecord;

/// Number of bytes that are read at once to find the last line.
const CHUNK: u64 = 64 * 1024;

/// An open and locked audit file. All of it are whole lines, up to `length`.
pub(super) struct AuditFile {
    file: File,
    length: u64,
    /// True if there may be bytes after `length`.
    is_torn: bool,
}

impl AuditFile {
    pub(super) fn open(path: &Path) -> Result<Self, AuditFileError> {
        let failed = |source| AuditFileError::Io { path: path.to_owned(), source };
        let is_new = !path.exists();
        let file = options().open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AuditFileError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        if is_new {
            sync_folder(path).map_err(failed)?;
        }
        let mut opened = Self { file, length: 0, is_torn: false };
        opened.repair().map_err(failed)?;
        Ok(opened)
    }

    /// Appends whole lines, and returns when they are on the disk.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.length)?;
        }
        self.is_torn = true;
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += lines.len() as u64;
                self.is_torn = false;
            }
            // Otherwise the next write repairs the file.
            Err(_) => self.is_torn = self.file.set_len(self.length).is_err(),
        }
        written
    }

    /// Completes or removes a last line without a line break.
    fn repair(&mut self) -> io::Result<()> {
        let end = self.file.metadata()?.len();
        let start = self.start_of_last_line(end)?;
        self.length = end;
        if start == end {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(start))?;
        let mut last = Vec::new();
        (&self.file).take(end - start).read_to_end(&mut last)?;
        if serde_json::from_slice::<AuditRecord>(&last).is_ok() {
            return self.append(b"\n");
        }
        tracing::warn!(target: "strands::audit", bytes = end - start, "removed a torn audit record");
        self.file.set_len(start)?;
        self.length = start;
        self.file.sync_data()
    }

    /// Returns the offset after the last line break.
    fn start_of_last_line(&self, mut end: u64) -> io::Result<u64> {
        let mut file = &self.file;
        while end > 0 {
            let start = end.saturating_sub(CHUNK);
            file.seek(SeekFrom::Start(start))?;
            let mut chunk = Vec::new();
            file.take(end - start).read_to_end(&mut chunk)?;
            if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
                return Ok(start + at as u64 + 1);
            }
            end = start;
        }
        Ok(0)
    }
}

impl Drop for AuditFile {
    /// Unlocks the file. Otherwise a process that is just being started, and has inherited the file, would keep the lock.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the name of a new file durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
