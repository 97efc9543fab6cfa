//! Ports of the processes: the same in each run, so that bookmarks, and what the page stores in the browser, stay valid.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{SystemError, folder::DataFolder};

/// Ports to choose from. The operating system takes those of outgoing connections from above, so a process that is restarted finds
/// its port free.
const RANGE: std::ops::Range<u16> = 15_000..30_000;

/// Number of random ports that are tried before the operating system chooses one.
const ATTEMPTS: usize = 64;

/// Time for the processes of a system that was killed to free their ports: for all together.
const WAIT: Duration = Duration::from_secs(2);

/// Ports by the names of processes.
#[derive(Debug)]
pub(super) struct Ports {
    ports: BTreeMap<String, u16>,
    since: Instant,
}

impl Ports {
    /// Reads the ports of the last run.
    pub(super) fn load(folder: &DataFolder) -> Result<Self, SystemError> {
        let path = path(folder);
        match fs::read(&path) {
            // A file that is no list of ports is replaced.
            Ok(json) => Ok(Self { ports: serde_json::from_slice(&json).unwrap_or_default(), since: Instant::now() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self { ports: BTreeMap::new(), since: Instant::now() })
            }
            Err(source) => Err(SystemError::Data { path, source }),
        }
    }

    /// Stores the ports for the next run.
    pub(super) fn store(&self, folder: &DataFolder) -> Result<(), SystemError> {
        let stored = || {
            let mut file = tempfile::NamedTempFile::new_in(folder.path())?;
            file.write_all(&serde_json::to_vec(&self.ports)?)?;
            file.persist(path(folder))?;
            Ok(())
        };
        stored().map_err(|source| SystemError::Data { path: path(folder), source })
    }

    /// Makes a port that of a process.
    pub(super) async fn require(&mut self, name: &str, port: u16) -> Result<(), SystemError> {
        if !self.becomes_free(port).await {
            return Err(SystemError::PortInUse { port });
        }
        self.ports.retain(|_, other| *other != port);
        self.ports.insert(name.to_owned(), port);
        Ok(())
    }

    /// Returns the address of a process: that of the last run if it is free, or a free one.
    pub(super) async fn address(&mut self, name: &str) -> Result<SocketAddr, SystemError> {
        if let Some(port) = self.ports.get(name).copied()
            && self.becomes_free(port).await
        {
            return Ok(loopback(port));
        }
        let is_free = |port: &u16| !self.ports.values().any(|other| other == port) && bind(*port).is_ok();
        let port = match (0..ATTEMPTS).map(|_| fastrand::u16(RANGE)).find(is_free) {
            Some(port) => port,
            None => bind(0)
                .and_then(|listener| Ok(listener.local_addr()?.port()))
                .map_err(|source| SystemError::NoPort { source })?,
        };
        self.ports.insert(name.to_owned(), port);
        Ok(loopback(port))
    }

    /// Waits until a port is free. Returns false if it is not in time.
    async fn becomes_free(&self, port: u16) -> bool {
        while bind(port).is_err() {
            if self.since.elapsed() >= WAIT {
                return false;
            }
            sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

fn path(folder: &DataFolder) -> PathBuf {
    folder.path().join("ports.json")
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(loopback(port))
}
