//! Servers as child processes: the command, its environment, and the transport over the pipes of the child.
//!
//! A transport of our own instead of rmcp's `TokioChildProcess`: that one kills in a spawned task, its close waits for a
//! write that never ends, and a line that is too long is dropped, so that its call waits for its timeout.

mod child;
mod input;
mod line_reader;
mod message;
mod restarts;
mod stderr;
#[cfg(test)]
mod tests;
mod transport;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Stdio;
use std::{env, fmt, io};

use process_wrap::tokio::{CommandWrap, KillOnDrop};
use tokio::runtime::Handle;

pub(crate) use self::child::{ChildEnd, ChildHandle};
pub(crate) use self::restarts::{StartError, StdioServer};
pub(crate) use self::transport::ChildTransport;

/// Default limit of one line that a server writes to its stdout, in bytes: 16 MiB.
pub(crate) const MAX_LINE: usize = 16 * 1024 * 1024;

/// Variables that a child gets from the environment of this process: those that the official SDKs pass.
///
/// All others are withheld, because a program's environment holds credentials: the program
/// names the ones that a server needs.
#[cfg(not(windows))]
const BASIC_VARIABLES: &[&str] = &["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"];
#[cfg(windows)]
const BASIC_VARIABLES: &[&str] = &[
    "APPDATA",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATH",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "USERNAME",
    "USERPROFILE",
];

/// Variables of this process's environment that a child inherits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum InheritedEnv {
    /// The variables that programs need to start: `PATH`, `HOME` and a few more.
    #[default]
    Basic,
    /// All variables, credentials included.
    All,
}

/// Command that starts a server.
#[derive(Clone)]
pub(crate) struct StdioCommand {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// Variables of the child, added to the inherited ones and instead of those of the same name.
    pub(crate) env: BTreeMap<OsString, OsString>,
    pub(crate) inherited_env: InheritedEnv,
    pub(crate) current_dir: Option<PathBuf>,
    /// Limit of one line on the child's stdout, in bytes. A longer one ends the connection.
    pub(crate) max_line: usize,
}

impl StdioCommand {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            inherited_env: InheritedEnv::default(),
            current_dir: None,
            max_line: MAX_LINE,
        }
    }

    /// Starts the child in a process group of its own.
    ///
    /// The group is killed when either of the returned values is dropped. If this process is killed, the child notices
    /// that its stdin is closed: to kill it with this process takes `prctl` between fork and exec, which is unsafe code.
    pub(crate) fn spawn(&self, server: &str) -> io::Result<(ChildTransport, ChildHandle)> {
        if Handle::try_current().is_err() {
            return Err(io::Error::other("an MCP server as a child process needs a tokio runtime"));
        }
        let mut command = CommandWrap::with_new(&self.program, |command| {
            command.args(&self.args).env_clear().envs(self.inherited()).envs(&self.env);
            if let Some(dir) = &self.current_dir {
                command.current_dir(dir);
            }
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessGroup::leader());
        command.wrap(KillOnDrop);
        let child = command.spawn().map_err(|error| self.start_error(&error))?;
        ChildTransport::new(child, server, self.max_line)
    }

    fn inherited(&self) -> Vec<(OsString, OsString)> {
        match self.inherited_env {
            InheritedEnv::All => env::vars_os().collect(),
            InheritedEnv::Basic => BASIC_VARIABLES
                .iter()
                .filter_map(|name| Some((OsString::from(name), env::var_os(name)?)))
                .filter(|(_, value)| !is_shell_function(value))
                .collect(),
        }
    }

    fn start_error(&self, error: &io::Error) -> io::Error {
        let program = self.program.to_string_lossy();
        let place = match &self.current_dir {
            Some(dir) => format!(" in `{}`", dir.display()),
            None => String::new(),
        };
        io::Error::new(error.kind(), format!("failed to start `{program}`{place}: {error}"))
    }
}

/// Values of this form are functions that old shells export, and would be executed by a shell.
fn is_shell_function(value: &OsStr) -> bool {
    value.as_encoded_bytes().starts_with(b"()")
}

/// Arguments and values of variables may be secrets.
impl fmt::Debug for StdioCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioCommand")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.env.keys())
            .field("inherited_env", &self.inherited_env)
            .field("current_dir", &self.current_dir)
            .field("max_line", &self.max_line)
            .finish()
    }
}
