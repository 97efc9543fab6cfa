//! Command line of the programs.

mod approvals;
mod args;
mod chat;
mod conversation;
mod hosts;
mod identity;
#[cfg(feature = "serve")]
mod listen;
mod session;
mod system;
mod telemetry;
mod terminal;
mod turn;

use std::{ffi::OsString, iter, process::ExitCode};

use clap::Parser as _;

use args::{Args, Command};
use conversation::Conversation;
use system::System;
use telemetry::Telemetry;
use terminal::Terminal;
use turn::{Outcome, Output, turn, with_causes};

/// Exit code of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Runs the program of a command alone, such as `travel-mcp`.
pub async fn run_command(command: &str) -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next();
    run(program.into_iter().chain(iter::once(OsString::from(command))).chain(args)).await
}

/// Runs the program with these arguments, of which the first is its name.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match observed(Args::parse_from(args)).await {
        Ok(Outcome::Completed) => ExitCode::SUCCESS,
        Ok(Outcome::Waiting) => ExitCode::FAILURE,
        Ok(Outcome::Cancelled) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            // If stderr can't be written, there is nothing left to do.
            let _ = Terminal::standard().note(&with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn observed(args: Args) -> Result<Outcome, BoxError> {
    let telemetry = Telemetry::start()?;
    let outcome = dispatch(args, telemetry.clone()).await;
    telemetry.flush().await;
    outcome
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn dispatch(mut args: Args, telemetry: Telemetry) -> Result<Outcome, BoxError> {
    args.compiled_in()?;
    let command = args.command.take().or_else(|| Command::of_platform(args.prompt.is_some()));
    #[cfg(feature = "mcp")]
    if let Some(Command::Mcp(options)) = &command {
        return hosts::mcp(&args, options).await.map(|()| Outcome::Completed);
    }
    let system = System::new(args, telemetry).await?;
    match command {
        None | Some(Command::Chat) => hosts::chat(&system).await,
        Some(Command::Approval(command)) => command.run(&system).await,
        #[cfg(feature = "serve")]
        Some(Command::Serve(options)) => hosts::serve(&system, &options).await.map(|()| Outcome::Completed),
        #[cfg(feature = "agentcore")]
        Some(Command::Agentcore(options)) => hosts::agentcore(&system, &options).await.map(|()| Outcome::Completed),
        #[cfg(feature = "lambda")]
        Some(Command::Lambda) => hosts::lambda(&system).await.map(|()| Outcome::Completed),
        #[cfg(feature = "mcp")]
        Some(Command::Mcp(options)) => hosts::mcp(&system.args, &options).await.map(|()| Outcome::Completed),
    }
}
