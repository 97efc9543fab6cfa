//! Turn of a conversation on the terminal, with cancellation by Ctrl-C.

use std::{error::Error, future::Future, io, pin::pin};

use strands::{
    AgentEvent,
    identity::ApprovalError,
    models::StopReason,
    serve::{TurnError, TurnRequest},
};

use super::{Terminal, conversation::waiting};

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

/// Form of the output.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Output {
    /// True if each event is printed as a line of JSON, instead of the text.
    pub(crate) events: bool,
    /// True if the metrics are printed as JSON after each turn.
    pub(crate) metrics: bool,
    /// True if the conversation is stored.
    pub(crate) is_stored: bool,
}

/// Runs a turn and shows the response. Ctrl-C cancels the turn, not the conversation.
///
/// The outer error is of the terminal, the inner one of the agent. After an inner error the conversation can continue.
pub(crate) async fn turn<O: io::Write, E: io::Write>(
    request: TurnRequest,
    output: Output,
    terminal: &mut Terminal<O, E>,
) -> io::Result<Result<Outcome, TurnError>> {
    let interrupt = async {
        // Systems without this signal never send it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    interruptible(request, output, terminal, interrupt).await
}

async fn interruptible<O: io::Write, E: io::Write>(
    request: TurnRequest,
    output: Output,
    terminal: &mut Terminal<O, E>,
    interrupt: impl Future<Output = ()>,
) -> io::Result<Result<Outcome, TurnError>> {
    // One listener for the whole turn, so that no signal is missed.
    let mut interrupt = pin!(interrupt);
    let mut turn = match request.start().await {
        Ok(turn) => turn,
        Err(error) => return Ok(Err(error)),
    };
    let (mut outcome, mut is_cancelled) = (Outcome::Completed, false);
    loop {
        let event = tokio::select! {
            event = turn.next() => event,
            () = &mut interrupt, if !is_cancelled => {
                is_cancelled = true;
                turn.cancel();
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
                if output.events {
                    terminal.data(&event.json())?;
                } else {
                    show(event.event(), output, terminal)?;
                }
                if let AgentEvent::Result { response } = event.event() {
                    if response.stop_reason == StopReason::Cancelled {
                        outcome = Outcome::Cancelled;
                    }
                    if output.metrics {
                        terminal.data(&format!("{:#}", response.metrics.summary().to_json()))?;
                    }
                }
            }
        }
    }
    if outcome == Outcome::Cancelled {
        terminal.note("(cancelled)")?;
    }
    terminal.end_line()?;
    Ok(Ok(outcome))
}

fn show<O: io::Write, E: io::Write>(
    event: &AgentEvent,
    output: Output,
    terminal: &mut Terminal<O, E>,
) -> io::Result<()> {
    if let [agent] = event.path() {
        return show_call_of(agent, event.leaf(), terminal);
    }
    match event {
        AgentEvent::CycleStart { .. } => terminal.end_line(),
        AgentEvent::TextDelta { text } => terminal.text(text),
        AgentEvent::Redacted { assistant: Some(text), .. } => {
            terminal.end_line()?;
            terminal.text(text)
        }
        AgentEvent::Retry { delay, error, discards_output, .. } => {
            let again = if *discards_output { "starting the response again" } else { "trying again" };
            terminal.note(&format!("({error}; {again} in {:.1} s)", delay.as_secs_f64()))
        }
        AgentEvent::ToolStart { tool_use } => {
            terminal.call_starts(&tool_use.tool_use_id, &tool_use.name, &tool_use.input)
        }
        AgentEvent::ToolEnd { tool_use, result, duration } => {
            terminal.call_ends(&tool_use.tool_use_id, result.is_error(), *duration)
        }
        AgentEvent::Interrupt { interrupts } => {
            terminal.end_line()?;
            interrupts.iter().try_for_each(|interrupt| terminal.note(&waiting(interrupt, output)))
        }
        _ => Ok(()),
    }
}

/// Shows the tool calls of an agent of the team. Its response is for the planner.
fn show_call_of<O: io::Write, E: io::Write>(
    agent: &str,
    event: &AgentEvent,
    terminal: &mut Terminal<O, E>,
) -> io::Result<()> {
    // The node of an agent that is a tool has the id of the call after its name.
    let name = agent.split(':').next().unwrap_or(agent);
    let id = |call: &str| format!("{agent}/{call}");
    match event {
        AgentEvent::ToolStart { tool_use } => {
            terminal.call_starts(&id(&tool_use.tool_use_id), &format!("{name}: {}", tool_use.name), &tool_use.input)
        }
        AgentEvent::ToolEnd { tool_use, result, duration } => {
            terminal.call_ends(&id(&tool_use.tool_use_id), result.is_error(), *duration)
        }
        _ => Ok(()),
    }
}

/// Formats an error with its causes, in one line. The error of a refused approval stands for itself.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let refused = match error.downcast_ref::<TurnError>() {
        Some(TurnError::Agent(error)) => ApprovalError::of(error),
        _ => None,
    };
    match refused {
        Some(refused) => format!("error: {refused}"),
        None => format!("error: {}", strands::ErrorChain::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc};

    use strands::{
        Agent,
        identity::Identity,
        serve::AgentService,
        session::{SessionStore, object_store::memory::InMemory},
        testing::{ScriptedModel, ScriptedTurn},
    };

    use super::*;

    fn service(model: &ScriptedModel) -> AgentService {
        let store = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
        AgentService::builder(Agent::builder().model(model.clone()), store).build()
    }

    fn hello(service: &AgentService) -> TurnRequest {
        service.turn(Identity::new("ana"), (), "hello")
    }

    /// Returns the outcome of a turn and its output on the two streams.
    async fn shown(service: &AgentService, interrupt: impl Future<Output = ()>) -> (Outcome, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(&mut out, false, &mut err, false);
        let outcome = interruptible(hello(service), Output::default(), &mut terminal, interrupt).await;
        (outcome.unwrap().unwrap(), String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[tokio::test]
    async fn cancels_a_turn_and_continues_the_conversation() {
        let stalled = ScriptedTurn::text("never to end").stalling_after(2);
        let model = ScriptedModel::new([stalled, ScriptedTurn::text("Here I am.")]);
        let service = service(&model);
        let requested = async {
            while model.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let (outcome, _, err) = shown(&service, requested).await;
        assert_eq!((outcome, err.as_str()), (Outcome::Cancelled, "(cancelled)\n"));
        let (outcome, out, err) = shown(&service, pending()).await;
        assert_eq!((outcome, out.as_str(), err.as_str()), (Outcome::Completed, "Here I am.\n", ""));
    }

    #[tokio::test]
    async fn prints_errors_with_their_causes() {
        let service = service(&ScriptedModel::new([]));
        let mut terminal = Terminal::new(Vec::new(), false, Vec::new(), false);
        let outcome = interruptible(hello(&service), Output::default(), &mut terminal, pending()).await;
        let error = outcome.unwrap().unwrap_err();
        let text = with_causes(&error);
        assert!(text.starts_with("error: ") && text.contains(&error.source().unwrap().to_string()), "{text}");
    }
}
