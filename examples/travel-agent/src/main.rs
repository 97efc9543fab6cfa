//! `travel-agent`: the corporate travel agent on the command line.

mod cli;

use std::{error::Error, process::ExitCode, sync::Arc};

use clap::Parser;
#[cfg(feature = "serve")]
use cli::HostCommand;
use cli::{Args, Command, Conversation, Outcome, Telemetry, Terminal};

/// Exit code of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    match observed(Args::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // If stderr can't be written, there is nothing left to do.
            let _ = Terminal::standard().note(&cli::with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn observed(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let telemetry = Telemetry::start()?;
    let code = run(args, &telemetry).await;
    telemetry.flush().await;
    code
}

async fn run(
    #[cfg_attr(not(feature = "serve"), expect(unused_mut, reason = "hosts change it"))] mut args: Args,
    telemetry: &Telemetry,
) -> Result<ExitCode, Box<dyn Error>> {
    args.compiled_in()?;
    let store = Arc::new(args.store().await?);
    let audit = args.audit()?;
    let (user, assumed) = args.identity.user(&store, &audit).await?;
    let mut terminal = Terminal::standard();
    let agent = args.agent(Arc::clone(&store), audit.clone()).await?;
    #[cfg(feature = "serve")]
    if let (None, None, Some(command)) = (&args.command, &args.prompt, HostCommand::of_platform()) {
        args.command = Some(Command::Host(command));
    }
    if let Some(command) = &args.command {
        let service = telemetry.observe(agent.service(args.session.store().await?)).build();
        return match command {
            Command::Approval(command) => {
                let outcome = command.run(&args, &user.identity, (&service, &store), &mut terminal).await?;
                Ok(exit_code(outcome))
            }
            #[cfg(feature = "serve")]
            Command::Host(command) => {
                command.run(&args, service, (&user.identity, &audit), telemetry, &mut terminal).await?;
                Ok(ExitCode::SUCCESS)
            }
        };
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
    let conversation = Conversation {
        service: telemetry.observe(agent.service(args.session.store_of_conversation().await?)).build(),
        identity: user.identity,
        session: args.session.choice(),
        output: args.output(),
    };
    let outcome = match &args.prompt {
        Some(prompt) => conversation.reply(prompt, &mut terminal).await??,
        None => {
            cli::chat(&conversation).await?;
            Outcome::Completed
        }
    };
    Ok(exit_code(outcome))
}

fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Completed => ExitCode::SUCCESS,
        Outcome::Waiting => ExitCode::FAILURE,
        Outcome::Cancelled => ExitCode::from(INTERRUPTED),
    }
}
