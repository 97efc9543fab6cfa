//! Processes of the rig: the server of Restate and the workers, and a balancer of connections between workers.

use std::fs::File;
use std::net::TcpListener as StdListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};

use crate::worker::Settings;

/// Returns a port that is free now.
pub(crate) fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that is killed and started again.
pub(crate) struct Process {
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    fn new(program: PathBuf, args: Vec<String>, log: PathBuf) -> Self {
        let mut process = Self { program, args, log, child: None };
        process.start();
        process
    }

    pub(crate) fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Returns the resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.as_ref().unwrap().id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }

    /// Returns the CPU time so far in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.as_ref().unwrap().id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // Ticks of 10 ms in user and in kernel mode.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn worker(folder: &Path, settings: &Settings) -> Process {
    let log = folder.join(format!("worker-{}.log", settings.port));
    let args = vec!["worker".to_owned(), serde_json::to_string(settings).unwrap()];
    Process::new(std::env::current_exe().unwrap(), args, log)
}

/// The server of Restate, with data that survives its kills.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) ingress: String,
    pub(crate) admin: String,
}

pub(crate) fn server(folder: &Path) -> Server {
    let program = std::env::var("STRANDS_RESTATE_SERVER").expect("run .ci/durable/restate");
    let (node, ingress, admin) = (free_port(), free_port(), free_port());
    let config = format!(
        r#"
cluster-name = "rig-{node}"
node-name = "rig"
listen-mode = "tcp"
bind-address = "127.0.0.1:{node}"
advertised-address = "http://127.0.0.1:{node}"
default-num-partitions = 4
disable-telemetry = true
log-filter = "warn"
log-disable-ansi-codes = true
rocksdb-total-memory-size = "256 MiB"
[ingress]
bind-address = "127.0.0.1:{ingress}"
[admin]
bind-address = "127.0.0.1:{admin}"
[worker.invoker]
http2-streams-per-connection-limit = 16
[default-retry-policy]
initial-interval = "50ms"
exponentiation-factor = 1.5
max-interval = "500ms"
max-attempts = {attempts}
on-max-attempts = "pause"
"#,
        attempts = 60
    );
    let file = folder.join("server.toml");
    std::fs::write(&file, config).unwrap();
    let data = folder.join("data");
    let args = ["--no-logo", "--config-file", file.to_str().unwrap(), "--base-dir", data.to_str().unwrap()];
    let process = Process::new(program.into(), args.map(str::to_owned).to_vec(), folder.join("server.log"));
    Server { process, ingress: format!("http://127.0.0.1:{ingress}"), admin: format!("http://127.0.0.1:{admin}") }
}

/// Distributes connections to workers in turn, as a service of Kubernetes does. Connections to a worker that is gone are closed.
pub(crate) async fn balancer(ports: Vec<u16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let next = Arc::new(AtomicUsize::new(0));
    let ports = Arc::new(ports);
    tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            let (next, ports) = (Arc::clone(&next), Arc::clone(&ports));
            tokio::spawn(async move {
                for _ in 0..ports.len() {
                    let port = ports[next.fetch_add(1, Ordering::Relaxed) % ports.len()];
                    if let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await {
                        from.set_nodelay(true).unwrap();
                        to.set_nodelay(true).unwrap();
                        _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                        return;
                    }
                }
            });
        }
    });
    port
}

/// A folder that is removed at the end, unless the test fails.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static FOLDERS: Mutex<u32> = Mutex::new(0);
        let number = {
            let mut folders = FOLDERS.lock().unwrap();
            *folders += 1;
            *folders
        };
        let path = std::env::temp_dir().join(format!("strands-rig-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("logs are in {}", self.0.display());
        } else {
            _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
