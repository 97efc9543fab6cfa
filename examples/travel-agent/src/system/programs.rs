//! Programs of the system: their arguments and their environment.

use std::{
    env,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    slice,
    time::Duration,
};

use super::{SystemError, args::Shared, args::UpArgs, folder::DataFolder, ports::Ports, process::Program, restate, s3};
use crate::auth::{AUDIENCE, CLIENT_ID};

/// Time that requests have to finish, in seconds; and that of a process to end, which is longer.
const DRAIN: u64 = 5;
const GRACE: Duration = Duration::from_secs(DRAIN + 3);

/// Variable with the time between two words of the offline model, in milliseconds.
const PACE: &str = "TRAVEL_PACE_MS";

/// The part of a process in the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// S3 server.
    S3,
    /// Issuer of the users' tokens.
    Auth,
    /// MCP server of the travel desk.
    Mcp,
    /// The agent and its page; the number counts from 1.
    Agent(u8),
    /// The agent for the Restate server.
    Durable,
    /// Restate server.
    Restate,
}

impl Role {
    /// Returns the name of the process.
    pub(super) fn name(self) -> String {
        match self {
            Self::S3 => s3::NAME.to_owned(),
            Self::Auth => "auth".to_owned(),
            Self::Mcp => "mcp".to_owned(),
            Self::Agent(number) => format!("serve-{number}"),
            Self::Durable => "durable".to_owned(),
            Self::Restate => restate::NAME.to_owned(),
        }
    }

    /// Returns the rank in the order of stopping.
    pub(super) fn stop_rank(self) -> u8 {
        match self {
            Self::Agent(_) | Self::Durable | Self::Restate => 0,
            Self::Auth | Self::Mcp => 1,
            Self::S3 => 2,
        }
    }
}

/// The storage of sessions and bookings.
#[derive(Debug)]
pub(super) enum Storage {
    Files,
    /// An S3 server of this system, in this Python.
    Moto(PathBuf),
    /// An S3 server that runs already, by its URLs for the agent and for the travel desk.
    Server {
        agent: String,
        desk: String,
    },
}

/// Choices of the user.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) storage: Storage,
    /// The program of the Restate server.
    pub(super) restate: Option<PathBuf>,
}

/// The durable agent and its server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Durable {
    pub(super) restate: restate::Addresses,
    pub(super) agent: SocketAddr,
}

/// The programs with their roles.
pub(super) struct Programs {
    programs: Vec<(Role, Program)>,
    durable: Option<Durable>,
}

