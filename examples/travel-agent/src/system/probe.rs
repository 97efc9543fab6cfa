//! Readiness of a process, by its HTTP interface or its port.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

const INTERVAL: Duration = Duration::from_millis(20);
const TIMEOUT: Duration = Duration::from_secs(2);

/// Waits until a path has the status 200; without one, until the port is open.
pub(super) async fn until_ready(address: SocketAddr, path: Option<&str>) {
    loop {
        match timeout(TIMEOUT, is_ready(address, path)).await {
            Ok(Ok(true)) => return,
            _ => sleep(INTERVAL).await,
        }
    }
}

/// Returns true if the status of a path is 200; without one, if the port is open.
async fn is_ready(address: SocketAddr, path: Option<&str>) -> io::Result<bool> {
    // HTTP/1.0 has neither chunks nor connections that stay open, and the status is in the first bytes.
    const START: &[u8] = b"HTTP/1.1 200 ";
    let mut stream = TcpStream::connect(address).await?;
    let Some(path) = path else { return Ok(true) };
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut start = [0; START.len()];
    stream.read_exact(&mut start).await?;
    // Servers of HTTP/1.1 name either version.
    Ok(start.get(8..) == START.get(8..))
}
