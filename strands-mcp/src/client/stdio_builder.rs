//! Settings of a server that is started as a child process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::builder::{McpClientBuilder, Transport, sealed};
use super::connection::Connector;
use super::error::McpError;
use super::stdio::{InheritedEnv, StdioCommand, StdioServer};

const RESTARTS_PER_MINUTE: usize = 5;

/// Settings of a server that is started as a child process, for [`McpClientBuilder`].
#[derive(Debug)]
pub struct Stdio {
    command: StdioCommand,
    restarts: usize,
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

    /// Sets how often the child may be started again in one minute. Default: 5.
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

    fn prepared(mut self, _server: &str, most_bytes: usize) -> Result<sealed::Prepared, McpError> {
        self.command.max_line = most_bytes;
        Ok(sealed::Prepared(Connector::Stdio(StdioServer::new(self.command, self.restarts))))
    }
}
