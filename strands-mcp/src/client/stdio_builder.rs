//! Settings of a server that is started as a child process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::builder::{McpClientBuilder, Transport, sealed};
use super::connection::Connector;
use super::error::McpError;
use super::stdio::{ChildHandle, ChildTransport, InheritedEnv, RestartLimit, StdioCommand, TooManyStarts};

const RESTARTS_PER_MINUTE: usize = 5;

/// Settings of a server that is started as a child process, for [`McpClientBuilder`].
pub struct Stdio {
    command: StdioCommand,
    restarts: usize,
}

/// A server that is started as a child process.
pub(super) struct StdioServer {
    pub(super) command: StdioCommand,
    pub(super) restarts: RestartLimit,
}

impl StdioServer {
    /// Starts the child, unless it was started too often.
    pub(super) fn spawn(&self, server: &str) -> Result<(ChildTransport, ChildHandle), McpError> {
        let refused =
            |reason: TooManyStarts| McpError::TooManyRestarts { server: server.to_owned(), reason: reason.to_string() };
        self.restarts.start().map_err(refused)?;
        let failed = |source: std::io::Error| McpError::Connect {
            server: server.to_owned(),
            output: String::new(),
            source: source.into(),
        };
        self.command.spawn(server).map_err(failed)
    }
}

impl Stdio {
    pub(super) fn new(program: OsString) -> Self {
        Self { command: StdioCommand::new(program), restarts: RESTARTS_PER_MINUTE }
    }
}

impl McpClientBuilder<Stdio> {
    /// Adds an argument of the program.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.transport.command.args.push(arg.into());
        self
    }

    /// Adds arguments of the program.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.transport.command.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable of the child.
    ///
    /// Of this process's environment, a child gets only `HOME`, `PATH` and a few more that programs need to start, because the
    /// others may be credentials.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.transport.command.env.insert(name.into(), value.into());
        self
    }

    /// Passes the whole environment of this process to the child, with its credentials.
    pub fn inherit_env(mut self) -> Self {
        self.transport.command.inherited_env = InheritedEnv::All;
        self
    }

    /// Sets the working directory of the child. Default: that of this process.
    pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.transport.command.current_dir = Some(dir.into());
        self
    }

    /// Sets how often the child may be started in one minute. Default: 5.
    pub fn restarts_per_minute(mut self, times: usize) -> Self {
        self.transport.restarts = times;
        self
    }
}

impl Transport for Stdio {}

impl sealed::Transport for Stdio {
    fn default_name(&self) -> String {
        let program = Path::new(&self.command.program);
        program.file_stem().unwrap_or(&self.command.program).to_string_lossy().into_owned()
    }

    fn connector(mut self, server: &str, most_bytes: usize) -> Result<Connector, McpError> {
        if self.restarts == 0 {
            let reason = "the child must be allowed to start once a minute at least".to_owned();
            return Err(McpError::Setting { server: server.to_owned(), reason });
        }
        self.command.max_line = most_bytes;
        Ok(Connector::Stdio(StdioServer { command: self.command, restarts: RestartLimit::new(self.restarts) }))
    }
}
