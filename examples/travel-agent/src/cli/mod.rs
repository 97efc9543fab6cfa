//! Command line of the programs.

mod approvals;
mod args;
mod chat;
mod conversation;
#[cfg(feature = "durable")]
mod durable;
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
    #[cfg(feature = "system")]
    crate::system::end_with_parent();
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
    match command {
        None | Some(Command::Chat) => hosts::chat(&System::new(args, telemetry).await?).await,
        Some(Command::Approval(command)) => command.run(&System::new(args, telemetry).await?).await,
        #[cfg(feature = "serve")]
        Some(Command::Serve(options)) => done(hosts::serve(&System::new(args, telemetry).await?, &options).await),
        #[cfg(feature = "agentcore")]
        Some(Command::Agentcore(options)) => {
            done(hosts::agentcore(&System::new(args, telemetry).await?, &options).await)
        }
        #[cfg(feature = "durable")]
        Some(Command::Durable(options)) => done(durable::durable(&System::new(args, telemetry).await?, &options).await),
        #[cfg(feature = "lambda")]
        Some(Command::Lambda) => done(hosts::lambda(&System::new(args, telemetry).await?).await),
        #[cfg(feature = "mcp")]
        Some(Command::Mcp(options)) => done(hosts::mcp(&args, &options).await),
        #[cfg(feature = "mcp")]
        Some(Command::Health { address }) => done(hosts::health(&address)),
        #[cfg(feature = "auth")]
        Some(Command::Auth(options)) => done(options.run().await),
        #[cfg(feature = "system")]
        Some(Command::Up(options)) => done(options.run(&args.shared()).await),
    }
}

#[cfg(feature = "serve")]
fn done<E: Into<BoxError>>(result: Result<(), E>) -> Result<Outcome, BoxError> {
    result.map(|()| Outcome::Completed).map_err(Into::into)
}
