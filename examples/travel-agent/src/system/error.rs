//! Errors of the system.

use std::{io, path::PathBuf, process::ExitStatus};

/// An error of running the system.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// The system has no folder for user data.
    #[error("this system has no folder for user data; choose one with --data")]
    NoDataFolder,
    /// A file or folder of the data can't be used.
    #[error("{path} can't be used; choose another folder with --data")]
    Data {
        /// Its path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another system runs with the same data.
    #[error("another `up` runs with the data in {path}; stop it, or choose another folder with --data")]
    DataInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The chosen port is taken.
    #[error("port {port} is in use; end the program that listens on it, or choose another with --port")]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// There is no free port.
    #[error("no port is free")]
    NoPort {
        /// The error of the operating system.
        source: io::Error,
    },
    /// The durable agent is not compiled in.
    #[error(
        "`--durable` is not compiled in: start with `cargo run -p travel-agent --features system,durable -- up --durable`"
    )]
    DurableOff,
    /// There is no Restate server.
    #[error("no Restate server: {reason}; install npm, or name the program of a server with --restate-server")]
    NoRestateServer {
        /// The missing part.
        reason: String,
    },
    /// The Restate server does not accept the durable agent.
    #[error("the durable agent can't be registered with the Restate server: {reason}")]
    Registration {
        /// The response of the server, or why there is none.
        reason: String,
    },
    /// A process can't be started.
    #[error("{name} can't be started")]
    Start {
        /// The process.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A process ended before it was ready.
    #[error("{name} ended before it was ready ({status}){}", shown(output))]
    Ended {
        /// The process.
        name: String,
        /// Its exit status.
        status: ExitStatus,
        /// Its last lines.
        output: Vec<String>,
    },
    /// A process was not ready in time.
    #[error("{name} was not ready after {seconds} seconds{}", shown(output))]
    NotReady {
        /// The process.
        name: String,
        /// The time limit.
        seconds: u64,
        /// Its last lines.
        output: Vec<String>,
    },
    /// A process was restarted too often.
    #[error("{name} ended {times} times in a row before it was ready{}", shown(output))]
    KeepsFailing {
        /// The process.
        name: String,
        /// The number of starts.
        times: u32,
        /// Its last lines.
        output: Vec<String>,
    },
}

fn shown(output: &[String]) -> String {
    match output {
        [] => "; it wrote nothing".to_owned(),
        lines => format!("; its last lines:\n  {}", lines.join("\n  ")),
    }
}
