//! Command-line arguments. Each has a variable of the environment, for deployments.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Parser, Subcommand};
use jiff::civil::Date;
use strands::identity::{Audit, JsonLinesAudit};

#[cfg(feature = "agentcore")]
use super::listen::ListenArgs;
#[cfg(feature = "serve")]
use super::listen::ServeArgs;
use super::{BoxError, Output, Terminal, approvals::ApprovalCommand, identity::IdentityArgs, session::SessionArgs};
use crate::{clock::Clock, error::TravelError, store::Store, trip::Traveller};

/// AcmeCorp's travel agent: plans and books business trips within company policy.
///
/// With a prompt it replies once. Without one it starts a chat: Ctrl-C cancels a reply, Ctrl-D ends the chat.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = false)]
pub(crate) struct Args {
    /// Your request, e.g. "Book me a trip to New York next Monday".
    pub(crate) prompt: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The model, e.g. "bedrock/<model id>". By default the offline model: rules, without an API key or a network.
    #[arg(long, global = true, value_name = "ID", env = "STRANDS_MODEL")]
    pub(super) model: Option<String>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    /// The database, created on first use: a file, or `s3://bucket/key`. By default a file in the user's data folder.
    #[arg(long, global = true, value_name = "FILE|URL", env = "TRAVEL_DB")]
    db: Option<String>,

    /// The delay before each word of the offline model, in milliseconds, so that streaming is visible.
    #[arg(long, global = true, value_name = "MS", env = "TRAVEL_PACE_MS", default_value_t = 0)]
    pub(super) pace: u16,

    /// Use this date as today, for reproducible demonstrations.
    #[arg(long, global = true, value_name = "YYYY-MM-DD")]
    today: Option<Date>,

    /// Append a record of each decision to this file, as JSON lines.
    #[arg(long, global = true, value_name = "FILE", env = "TRAVEL_AUDIT")]
    audit: Option<PathBuf>,

    /// The URL of the MCP server of the travel desk, such as http://127.0.0.1:8081/mcp. By default the database in this process.
    #[cfg(feature = "mcp")]
    #[arg(long = "desk", global = true, value_name = "URL", env = "TRAVEL_DESK_URL")]
    pub(super) desk_url: Option<String>,

    #[command(flatten)]
    pub(crate) session: SessionArgs,

    /// The model's prices of a million input and output tokens in US dollars, such as 1,5, from which the page computes costs.
    #[cfg(feature = "serve")]
    #[arg(long, global = true, value_name = "INPUT,OUTPUT", env = "TRAVEL_PRICE", value_delimiter = ',')]
    pub(super) price: Vec<f64>,

    /// A planner that uses a policy agent and a booking agent, instead of one agent with all tools.
    #[arg(long, global = true, env = "TRAVEL_TEAM")]
    pub(super) team: bool,

    /// Print the metrics summary as JSON after each turn.
    #[arg(long)]
    metrics: bool,

    /// Print each event of a turn as a line of JSON, instead of the text.
    #[arg(long)]
    events: bool,
}

/// Commands besides a prompt.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Chat in the terminal. It is the default without a prompt.
    Chat,
    #[command(flatten)]
    Approval(ApprovalCommand),
    /// Serve the agent on HTTP.
    #[cfg(feature = "serve")]
    Serve(ServeArgs),
    /// Serve the agent on Amazon Bedrock AgentCore Runtime.
    #[cfg(feature = "agentcore")]
    Agentcore(ListenArgs),
    /// Serve the agent to a Restate server: its turns survive crashes of this process. The sessions are in Restate.
    #[cfg(feature = "durable")]
    Durable(super::durable::DurableArgs),
    /// Run the agent as a function on AWS Lambda. It is the default there.
    #[cfg(feature = "lambda")]
    Lambda,
    /// Check that a host of this machine lives, for containers.
    #[cfg(feature = "mcp")]
    Health {
        /// The address of the host.
        #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
        address: String,
    },
    /// Serve the travel desk as an MCP server; on Lambda as a function, and as the authorizer of its API with the handler
    /// `authorizer`. Its tokens are those of the agent, with the secret in TRAVEL_DESK_SECRET.
    #[cfg(feature = "mcp")]
    Mcp(super::listen::McpArgs),
    /// Serve an OpenID Connect issuer for development. Its passwords are public.
    #[cfg(feature = "auth")]
    Auth(crate::auth::AuthArgs),
    /// Run the whole system on this machine: issuer, travel desk, agent and page.
    #[cfg(feature = "system")]
    Up(crate::system::UpArgs),
}

