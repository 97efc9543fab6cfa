//! Turn of a conversation on the terminal, with cancellation by Ctrl-C.

use std::{error::Error, future::Future, io, pin::pin};

use futures_util::StreamExt;
use strands::{
    Agent, AgentError, AgentEvent, Interrupt, Invocation,
    identity::{ApprovalError, ApprovalRequest},
    models::StopReason,
};
use tokio_util::sync::CancellationToken;

use super::Terminal;

/// The outcome of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The response is complete.
    Completed,
    /// Ctrl-C has cancelled the turn.
    Cancelled,
    /// The conversation waits for an approval, and the prompt was not sent.
    Waiting,
}

/// Prompt that takes back what the conversation waits for.
const WITHDRAW: &str = "withdraw";

/// Runs a turn with a prompt. While the conversation waits for an approval, it shows the request instead, or withdraws it.
pub(crate) async fn reply<O: io::Write, E: io::Write>(
    agent: &mut Agent,
    prompt: &str,
    terminal: &mut Terminal<O, E>,
) -> io::Result<Result<Outcome, AgentError>> {
    let interrupts = agent.interrupts();
    if interrupts.is_empty() {
        return turn(agent.prompt(prompt), terminal).await;
    }
    if prompt == WITHDRAW {
        return match agent.discard_interrupts().await {
            Ok(()) => terminal.note("(withdrawn)").map(|()| Ok(Outcome::Completed)),
            Err(error) => Ok(Err(error)),
        };
    }
    interrupts.iter().try_for_each(|interrupt| terminal.note(&waiting(interrupt)))?;
    terminal.note(&format!("(the conversation waits; `{WITHDRAW}` takes the request back)"))?;
    Ok(Ok(Outcome::Waiting))
}

/// Runs an invocation and shows the response. Ctrl-C cancels the turn, not the conversation.
///
/// The outer error is of the terminal, the inner one of the agent. After an inner error the conversation can continue.
pub(crate) async fn turn<O: io::Write, E: io::Write>(
    invocation: Invocation<'_>,
    terminal: &mut Terminal<O, E>,
) -> io::Result<Result<Outcome, AgentError>> {
    let interrupt = async {
        // Systems without this signal never send it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    interruptible(invocation, terminal, interrupt).await
}

async fn interruptible<O: io::Write, E: io::Write>(
    invocation: Invocation<'_>,
    terminal: &mut Terminal<O, E>,
    interrupt: impl Future<Output = ()>,
) -> io::Result<Result<Outcome, AgentError>> {
    let token = CancellationToken::new();
    let mut events = pin!(invocation.cancel_with(token.clone()).stream());
    // One listener for the whole turn, so that no signal is missed.
    let mut interrupt = pin!(interrupt);
    let mut outcome = Outcome::Completed;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut interrupt, if !token.is_cancelled() => {
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
        AgentEvent::CycleStart { .. } => terminal.end_line(),
        AgentEvent::TextDelta { text } => terminal.text(&text),
        AgentEvent::Redacted { assistant: Some(text), .. } => {
            terminal.end_line()?;
            terminal.text(&text)
        }
        AgentEvent::Retry { delay, error, discards_output, .. } => {
            let again = if discards_output { "starting the response again" } else { "trying again" };
            terminal.note(&format!("({error}; {again} in {:.1} s)", delay.as_secs_f64()))
        }
        AgentEvent::ToolStart { tool_use } => {
            terminal.call_starts(&tool_use.tool_use_id, &tool_use.name, &tool_use.input)
        }
        AgentEvent::ToolEnd { tool_use, result, duration } => {
            terminal.call_ends(&tool_use.tool_use_id, result.is_error(), duration)
        }
        AgentEvent::Interrupt { interrupts } => {
            terminal.end_line()?;
            interrupts.iter().try_for_each(|interrupt| terminal.note(&waiting(interrupt)))
        }
        _ => Ok(()),
    }
}

/// Formats the note about an interrupt.
fn waiting(interrupt: &Interrupt) -> String {
    if let Some(request) = ApprovalRequest::from_interrupt(interrupt) {
        let (reason, approvers) = (&request.requirement.reason, request.requirement.approvers.join(" or "));
        let id = request.id();
        return match &request.session_id {
            Some(_) => format!("({reason}: a {approvers} may run `travel-agent approve {id}`, or `deny {id}`)"),
            None => format!("({reason}; a {approvers} can approve it only in a stored conversation: use --session)"),
        };
    }
    let question = interrupt.reason.get("message").and_then(|message| message.as_str());
    format!("(a tool has a question: {})", question.unwrap_or(&interrupt.name))
}

/// Formats an error with its causes, in one line. The error of a refused approval stands for itself.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<AgentError>().and_then(ApprovalError::of) {
        Some(refused) => format!("error: {refused}"),
        None => format!("error: {}", strands::ErrorChain::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use strands::{
        Agent,
        testing::{ScriptedModel, ScriptedTurn},
    };

    use super::*;

    async fn agent(model: &ScriptedModel) -> Agent {
        Agent::builder().model(model.clone()).build().await.unwrap()
    }

    /// Returns the outcome of a turn and its output on the two streams.
    async fn shown(agent: &mut Agent, interrupt: impl Future<Output = ()>) -> (Outcome, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(&mut out, false, &mut err, false);
        let outcome = interruptible(agent.prompt("hello"), &mut terminal, interrupt).await.unwrap().unwrap();
        (outcome, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[tokio::test]
    async fn cancels_a_turn_and_continues_the_conversation() {
        let stalled = ScriptedTurn::text("never to end").stalling_after(2);
        let model = ScriptedModel::new([stalled, ScriptedTurn::text("Here I am.")]);
        let mut agent = agent(&model).await;
        let requested = async {
            while model.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let (outcome, _, err) = shown(&mut agent, requested).await;
        assert_eq!((outcome, err.as_str()), (Outcome::Cancelled, "(cancelled)\n"));
        let (outcome, out, err) = shown(&mut agent, pending()).await;
        assert_eq!((outcome, out.as_str(), err.as_str()), (Outcome::Completed, "Here I am.\n", ""));
    }

    #[tokio::test]
    async fn prints_errors_with_their_causes() {
        let mut agent = agent(&ScriptedModel::new([])).await;
        let mut terminal = Terminal::new(Vec::new(), false, Vec::new(), false);
        let error = interruptible(agent.prompt("hello"), &mut terminal, pending()).await.unwrap().unwrap_err();
        let text = with_causes(&error);
        assert!(text.starts_with("error: ") && text.contains(&error.source().unwrap().to_string()), "{text}");
    }
}
