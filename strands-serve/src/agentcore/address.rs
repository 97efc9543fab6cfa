//! Address on which the platform expects a server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// Port of the HTTP contract.
const PORT: u16 = 8080;

/// Returns the address to listen on: port 8080, of all interfaces in a container and of the loopback interface elsewhere.
///
/// As in the Python SDK, a container is recognized by the file `/.dockerenv` or by the variable `DOCKER_CONTAINER`.
pub fn default_address() -> SocketAddr {
    let is_declared = std::env::var_os("DOCKER_CONTAINER").is_some_and(|value| !value.is_empty());
    let is_container = is_declared || Path::new("/.dockerenv").exists();
    let ip = if is_container { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    SocketAddr::new(IpAddr::V4(ip), PORT)
}
