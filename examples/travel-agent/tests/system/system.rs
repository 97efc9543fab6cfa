//! A running system.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// Time for what takes a second at most on an idle machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct System {
    child: Child,
    /// Lines of JSON.
    lines: Receiver<String>,
    errors: Arc<Mutex<String>>,
    /// The last state.
    pub(crate) state: Value,
}

/// Returns the command `up` with its data in a folder.
pub(crate) fn up(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_travel-agent"));
    command.env_clear().env("HOME", data).args(["--today", "2026-11-22", "up", "--json", "--data"]).arg(data);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl System {
    /// Starts a system, and waits until it is ready.
    pub(crate) fn start(data: &Path, args: &[&str]) -> Self {
        let mut child = up(data, args).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let errors = Arc::new(Mutex::new(String::new()));
        let (err, sink) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&errors));
        thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                *sink.lock().unwrap() += &(line + "\n");
            }
        });
        let mut system = Self { child, lines, errors, state: Value::Null };
        system.next_state();
        system
    }

    /// Waits until the system tells its state.
    pub(crate) fn next_state(&mut self) {
        match self.lines.recv_timeout(TIMEOUT) {
            Ok(line) => self.state = serde_json::from_str(&line).unwrap(),
            Err(_) => panic!("not ready: {}", self.errors()),
        }
    }

    pub(crate) fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self, name: &str) -> &str {
        self.state[name].as_str().unwrap()
    }

    /// Returns the process ids by names.
    pub(crate) fn ids(&self) -> Vec<(String, u32)> {
        let processes = self.state["processes"].as_array().unwrap();
        let id =
            |process: &Value| (process["name"].as_str().unwrap().to_owned(), process["pid"].as_u64().unwrap() as u32);
        processes.iter().map(id).collect()
    }

    pub(crate) fn id_of(&self, name: &str) -> u32 {
        self.ids().into_iter().find(|(other, _)| other == name).unwrap().1
    }

    /// Sends a signal, and waits until the system has ended.
    pub(crate) fn end(&mut self, signal: Signal) -> ExitStatus {
        send(self.id(), signal);
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < TIMEOUT, "still runs: {}", self.errors());
            thread::yield_now();
        }
    }
}

/// The test has failed: the processes end with the system.
impl Drop for System {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn send(id: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns true if a process runs.
pub(crate) fn runs(id: u32) -> bool {
    // One that has ended, and whose end is not read, has no command line.
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|command| !command.is_empty())
}

/// A response of HTTP.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or_default()
    }
}

/// Sends a request without a connection that stays open. The headers end with line breaks.
pub(crate) fn request(method: &str, url: &str, headers: &str, body: &str) -> std::io::Result<Reply> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap_or((&url[7..], ""));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let length = body.len();
    write!(stream, "{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Reply { status, head: head.to_owned(), body: body.to_owned() })
}
