//! `travel-agent`: the corporate travel agent on the command line, and on its hosts.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    travel_agent::cli::run(std::env::args_os()).await
}
