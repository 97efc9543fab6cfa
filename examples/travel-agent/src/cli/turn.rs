//! One turn of the conversation on the terminal, and its cancellation by Ctrl-C.

use std::{error::Error, io, pin::pin};

use futures_util::StreamExt;
use strands::{Agent, AgentError, AgentEvent, model::StopReason};
use tokio_util::sync::CancellationToken;

use super::Terminal;

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With an answer.
    Answered,
    /// By Ctrl-C.
    Cancelled,
}

/// Sends a prompt and shows what comes back. Ctrl-C cancels the turn, and only the turn.
///
/// The outer error is the terminal's, the inner one the agent's: after that one the conversation can go on.
pub(crate) async fn turn<O: io::Write, E: io::Write>(
    agent: &mut Agent,
    prompt: &str,
    terminal: &mut Terminal<O, E>,
) -> io::Result<Result<Outcome, AgentError>> {
    let token = CancellationToken::new();
    let mut events = pin!(agent.prompt(prompt).cancel_with(token.clone()).stream());
    // One listener for the whole turn: no signal falls between two.
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let mut outcome = Outcome::Answered;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = &mut interrupted, if !token.is_cancelled() => {
                token.cancel();
                continue;
            }
        };
        match event {
            None => break,
            Some(Err(error)) => {
                terminal.end_line()?;
                return Ok(Err(error));
            }
            Some(Ok(event)) => {
                if let AgentEvent::Result { response } = &event
                    && response.stop_reason == StopReason::Cancelled
                {
                    outcome = Outcome::Cancelled;
                }
                show(event, terminal)?;
            }
        }
    }
    if outcome == Outcome::Cancelled {
        terminal.note("(cancelled)")?;
    }
    terminal.end_line()?;
    Ok(Ok(outcome))
}

fn show<O: io::Write, E: io::Write>(event: AgentEvent, terminal: &mut Terminal<O, E>) -> io::Result<()> {
    match event {
        AgentEvent::TextDelta { text } => terminal.text(&text),
        AgentEvent::Redacted { assistant: Some(text), .. } => {
            terminal.end_line()?;
            terminal.text(&text)
        }
        AgentEvent::Retry { delay, error, discards_output, .. } => {
            let again = if discards_output { "the answer begins anew" } else { "trying again" };
            terminal.note(&format!("({error}; {again} in {:.1} s)", delay.as_secs_f64()))
        }
        AgentEvent::ToolStart { tool_use } => {
            terminal.call_starts(&tool_use.tool_use_id, &tool_use.name, &tool_use.input)
        }
        AgentEvent::ToolEnd { tool_use, result, duration } => {
            terminal.call_ends(&tool_use.tool_use_id, result.is_error(), duration)
        }
        _ => Ok(()),
    }
}

/// An error with what caused it, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
