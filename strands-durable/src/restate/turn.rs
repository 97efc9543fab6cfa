//! Handler of a turn: an attempt restores the agent from the object's state, and drives it with a journal.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use restate_sdk::endpoint::{ContextInternal, InputMetadata};
use restate_sdk::errors::{HandlerError, HandlerResult, TerminalError};
use restate_sdk::serde::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::models::StopReason;
use strands_core::{
    Agent, AgentError, AgentEvent, AgentResponse, CancellationToken, Interrupt, InterruptResponse, Invocation, Prompt,
    Snapshot,
};

use super::agent::Shared;
use super::answerer::Answerer;
use super::events::{Attempt, TurnEventKind};
use super::journal::RestateJournal;
use super::messages::{AnswerSignal, RunningState};
use super::state;
use crate::{TurnFailure, TurnInfo, TurnRequest, TurnResponse};

/// End of a turn, as its last step records it. What the engine compares in a replay comes from here.
#[derive(Serialize, Deserialize)]
struct TurnEnd {
    snapshot: Value,
    outcome: Result<TurnResponse, TurnFailure>,
}

/// A response, with the metadata of who responds.
type Answer = (Map<String, Value>, InterruptResponse);

/// An attempt of a turn.
struct TurnAttempt<'a> {
    answerer: &'a Answerer,
    ctx: &'a ContextInternal,
    journal: &'a RestateJournal<'a>,
    run_id: String,
    session_id: String,
    token: CancellationToken,
    events: Option<Attempt<'a>>,
}

/// Performs an attempt of a turn, to its end or until the engine suspends it.
pub(super) async fn run(
    shared: &Shared,
    ctx: &ContextInternal,
    metadata: InputMetadata,
    input: Value,
    is_streamed: bool,
) -> HandlerResult<Json<TurnResponse>> {
    // The text of a deserialization error may quote the prompt.
    let request: TurnRequest = serde_json::from_value(input).map_err(|_| {
        TerminalError::new_with_code(400, r#"invalid request: expected {"prompt": .., "metadata": {..}}"#)
    })?;
    let prompt = request.prompt.into_prompt().map_err(terminal)?;
    let InputMetadata { invocation_id: run_id, key: session_id, random_seed, .. } = metadata;
    let token = CancellationToken::new();
    let _running = shared.running.add(&run_id, &token);
    let journal = RestateJournal::new(ctx, random_seed, shared.step_timeout, token.clone());

    let snapshot = journal.uncancelled(|| ctx.get::<Json<Value>>(state::SNAPSHOT)).await?;
    state::set_running(ctx, &RunningState { run_id: run_id.clone(), interrupts: Vec::new() });
    let builder = shared.template.agent(&TurnInfo::new(&*session_id, &*run_id, &request.metadata)).await;
    let mut agent = builder.map_err(HandlerError::from)?.build().await?;
    if let Some(Json(snapshot)) = snapshot {
        agent.restore(read_snapshot(snapshot)?)?;
    }
    let publisher = shared.publisher.as_deref().filter(|_| is_streamed);
    let events = publisher.map(|publisher| Attempt::start(publisher, &run_id, &session_id));
    let turn = TurnAttempt { answerer: &shared.answerer, ctx, journal: &journal, run_id, session_id, token, events };
    turn.perform(agent, prompt).await.map(Json)
}

fn read_snapshot(snapshot: Value) -> Result<Snapshot, &'static str> {
    serde_json::from_value(snapshot).map_err(|_| "the snapshot in the state of the object is unreadable")
}

