//! One process of the system.

use std::{
    env,
    ffi::OsString,
    io,
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, BufReader},
    process::{Child, ChildStdin, Command},
    task::JoinSet,
    time::timeout,
};

use super::{
    SystemError,
    orphans::PARENT,
    output::{LastLines, Output},
};

/// Time to read the last lines of a process that has ended.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// Variables of the programs that this system does not set itself, and passes on. Others would change its set-up.
const PASSED_ON: [&str; 4] = ["TRAVEL_GEOIP_URL", "TRAVEL_KNOWLEDGE_BASE", "TRAVEL_PACE_MS", "TRAVEL_WEATHER_URL"];

/// Start of a process. It has secrets, so it can't be printed.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) executable: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Variables of its environment: the arguments of a process can be read by all users of a machine.
    pub(super) variables: Vec<(&'static str, OsString)>,
    pub(super) address: SocketAddr,
    /// A path that has the status 200 when the process is ready. None if it is ready as soon as it listens.
    pub(super) ready: Option<&'static str>,
    /// Time to end after a signal.
    pub(super) grace: Duration,
    /// True if the end of its standard input is the signal to end.
    pub(super) ends_with_input: bool,
}

/// A process. It is killed when it is dropped, and its standard input ends, which makes it end, too.
pub(super) struct Process {
    child: Child,
    /// Apart from the child, which would close it to wait.
    input: Option<ChildStdin>,
    output: JoinSet<()>,
    last: LastLines,
    ends_with_input: bool,
}

impl Process {
    pub(super) fn start(program: &Program, output: &Output) -> Result<Self, SystemError> {
        let mut command = Command::new(&program.executable);
        for (name, _) in env::vars_os() {
            let is_ours = name.to_str().is_some_and(|name| name.starts_with("TRAVEL_") && !PASSED_ON.contains(&name));
            if is_ours {
                command.env_remove(name);
            }
        }
        command
            .args(&program.arguments)
            .envs(program.variables.iter().map(|(name, value)| (*name, value)))
            .env(PARENT, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Ctrl-C of the terminal is for this process, which stops the others in their order.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|source| SystemError::Start { name: program.name.clone(), source })?;
        let last = LastLines::default();
        let mut readers = JoinSet::new();
        let streams: [Option<Box<dyn AsyncRead + Send + Unpin>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        for stream in streams.into_iter().flatten() {
            readers.spawn(output.clone().forward(program.name.clone(), BufReader::new(stream), last.clone()));
        }
        Ok(Self { input: child.stdin.take(), child, output: readers, last, ends_with_input: program.ends_with_input })
    }

    /// Returns the process id.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the process has ended.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Returns the last lines of a process that has ended, or of one that is not ready.
    pub(super) async fn last_lines(&mut self) -> Vec<String> {
        let all = async { while self.output.join_next().await.is_some() {} };
        // A child of the process may have its output open.
        let _ = timeout(LAST_OUTPUT, all).await;
        self.last.take()
    }

    /// Asks the process to end.
    pub(super) fn terminate(&mut self) {
        #[cfg(unix)]
        if !self.ends_with_input {
            use nix::{
                sys::signal::{Signal, kill},
                unistd::Pid,
            };
            // The id is that of the process until its end is read.
            if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
                let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
            }
        }
        self.input = None;
    }

    /// Kills the process, and waits until it has ended.
    pub(super) async fn kill(&mut self) {
        // It fails if the process has just ended.
        let _ = self.child.kill().await;
    }
}
