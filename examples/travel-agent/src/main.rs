//! `travel-agent`: the corporate travel agent on the command line.

mod cli;

use std::{error::Error, process::ExitCode, sync::Arc};

use clap::Parser;
use cli::{Args, Outcome, Terminal};
use strands::Agent;

/// Exit code of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // If stderr can't be written, there is nothing left to do.
            let _ = Terminal::standard().note(&cli::with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let store = Arc::new(args.store()?);
    let audit = args.audit()?;
    let (user, assumed) = args.identity.user(&store, &audit).await?;
    let mut terminal = Terminal::standard();
    if let Some(command) = &args.command {
        return Ok(exit_code(command.run(&args, &user.identity, (store, audit), &mut terminal).await?));
    }
    if assumed || args.prompt.is_none() {
        let hint = if assumed { " (choose another employee with --user)" } else { "" };
        let traveller = &user.traveller;
        terminal.note(&format!(
            "Travelling as {}, {}, from {}{hint}",
            traveller.name, traveller.department, traveller.home
        ))?;
    }
    if args.prompt.is_none() && args.is_offline() {
        terminal.note("Using rules instead of a language model; choose a model with --model")?;
    }
    let open = async || -> Result<Agent, Box<dyn Error>> {
        let mut builder = args.builder(user.clone(), Arc::clone(&store), audit.clone()).await?;
        if let Some(session) = args.session.open(&user.identity).await? {
            builder = builder.session_manager(session);
        }
        Ok(builder.build().await?)
    };
    let mut agent = open().await?;
    let outcome = match &args.prompt {
        Some(prompt) => cli::reply(&mut agent, prompt, &mut terminal).await??,
        None => {
            cli::chat(&mut agent, args.session.is_chosen().then_some(open)).await?;
            Outcome::Completed
        }
    };
    if args.metrics {
        terminal.data(&format!("{:#}", agent.metrics().summary().to_json()))?;
    }
    Ok(exit_code(outcome))
}

fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Completed => ExitCode::SUCCESS,
        Outcome::Waiting => ExitCode::FAILURE,
        Outcome::Cancelled => ExitCode::from(INTERRUPTED),
    }
}
