//! The provider's side: a process of its own, so that its instructions and its memory are not those of the measured one.

mod scenario;
mod server;

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

pub(crate) use scenario::{Pace, Response, Scenario};
pub(crate) use server::serve;

/// First argument of the server's process.
pub(crate) const COMMAND: &str = "serve";
/// Port at which each connection receives the recorded request bodies.
const BODIES: &str = "bodies";
/// Port at which each connection is closed after its first bytes.
pub(crate) const HANG_UP: &str = "hang-up";

/// The running server. It ends with this process.
#[derive(Debug)]
pub(crate) struct Servers {
    ports: HashMap<String, u16>,
    _process: Child,
}

impl Servers {
    /// Starts the server's process.
    pub(crate) fn start() -> Self {
        let program = std::env::current_exe().unwrap();
        let mut process =
            Command::new(program).arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ports = lines.map_while(|line| {
            let line = line.unwrap();
            let (name, port) = line.split_once(' ')?;
            Some((name.to_owned(), port.parse().unwrap()))
        });
        Self { ports: ports.collect(), _process: process }
    }

    /// Returns the address of a scenario, such as `127.0.0.1:40123`.
    pub(crate) fn address(&self, scenario: &str) -> String {
        format!("127.0.0.1:{}", self.ports[scenario])
    }

    /// Returns the bodies of the first requests since the last call.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        let mut connection = TcpStream::connect(self.address(BODIES)).unwrap();
        let mut bodies = Vec::new();
        connection.read_to_end(&mut bodies).unwrap();
        serde_json::from_slice(&bodies).unwrap()
    }
}
