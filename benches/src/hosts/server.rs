//! Servers: each side is a process of its own, whose processor time and memory are read from the system.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpSocket;

use crate::{hand_written, service};

/// Sent bytes that the system buffers for each connection, so that a slow reader is noticed.
const SEND_BUFFER: u32 = 16 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 8_192;
/// Processor time of a tick of `/proc/<id>/stat`.
const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    HandWritten,
    Service,
    FastApi,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HandWritten => "hand-written",
            Self::Service => "service",
            Self::FastApi => "FastAPI",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let sides = [Self::HandWritten, Self::Service];
        sides.into_iter().find(|side| side.name() == name).unwrap_or_else(|| panic!("unknown side: {name}"))
    }
}

/// Serves one side, prints its port, and ends with its standard input.
pub(crate) fn serve(side: Side, sessions: &str) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let router = match side {
            Side::HandWritten => hand_written::router(sessions),
            Side::Service => service::router(sessions),
            Side::FastApi => panic!("it is a program of its own"),
        };
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(SEND_BUFFER).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(BACKLOG).unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        let listener = listener.tap_io(|connection| connection.set_nodelay(true).unwrap());
        tokio::spawn(async { axum::serve(listener, router.into_make_service()).await });
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await.unwrap().unwrap();
    });
}

/// The process of a server. It ends with this value.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(side: Side, sessions: &str, python: Option<&str>) -> Self {
        let mut command = match (side, python) {
            (Side::FastApi, Some(python)) => {
                let mut command = Command::new(python);
                command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/app.py"));
                command
            }
            _ => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["serve", side.name()]);
                command
            }
        };
        let mut process =
            command.arg(sessions).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, port: line.trim().parse().expect("the server prints its port") }
    }

    /// Returns the processor time so far.
    pub(crate) fn time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // After the name, which may have spaces: the 12th and the 13th are the times in the program and in the system.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks = |index: usize| fields[index].parse::<u32>().unwrap();
        TICK * (ticks(11) + ticks(12))
    }

    /// Returns the resident memory in KiB.
    pub(crate) fn memory(&self) -> u32 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim_end_matches("kB").trim().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns KiB as MiB.
pub(crate) fn mebibytes(memory: u32) -> f64 {
    f64::from(memory) / 1024.0
}
