//! Command-line arguments.

use std::path::PathBuf;

use clap::Parser;
use jiff::civil::Date;
use travel_agent::{clock::Clock, error::TravelError, store::Store, trip::Traveller};

#[cfg(feature = "mcp")]
use super::mcp::McpArgs;
use super::session::SessionArgs;

/// The default traveller if `--user` is not given and the login name is not an employee's.
const DEMO_USER: &str = "ana";

/// AcmeCorp's travel agent: plans and books business trips within company policy.
///
/// With a prompt it replies once. Without one it starts a chat: Ctrl-C cancels a reply, Ctrl-D ends the chat.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Your request, e.g. "Book me a trip to New York next Monday".
    pub(crate) prompt: Option<String>,

    /// The model, e.g. "bedrock/<model id>". By default the offline model: rules, without an API key or a network.
    #[arg(long, value_name = "ID", env = "STRANDS_MODEL")]
    pub(crate) model: Option<String>,

    /// The traveller: the user name of an employee. By default the login name, or ana if that is not an employee's.
    #[arg(long, value_name = "NAME", env = "TRAVEL_USER")]
    user: Option<String>,

    /// The database file, created on first use. By default a file in the user's data folder.
    #[arg(long, value_name = "FILE", env = "TRAVEL_DB")]
    db: Option<PathBuf>,

    /// Use this date as today, for reproducible demonstrations.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,

    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[cfg(feature = "mcp")]
    #[command(flatten)]
    pub(crate) mcp: McpArgs,

    /// Print the metrics summary as JSON at the end.
    #[arg(long)]
    pub(crate) metrics: bool,
}

impl Args {
    pub(crate) fn clock(&self) -> Clock {
        self.today.map_or(Clock::System, Clock::Fixed)
    }

    pub(crate) fn store(&self) -> Result<Store, TravelError> {
        let path = self.db.clone().or_else(|| data_file("travel.sqlite3"));
        let path = path.ok_or_else(|| TravelError::Open {
            path: PathBuf::from("travel.sqlite3"),
            reason: "this system has no folder for user data; choose a file with --db".to_owned(),
        })?;
        Store::open(&path)
    }

    /// Returns the traveller, and true if it is the default.
    pub(crate) fn traveller(&self, store: &Store) -> Result<(Traveller, bool), TravelError> {
        if let Some(user) = &self.user {
            return Ok((store.traveller(user)?, false));
        }
        let login = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        match login.map(|login| store.traveller(&login)) {
            Some(Ok(traveller)) => Ok((traveller, false)),
            None | Some(Err(TravelError::UnknownUser { .. })) => Ok((store.traveller(DEMO_USER)?, true)),
            Some(Err(error)) => Err(error),
        }
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