impl Command {
    /// Returns the command of a process without a prompt and a command: on Lambda, that of a function.
    pub(super) fn of_platform(has_prompt: bool) -> Option<Self> {
        #[cfg(feature = "lambda")]
        if !has_prompt && super::hosts::is_on_lambda() {
            return Some(Self::Lambda);
        }
        let _ = has_prompt;
        None
    }
}

impl Args {
    pub(crate) fn clock(&self) -> Clock {
        self.today.map_or(Clock::System, Clock::Fixed)
    }

    /// Opens the database.
    pub(crate) async fn store(&self) -> Result<Store, TravelError> {
        match (self.db.as_deref().filter(|db| !db.is_empty()), data_file("travel.sqlite3")) {
            (Some(db), _) => Store::at(db, self.session.s3_endpoint()).await,
            (None, Some(file)) => Store::open(&file),
            (None, None) => Err(TravelError::Open {
                location: "travel.sqlite3".to_owned(),
                reason: "this system has no folder for user data; choose a file with --db".to_owned(),
            }),
        }
    }

    /// Returns the audit: the file, or `tracing`.
    pub(crate) fn audit(&self) -> Result<Audit, BoxError> {
        Ok(match &self.audit {
            Some(file) => Audit::new(JsonLinesAudit::open(file)?),
            None => Audit::default(),
        })
    }

    /// Returns an error if the prompt is the name of a command that is not compiled in.
    pub(crate) fn compiled_in(&self) -> Result<(), String> {
        let hosts = [
            ("serve", cfg!(feature = "serve")),
            ("agentcore", cfg!(feature = "agentcore")),
            ("durable", cfg!(feature = "durable")),
            ("lambda", cfg!(feature = "lambda")),
            ("mcp", cfg!(feature = "mcp")),
            ("auth", cfg!(feature = "auth")),
            ("up", cfg!(feature = "system")),
        ];
        match hosts.iter().find(|(host, is_on)| !is_on && self.prompt.as_deref() == Some(*host)) {
            Some((host, _)) => Err(format!(
                "`{host}` is not compiled in: start with `cargo run -p travel-agent --features {host} -- {host}`"
            )),
            None => Ok(()),
        }
    }

    /// Returns true if the rules stand in for a language model.
    pub(crate) fn is_offline(&self) -> bool {
        self.model.as_deref().is_none_or(|id| id.is_empty() || id == "offline")
    }

    /// Returns the provider of the model: the part of its id before the slash.
    #[cfg(feature = "serve")]
    pub(crate) fn provider(&self) -> &str {
        self.model.as_deref().and_then(|id| id.split('/').next()).unwrap_or_default()
    }

    /// Says who travels, and who replies.
    pub(crate) fn greet(
        &self,
        traveller: &Traveller,
        terminal: &mut Terminal<impl Write, impl Write>,
    ) -> io::Result<()> {
        if self.identity.is_default() || self.prompt.is_none() {
            let hint = if self.identity.is_default() { " (choose another employee with --user)" } else { "" };
            terminal.note(&format!("Travelling as {traveller}{hint}"))?;
        }
        if self.prompt.is_none() && self.is_offline() {
            terminal.note("Using rules instead of a language model; choose a model with --model")?;
        }
        Ok(())
    }

    /// Returns the options that the processes of the whole system share.
    #[cfg(feature = "system")]
    pub(super) fn shared(&self) -> crate::system::Shared {
        crate::system::Shared { model: self.model.clone(), today: self.today }
    }

    /// Returns the form of the output.
    pub(crate) fn output(&self) -> Output {
        Output { events: self.events, metrics: self.metrics, is_stored: self.session.is_chosen() }
    }
}

/// Returns the path of a file in this program's data folder.
pub(crate) fn data_file(name: &str) -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("strands-travel-agent").join(name))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
