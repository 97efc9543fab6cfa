//! `travel-agent`: the corporate travel agent on the command line.

mod cli;

use std::{error::Error, process::ExitCode, sync::Arc};

use clap::Parser;
use cli::{Args, Outcome, Terminal};
use strands::{
    Agent,
    models::{ModelIdError, from_id},
};
use travel_agent::{agent::travel_agent, offline::offline_model};

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
    let (traveller, assumed) = args.traveller(&store)?;
    let mut terminal = Terminal::standard();
    if assumed || args.prompt.is_none() {
        let hint = if assumed { " (choose another employee with --user)" } else { "" };
        terminal.note(&format!(
            "Travelling as {}, {}, from {}{hint}",
            traveller.name, traveller.department, traveller.home
        ))?;
    }
    let builder = match args.model.as_deref().filter(|id| !id.is_empty()) {
        None | Some("offline") => {
            if args.prompt.is_none() {
                terminal.note("Using rules instead of a language model; choose a model with --model")?;
            }
            travel_agent(offline_model(), traveller, store, args.clock())
        }
        Some(id) => {
            let model = from_id(id).await.map_err(explained)?;
            travel_agent(model, traveller, store, args.clock())
        }
    };
    let builder = match args.session.open().await? {
        Some(session) => builder.session_manager(session),
        None => builder,
    };
    #[cfg(feature = "mcp")]
    let builder = builder.tool_providers(args.mcp.clients()?);
    let mut agent = builder.build().await?;
    let code = match &args.prompt {
        Some(prompt) => once(&mut agent, prompt, &mut terminal).await?,
        None => {
            cli::chat(&mut agent).await?;
            ExitCode::SUCCESS
        }
    };
    if args.metrics {
        terminal.data(&format!("{:#}", agent.metrics().summary().to_json()))?;
    }
    Ok(code)
}

async fn once<O: std::io::Write, E: std::io::Write>(
    agent: &mut Agent,
    prompt: &str,
    terminal: &mut Terminal<O, E>,
) -> Result<ExitCode, Box<dyn Error>> {
    Ok(match cli::turn(agent, prompt, terminal).await?? {
        Outcome::Completed => ExitCode::SUCCESS,
        Outcome::Cancelled => ExitCode::from(INTERRUPTED),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_feature_of_a_model_that_is_not_compiled_in() {
        let off = ModelIdError::FeatureOff { id: "bedrock/amazon.nova-lite-v1:0".into(), feature: "bedrock" };
        assert!(explained(off).to_string().contains("cargo run -p travel-agent --features bedrock --"));
    }
}