type Variables = Vec<(&'static str, OsString)>;

impl Programs {
    pub(super) async fn new(
        args: &UpArgs,
        shared: &Shared,
        folder: &DataFolder,
        ports: &mut Ports,
        parts: Parts,
    ) -> Result<Self, SystemError> {
        let executable = env::current_exe().map_err(|source| SystemError::Start { name: "up".to_owned(), source })?;
        let mut programs = Vec::new();
        let s3_urls = match parts.storage {
            Storage::Files => None,
            Storage::Moto(python) => {
                let address = ports.address(&Role::S3.name()).await?;
                programs.push((Role::S3, s3::program(python, address, &folder.inner("s3")?)));
                let url = format!("http://{address}");
                Some((url.clone(), url))
            }
            Storage::Server { agent, desk } => Some((agent, desk)),
        };
        let ours = |role: Role, address: SocketAddr, command: &str, ready, arguments: Vec<OsString>, variables| {
            let mut all: Vec<OsString> = vec![command.into(), "--listen".into(), address.to_string().into()];
            all.extend(arguments);
            let (name, executable) = (role.name(), executable.clone());
            let grace = GRACE;
            (
                role,
                Program { name, executable, arguments: all, variables, address, ready, grace, ends_with_input: false },
            )
        };

        let auth = ports.address(&Role::Auth.name()).await?;
        let arguments = vec![
            "--data".into(),
            folder.inner("auth")?.into(),
            "--token-lifetime".into(),
            args.token_lifetime.to_string().into(),
            "--users".into(),
            args.users.to_string().into(),
        ];
        programs.push(ours(Role::Auth, auth, "auth", Some("/healthz"), arguments, Variables::new()));

        let today: Vec<OsString> =
            shared.today.map(|today| ["--today".into(), today.to_string().into()]).into_iter().flatten().collect();
        let audits = folder.inner("audit")?;
        let secret = folder.desk_secret()?;
        let of_desk = |role: Role| {
            let mut variables: Variables = vec![
                ("TRAVEL_DESK_SECRET", secret.clone().into()),
                ("TRAVEL_DRAIN_TIMEOUT", DRAIN.to_string().into()),
                ("TRAVEL_AUDIT", audits.join(format!("{}.jsonl", role.name())).into()),
            ];
            if let Some((agent, desk)) = &s3_urls {
                variables.extend(s3::variables(if role == Role::Mcp { desk } else { agent }, shared));
            }
            variables
        };
        let mcp = ports.address(&Role::Mcp.name()).await?;
        let mut variables = of_desk(Role::Mcp);
        variables.push(("TRAVEL_DB", database(folder.path(), s3_urls.is_some())));
        service_name(&mut variables, "travel-mcp");
        programs.push(ours(Role::Mcp, mcp, "mcp", Some("/healthz"), today.clone(), variables));

        let of_agent = |role: Role, service: &str| {
            let mut variables = of_desk(role);
            variables.extend([
                ("TRAVEL_DESK_URL", format!("http://{mcp}/mcp").into()),
                ("STRANDS_MODEL", shared.model.clone().unwrap_or_default().into()),
            ]);
            // The offline model replies at once; the page shows how it streams.
            if env::var_os(PACE).is_none() {
                variables.push((PACE, "20".into()));
            }
            service_name(&mut variables, service);
            variables
        };
        let sessions = folder.inner("sessions")?;
        for number in 1..=args.serve {
            let role = Role::Agent(number);
            let address = ports.address(&role.name()).await?;
            let mut variables = of_agent(role, "travel-agent");
            variables.extend([
                ("TRAVEL_ISSUER", format!("http://{auth}").into()),
                ("TRAVEL_JWKS", format!("http://{auth}/jwks.json").into()),
                ("TRAVEL_AUDIENCE", AUDIENCE.into()),
                ("TRAVEL_CLIENT_ID", CLIENT_ID.into()),
            ]);
            match s3_urls {
                Some(_) => variables.push(("TRAVEL_S3_BUCKET", s3::BUCKET.into())),
                None => variables.push(("TRAVEL_SESSION_DIR", sessions.clone().into())),
            }
            programs.push(ours(role, address, "serve", Some("/readyz"), today.clone(), variables));
        }

        let mut durable = None;
        if let Some(server) = parts.restate {
            let restate = restate::Addresses::new(ports).await?;
            programs.push((Role::Restate, restate::program(server, restate, &folder.inner("restate")?)));
            let (role, agent) = (Role::Durable, ports.address(&Role::Durable.name()).await?);
            programs.push(ours(role, agent, "durable", None, today, of_agent(role, "travel-durable")));
            durable = Some(Durable { restate, agent });
        }
        Ok(Self { programs, durable })
    }

    pub(super) fn iter(&self) -> slice::Iter<'_, (Role, Program)> {
        self.programs.iter()
    }

    /// Returns the addresses of the durable agent and its server.
    pub(super) fn durable(&self) -> Option<Durable> {
        self.durable
    }

    /// Returns the addresses of processes, by a filter of their roles.
    pub(super) fn addresses(&self, of: impl Fn(Role) -> bool) -> impl Iterator<Item = SocketAddr> {
        self.iter().filter(move |(role, _)| of(*role)).map(|(_, program)| program.address)
    }
}

/// Returns the place of the desk's database.
fn database(folder: &Path, on_s3: bool) -> OsString {
    if on_s3 { s3::DATABASE.into() } else { folder.join("travel.sqlite3").into() }
}

/// Names a process in traces, unless the user does.
fn service_name(variables: &mut Variables, name: &str) {
    if env::var_os("OTEL_SERVICE_NAME").is_none() {
        variables.push(("OTEL_SERVICE_NAME", name.into()));
    }
}
