//! Command-line arguments.

use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};

use clap::{Parser, Subcommand};
use jiff::civil::Date;
use strands::{
    identity::{Audit, JsonLinesAudit},
    models::{ModelIdError, from_id},
};
use travel_agent::{
    agent::TravelAgent, clock::Clock, error::TravelError, offline::paced_model, services::Services, store::Store,
};

#[cfg(feature = "serve")]
use super::hosts::HostCommand;
#[cfg(feature = "mcp")]
use super::mcp::McpArgs;
use super::{Output, approvals::ApprovalCommand, identity::IdentityArgs, session::SessionArgs};

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
    model: Option<String>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    /// The database, created on first use: a file, or `s3://bucket/key`. By default a file in the user's data folder.
    #[arg(long, global = true, value_name = "FILE|URL", env = "TRAVEL_DB")]
    db: Option<String>,

    /// The delay before each word of the offline model, in milliseconds, so that streaming is visible.
    #[arg(long, global = true, value_name = "MS", env = "TRAVEL_PACE_MS", default_value_t = 0)]
    pace: u16,

    /// Use this date as today, for reproducible demonstrations.
    #[arg(long, global = true, value_name = "YYYY-MM-DD")]
    today: Option<Date>,

    #[command(flatten)]
    pub(crate) session: SessionArgs,

    /// Append a record of each decision to this file, as JSON lines.
    #[arg(long, global = true, value_name = "FILE", env = "TRAVEL_AUDIT")]
    audit: Option<PathBuf>,

    #[cfg(feature = "mcp")]
    #[command(flatten)]
    pub(crate) mcp: McpArgs,

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
    #[command(flatten)]
    Approval(ApprovalCommand),
    #[cfg(feature = "serve")]
    #[command(flatten)]
    Host(HostCommand),
}

impl Args {
    pub(crate) fn clock(&self) -> Clock {
        self.today.map_or(Clock::System, Clock::Fixed)
    }

    pub(crate) async fn store(&self) -> Result<Store, TravelError> {
        match (&self.db, data_file("travel.sqlite3")) {
            (Some(db), _) => Store::at(db, self.session.s3_endpoint()).await,
            (None, Some(file)) => Store::open(&file),
            (None, None) => Err(TravelError::Open {
                location: "travel.sqlite3".to_owned(),
                reason: "this system has no folder for user data; choose a file with --db".to_owned(),
            }),
        }
    }

    /// Returns an error if the prompt is the name of a host that is not compiled in.
    pub(crate) fn compiled_in(&self) -> Result<(), String> {
        let is_off = |host: &str| match host {
            "serve" => !cfg!(feature = "serve"),
            "agentcore" => !cfg!(feature = "agentcore"),
            "lambda" => !cfg!(feature = "lambda"),
            _ => false,
        };
        match self.prompt.as_deref() {
            Some(host) if is_off(host) => Err(format!(
                "`{host}` is not compiled in: start with `cargo run -p travel-agent --features {host} -- {host}`"
            )),
            _ => Ok(()),
        }
    }

    /// Returns the audit: the file, or `tracing`.
    pub(crate) fn audit(&self) -> Result<Audit, Box<dyn Error>> {
        Ok(match &self.audit {
            Some(file) => Audit::new(JsonLinesAudit::open(file)?),
            None => Audit::default(),
        })
    }

    /// Returns true if the rules stand in for a language model.
    pub(crate) fn is_offline(&self) -> bool {
        self.model.as_deref().is_none_or(|id| id.is_empty() || id == "offline")
    }

    /// Returns the form of the output.
    pub(crate) fn output(&self) -> Output {
        Output { events: self.events, metrics: self.metrics, is_stored: self.session.is_chosen() }
    }

    /// Returns the agent, with the model and the tools that the options choose.
    pub(crate) async fn agent(&self, store: Arc<Store>, audit: Audit) -> Result<TravelAgent, Box<dyn Error>> {
        let clock = self.clock();
        let agent = match self.model.as_deref() {
            Some(id) if !self.is_offline() => {
                TravelAgent::new(from_id(id).await.map_err(explained)?, store, clock, audit)?
            }
            _ => {
                let pace = Duration::from_millis(self.pace.into());
                TravelAgent::new(paced_model(pace), store, clock, audit)?
            }
        };
        let agent = agent.services(Services::from_env().await.map_err(|error| -> Box<dyn Error> { error })?);
        #[cfg(feature = "mcp")]
        let agent = agent.tool_providers(self.mcp.clients()?);
        Ok(agent)
    }
}

/// Replaces the hint about `Cargo.toml` by one about this program's features.
fn explained(error: ModelIdError) -> Box<dyn Error> {
    match error {
        ModelIdError::FeatureOff { id, feature } => {
            format!("`{id}` is not compiled in: start with `cargo run -p travel-agent --features {feature} --`").into()
        }
        other => other.into(),
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

    #[test]
    fn names_the_feature_of_a_model_that_is_not_compiled_in() {
        let off = ModelIdError::FeatureOff { id: "bedrock/amazon.nova-lite-v1:0".into(), feature: "bedrock" };
        assert!(explained(off).to_string().contains("cargo run -p travel-agent --features bedrock --"));
    }
}