impl TurnAttempt<'_> {
    async fn perform(mut self, mut agent: Agent, mut prompt: Prompt) -> HandlerResult<TurnResponse> {
        let mut answers = VecDeque::new();
        let outcome = loop {
            let (metadata, responses) = of_one_answerer(&mut answers);
            let invocation = agent.prompt(std::mem::replace(&mut prompt, Prompt::none()));
            let invocation = invocation.resume(responses);
            let invocation = invocation.cancel_with(self.token.clone()).journal(self.journal);
            let invocation = match metadata {
                Some(metadata) => self.answerer.of(&metadata)?(invocation),
                None => invocation,
            };
            match self.drive(invocation).await {
                // Others have responded to the rest.
                Ok(response) if response.stop_reason == StopReason::Interrupt && !answers.is_empty() => {}
                Ok(response) if response.stop_reason == StopReason::Interrupt => {
                    match self.wait(&response.interrupts).await? {
                        Some(all) => answers = all,
                        None => {
                            agent.discard_interrupts().await?;
                            break Ok(cancelled(response));
                        }
                    }
                }
                outcome => break outcome,
            }
        };
        let outcome = self.outcome(outcome)?;
        let end = TurnEnd { snapshot: serde_json::to_value(agent.snapshot()?)?, outcome };
        let end = serde_json::to_value(end)?;
        let end = self.journal.recorded("end", Box::pin(async move { end })).await;
        let end =
            end.map_err(|_| self.journal.failure().map_or_else(unreadable, |failure| terminal(failure).into()))?;
        let Ok(TurnEnd { snapshot, outcome }) = serde_json::from_value(end) else { return Err(unreadable()) };
        self.ctx.set(state::SNAPSHOT, Json(snapshot));
        self.ctx.clear(state::RUNNING);
        if let Some(events) = &mut self.events {
            events.publish(
                match outcome.clone() {
                    Ok(response) => TurnEventKind::End { response: Box::new(response) },
                    Err(failure) => TurnEventKind::Failed { failure },
                },
                false,
            );
        }
        outcome.map_err(|failure| terminal(failure).into())
    }

    /// Awaits an invocation, and publishes its events.
    async fn drive(&mut self, invocation: Invocation<'_>) -> Result<AgentResponse, AgentError> {
        let Some(attempt) = &mut self.events else { return invocation.await };
        let mut events = invocation.stream();
        let mut response = None;
        while let Some(event) = events.next().await {
            match event? {
                AgentEvent::Result { response: ended } => response = Some(*ended),
                event => {
                    attempt.publish(TurnEventKind::Agent { event: Box::new(event) }, !self.journal.is_live());
                }
            }
        }
        // A stream without an error ends with a result.
        response.ok_or(AgentError::NoOutput { stop_reason: StopReason::Cancelled })
    }

    /// Waits for the responses to interrupts. Returns `None` if the turn was cancelled meanwhile.
    async fn wait(&mut self, interrupts: &[Interrupt]) -> HandlerResult<Option<VecDeque<Answer>>> {
        let running = RunningState { run_id: self.run_id.clone(), interrupts: interrupts.to_vec() };
        state::set_running(self.ctx, &running);
        if let Some(events) = &mut self.events {
            let interrupts = interrupts.to_vec();
            events.publish(TurnEventKind::Waiting { interrupts }, !self.journal.is_live());
        }
        let mut answers = VecDeque::with_capacity(interrupts.len());
        for interrupt in interrupts {
            match self.journal.signal(&interrupt.id).await? {
                Some(signal) => {
                    let AnswerSignal { response, metadata } =
                        serde_json::from_value(signal).map_err(|_| unreadable())?;
                    answers.push_back((metadata, interrupt.respond(response)));
                }
                None => return Ok(None),
            }
        }
        state::set_running(self.ctx, &RunningState { run_id: self.run_id.clone(), interrupts: Vec::new() });
        Ok(Some(answers))
    }

    /// Returns the outcome that ends the turn, or the error with which the engine repeats the attempt.
    fn outcome(&self, outcome: Result<AgentResponse, AgentError>) -> HandlerResult<Result<TurnResponse, TurnFailure>> {
        let failure = self.journal.failure();
        Ok(match (outcome, failure) {
            (_, Some(failure)) => Err(failure),
            (Ok(response), None) => Ok(TurnResponse::new(&response, &self.session_id, &self.run_id)),
            // The records are those of other code: a deploy that fits them can continue the turn.
            (Err(AgentError::Journal(error)), None) => {
                tracing::warn!(run_id = self.run_id, error = format!("{error:?}"), "the records of a turn don't fit");
                return Err(unreadable());
            }
            (Err(error), None) => {
                if self.journal.is_live() {
                    tracing::warn!(run_id = self.run_id, error = format!("{error:?}"), "a turn failed");
                }
                Err(TurnFailure::of(&error))
            }
        })
    }
}

/// Takes the first response, and the next ones with the same metadata.
fn of_one_answerer(answers: &mut VecDeque<Answer>) -> (Option<Map<String, Value>>, Vec<InterruptResponse>) {
    let Some((metadata, first)) = answers.pop_front() else { return (None, Vec::new()) };
    let mut responses = vec![first];
    while let Some((_, response)) = answers.pop_front_if(|(other, _)| *other == metadata) {
        responses.push(response);
    }
    (Some(metadata), responses)
}

fn cancelled(mut response: AgentResponse) -> AgentResponse {
    response.stop_reason = StopReason::Cancelled;
    response.interrupts.clear();
    response
}

/// Returns the error of records that this version of the worker can't read. The engine retries it, and then pauses the turn.
fn unreadable() -> HandlerError {
    "the records of the turn don't fit this version of the worker: deploy the version that began it, or cancel the turn"
        .into()
}

pub(super) fn terminal(failure: TurnFailure) -> TerminalError {
    TerminalError::new_with_code(failure.kind.status_code(), failure.message)
}
