//! Command line of the system.

use std::{path::PathBuf, pin::pin};

use clap::Args;
use jiff::civil::Date;
use strands::serve::stop_signal;

use super::{
    SystemError,
    children::Children,
    folder::DataFolder,
    output::Output,
    ports::Ports,
    programs::{Parts, Programs, Role, Storage},
    restate, s3,
    summary::Summary,
};

/// Options of the system.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// The number of agent processes. They share sessions and bookings.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(super) serve: u8,

    /// Store sessions and bookings in an S3 server on this machine, moto, instead of files. It needs Python; moto is installed
    /// with pip on first use.
    #[arg(long)]
    s3: bool,

    /// The Python of the S3 server. If it has moto, nothing is installed.
    #[arg(long, value_name = "PATH", env = "TRAVEL_PYTHON", default_value = "python3")]
    python: PathBuf,

    /// An S3 server that runs already, with a bucket `travel`, instead of moto. With two URLs separated by a comma, the second is for
    /// the travel desk.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    s3_server: Vec<String>,

    /// Also run the agent on a Restate server, so that its turns survive kills of its process. The server is installed with npm on
    /// first use.
    #[arg(long)]
    durable: bool,

    /// The program of a Restate server, instead of the one that npm installs.
    #[arg(long, value_name = "PATH", requires = "durable")]
    restate_server: Option<PathBuf>,

    /// The folder of all data. By default a folder in the user's data folder.
    #[arg(long, value_name = "DIR", env = "TRAVEL_DATA")]
    data: Option<PathBuf>,

    /// The port of the page. By default a free one, which is used again next time.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,

    /// The lifetime of access tokens, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(5..=86_400))]
    pub(super) token_lifetime: u32,

    /// Also has the users alice1 to aliceN, who are travelers, and bob1 to bobN, who are managers: for load tests.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(super) users: u16,

    /// Print one line of JSON with addresses and process ids when all is ready, and again after each restart.
    #[arg(long)]
    json: bool,
}

/// Options of the program that its processes share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// The model's id. None is the offline model.
    pub model: Option<String>,
    /// The date of today, for reproducible demonstrations.
    pub today: Option<Date>,
}

impl UpArgs {
    /// Runs the system until Ctrl-C or SIGTERM. A second signal kills its processes at once.
    ///
    /// # Errors
    ///
    /// Returns a [`SystemError`] if a process can't be started, is not ready in time, or fails again and again. All others are stopped
    /// then.
    pub async fn run(self, shared: &Shared) -> Result<(), SystemError> {
        let output = Output::start();
        let mut stop = pin!(stop_signal());
        let result = tokio::select! {
            result = self.prepared(shared, &output) => result,
            () = &mut stop => return Ok(()),
        };
        let (folder, programs, s3_skipped) = result?;
        let mut summary = Summary::new(&folder, &programs, shared, self.json);
        if let Some(reason) = s3_skipped {
            output.note(&reason);
            summary.s3_skipped = Some(reason);
        }
        let mut children = Children::start(&programs, &output);
        let ended = tokio::select! {
            ended = children.watch(&output, &summary, programs.durable()) => ended,
            () = &mut stop => Ok(()),
        };
        output.note("stopping; press Ctrl-C again to kill");
        tokio::select! {
            () = children.stop() => (),
            () = stop_signal() => children.kill().await,
        }
        output.finish();
        ended
    }

    /// Prepares all that the processes need.
    async fn prepared(
        &self,
        shared: &Shared,
        output: &Output,
    ) -> Result<(DataFolder, Programs, Option<String>), SystemError> {
        if self.durable && cfg!(not(feature = "durable")) {
            return Err(SystemError::DurableOff);
        }
        let folder = DataFolder::open(self.data.clone())?;
        let restate = match self.durable {
            true => Some(restate::server(self.restate_server.as_deref(), &folder, output).await?),
            false => None,
        };
        let (storage, skipped) = match self.s3_server.as_slice() {
            [agent, rest @ ..] => {
                let desk = rest.first().unwrap_or(agent).clone();
                (Storage::Server { agent: agent.clone(), desk }, None)
            }
            [] if self.s3 => match s3::python(&self.python, &folder, output).await {
                Ok(python) => (Storage::Moto(python), None),
                Err(reason) => {
                    let skipped = format!("no S3 server: {reason}; sessions and bookings are in files");
                    (Storage::Files, Some(skipped))
                }
            },
            [] => (Storage::Files, None),
        };
        let mut ports = Ports::load(&folder)?;
        if let Some(port) = self.port {
            ports.require(&Role::Agent(1).name(), port).await?;
        }
        let programs = Programs::new(self, shared, &folder, &mut ports, Parts { storage, restate }).await?;
        ports.store(&folder)?;
        Ok((folder, programs, skipped))
    }
}
