//! Handler of a turn: an attempt restores the agent from the object's state, and drives it with a journal.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use restate_sdk::endpoint::{ContextInternal, InputMetadata};
use restate_sdk::errors::{HandlerResult, TerminalError};
use restate_sdk::serde::Json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::bytes::Bytes;
use strands_core::models::{OutputSchema, StopReason};
use strands_core::{
    Agent, AgentError, AgentEvent, AgentResponse, CancellationToken, InterruptResponse, Invocation, Limits, Prompt,
    PromptRequest, PromptScope, TraceContext, TraceContextError,
};

use super::agent::Shared;
use super::depth::TurnsAround;
use super::events::{Attempt, TurnEventKind};
use super::journal::RestateJournal;
use super::messages::{AnswerSignal, FailedState, RunningState, WaitingTurn};
use super::setup::{self, Exit};
use super::{state, watch};
use crate::answers::{is_refusal, refusal};
use crate::{TurnFailure, TurnInfo, TurnRequest, TurnResponse};

/// End of a turn, as its last step records it. What the engine compares in a replay comes from here.
#[derive(Serialize, Deserialize)]
struct TurnEnd {
    snapshot: Value,
    outcome: Result<TurnResponse, TurnFailure>,
    /// Usage of a turn that has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<FailedState>,
}

/// A response, with the metadata of who responds.
type Answer = (Map<String, Value>, InterruptResponse);

/// Options of a turn by its request.
struct TurnOptions {
    limits: Option<Limits>,
    output: Option<OutputSchema>,
    trace: Option<TraceContext>,
    around: TurnsAround,
}

/// An attempt of a turn.
struct TurnAttempt<'a> {
    shared: &'a Shared,
    ctx: &'a ContextInternal,
    journal: &'a RestateJournal<'a>,
    info: TurnInfo,
    options: TurnOptions,
    token: CancellationToken,
    /// Measures the usage, also of a turn that fails.
    scope: PromptScope,
    /// Within the scope, the limits since the turn was resumed.
    share: Option<PromptScope>,
    events: Option<Attempt<'a>>,
    /// Number of waits so far.
    waits: u32,
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
    let prompt = request.prompt.into_prompt().map_err(|error| terminal(error.into()))?;
    let trace = request.traceparent.map(|parent| parent.parse()).transpose();
    let trace = trace.map_err(|error: TraceContextError| TerminalError::new_with_code(400, error.to_string()))?;
    let (limits, output) = (request.limits, request.output.map(OutputSchema::from));
    let scope = PromptScope::new(&PromptRequest::default(), Limits::unlimited());
    let scope = scope.map_err(|error| terminal(TurnFailure::of(&error)))?;
    let InputMetadata { invocation_id: run_id, key: session_id, random_seed, .. } = metadata;
    let around = TurnsAround::within(request.depth, request.around, ctx.service_name(), &session_id);
    let options = TurnOptions { limits, output, trace, around };
    let token = CancellationToken::new();
    let _running = shared.running.add(&run_id, &token);
    let journal = RestateJournal::new(ctx, random_seed, shared.step_timeout, token.clone());

    let snapshot = journal.uncancelled(|| ctx.get::<Bytes>(state::SNAPSHOT)).await?;
    state::set_running(ctx, &RunningState::new(&run_id, limits));
    let publisher = shared.publisher.as_deref().filter(|_| is_streamed);
    let events = publisher.map(|publisher| Attempt::start(publisher, &run_id, &session_id));
    let info = TurnInfo::new(session_id, run_id, &request.metadata);
    let mut turn =
        TurnAttempt { shared, ctx, journal: &journal, info, options, token, scope, share: None, events, waits: 0 };
    let result = turn.perform(snapshot, prompt).await;
    turn.end(result)
}

impl<'a> TurnAttempt<'a> {
    async fn perform(&mut self, snapshot: Option<Bytes>, prompt: Prompt) -> Result<TurnResponse, Exit> {
        let mut agent = setup::agent(&*self.shared.template, &self.info, self.options.limits, snapshot).await?;
        let first = self.invocation(&mut agent, prompt);
        let first = match self.options.output.take() {
            Some(schema) => first.output_schema(schema),
            None => first,
        };
        let outcome = match self.drive(first).await {
            Ok(response) if response.stop_reason == StopReason::Interrupt => {
                match self.resume(&mut agent, response).await {
                    Ok(outcome) => outcome,
                    Err(exit) => return Err(self.without_end(exit).await),
                }
            }
            outcome => outcome,
        };
        let outcome = self.outcome(outcome)?;
        // The next prompt must not find the agent suspended.
        agent.discard_interrupts().await.map_err(Exit::retry)?;
        let snapshot = agent.snapshot().map_err(Exit::retry)?;
        let failed = outcome.is_err().then(|| self.failed());
        let end = TurnEnd { snapshot: serde_json::to_value(snapshot).map_err(Exit::retry)?, outcome, failed };
        let end = serde_json::to_value(end).map_err(Exit::retry)?;
        let TurnEnd { snapshot, outcome, failed } = match self.recorded("end", end).await {
            Ok(end) => end,
            Err(exit) => return Err(self.without_end(exit).await),
        };
        self.ctx.set(state::SNAPSHOT, Json(snapshot));
        if let Some(failed) = failed {
            state::set_failed(self.ctx, &failed);
        }
        outcome.map_err(Exit::Failed)
    }

    /// Returns the usage of a turn that fails.
    fn failed(&self) -> FailedState {
        FailedState {
            run_id: self.info.run_id.clone(),
            usage: self.scope.usage(),
            turns: self.scope.turns(),
            unsettled: self.scope.unsettled(),
        }
    }

    /// Keeps the usage of a turn whose end could not be recorded, such as one that is too large.
    async fn without_end(&self, exit: Exit) -> Exit {
        if let (Exit::Failed(_), Ok(failed)) = (&exit, serde_json::to_value(self.failed()))
            && let Ok(failed) = self.recorded::<FailedState>("failed", failed).await
        {
            state::set_failed(self.ctx, &failed);
        }
        exit
    }

    /// Waits for responses to the interrupts of a response, and resumes the agent with them, as often as it takes.
    async fn resume(
        &mut self,
        agent: &mut Agent,
        mut response: AgentResponse,
    ) -> Result<Result<AgentResponse, AgentError>, Exit> {
        let mut answers = VecDeque::new();
        let mut refused = None;
        loop {
            // A step may have seen the cancellation, which the engine reports once.
            if self.journal.is_cancelled() {
                return Ok(Ok(cancelled(response)));
            }
            // Otherwise others have responded to the rest. After a refusal within an agent that is a tool, fewer may be left than in the
            // response.
            if answers.is_empty() {
                response.interrupts = agent.interrupts();
                match self.wait(&response, refused.take()).await? {
                    Some(all) => answers = all,
                    None => return Ok(Ok(cancelled(response))),
                }
            }
            let (metadata, responses) = of_one_answerer(&mut answers);
            let inject = self.shared.answerer.of(&metadata).map_err(Exit::retry)?;
            let invocation = inject(self.invocation(agent, Prompt::none()).resume(responses));
            match self.drive(invocation).await {
                Ok(next) if next.stop_reason == StopReason::Interrupt => response = next,
                // The agent stays suspended also if one within a tool has not accepted its responses, and takes others.
                Err(error) if is_refusal(&error) || self.is_suspended(agent, &error) => refused = Some(refusal(&error)),
                outcome => return Ok(outcome),
            }
        }
    }

    fn invocation<'i>(&self, agent: &'i mut Agent, prompt: Prompt) -> Invocation<'i>
    where
        'a: 'i,
    {
        let invocation = agent.prompt(prompt).cancel_with(self.token.clone()).journal(self.journal);
        let invocation = invocation.inject(self.options.around.clone());
        match &self.options.trace {
            Some(trace) => invocation.inject(trace.clone()),
            None => invocation,
        }
    }

    /// Returns true if an error of the agent has changed nothing, so that it can be resumed again.
    fn is_suspended(&self, agent: &Agent, error: &AgentError) -> bool {
        let is_of_journal = matches!(error, AgentError::Journal(_)) || self.journal.failure().is_some();
        !is_of_journal && !agent.interrupts().is_empty()
    }

    /// Records a value, and returns the recorded one.
    async fn recorded<T: DeserializeOwned>(&self, step: &str, value: Value) -> Result<T, Exit> {
        let recorded = self.journal.recorded(step, Box::pin(async move { value })).await;
        let failed = |_| self.journal.failure().map_or_else(Exit::unreadable, Exit::Failed);
        serde_json::from_value(recorded.map_err(failed)?).map_err(|_| Exit::unreadable())
    }

    /// Ends the attempt, and the turn unless the engine repeats it.
    fn end(&mut self, result: Result<TurnResponse, Exit>) -> HandlerResult<Json<TurnResponse>> {
        let (event, result) = match result {
            Ok(response) => (TurnEventKind::End { response: Box::new(response.clone()) }, Ok(Json(response))),
            Err(Exit::Failed(failure)) => {
                (TurnEventKind::Failed { failure: failure.clone() }, Err(terminal(failure).into()))
            }
            Err(Exit::Retry(error)) => return Err(error),
        };
        self.ctx.clear(state::RUNNING);
        if let Some(events) = &mut self.events {
            events.publish(event, false);
        }
        result
    }

    /// Awaits an invocation, and publishes its events.
    async fn drive(&mut self, invocation: Invocation<'_>) -> Result<AgentResponse, AgentError> {
        let scope = self.share.as_ref().unwrap_or(&self.scope);
        let Some(attempt) = &mut self.events else { return scope.run(invocation.into_future()).await };
        let mut events = invocation.stream();
        let mut response = None;
        while let Some(event) = scope.run(events.next()).await {
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

    /// Waits for the responses to the interrupts of a response; those before were `refused`, if it is some. Returns `None` if the
    /// turn was cancelled meanwhile.
    async fn wait(
        &mut self,
        response: &AgentResponse,
        refused: Option<String>,
    ) -> Result<Option<VecDeque<Answer>>, Exit> {
        self.waits += 1;
        let waiting = WaitingTurn {
            number: self.waits,
            interrupts: response.interrupts.clone(),
            refused,
            usage: response.usage,
            turns: response.turns,
            unsettled: self.scope.unsettled(),
        };
        let waiting = serde_json::to_value(waiting).map_err(Exit::retry)?;
        // The engine compares the state in a replay, and would show a difference to operators.
        let waiting: WaitingTurn = self.recorded(&format!("waiting/{}", self.waits), waiting).await?;
        if self.journal.is_cancelled() {
            return Ok(None);
        }
        let (interrupts, refused) = (waiting.interrupts.clone(), waiting.refused.clone());
        let running = RunningState::new(&self.info.run_id, self.options.limits);
        state::set_running(self.ctx, &RunningState { interrupts, refused, ..running });
        if let Some(events) = &mut self.events {
            let WaitingTurn { interrupts, refused, .. } = waiting.clone();
            events.publish(TurnEventKind::Waiting { interrupts, refused }, !self.journal.is_live());
        }
        let mut answers = VecDeque::with_capacity(response.interrupts.len());
        let mut limits: Option<Limits> = None;
        for interrupt in &response.interrupts {
            // The engine queues several responses to an interrupt: the next one is taken if this one is refused.
            let signal = loop {
                match self.journal.signal(&[&interrupt.id, watch::WATCH]).await? {
                    Some((0, signal)) => break signal,
                    Some((_, watcher)) => watch::notify(self.ctx, &watcher, &waiting),
                    None => return Ok(None),
                }
            };
            let AnswerSignal { response, metadata, limits: given } =
                serde_json::from_value(signal).map_err(|_| Exit::unreadable())?;
            limits = limits.into_iter().chain(given).reduce(Limits::tightened);
            answers.push_back((metadata, interrupt.respond(response)));
        }
        state::set_running(self.ctx, &RunningState::new(&self.info.run_id, self.options.limits));
        self.share = limits.map(|limits| self.scope.limited(limits));
        Ok(Some(answers))
    }

    /// Returns the outcome that ends the turn, or the error with which the engine repeats the attempt.
    fn outcome(&self, outcome: Result<AgentResponse, AgentError>) -> Result<Result<TurnResponse, TurnFailure>, Exit> {
        let TurnInfo { session_id, run_id, .. } = &self.info;
        Ok(match (outcome, self.journal.failure()) {
            (_, Some(failure)) => Err(failure),
            (Ok(response), None) => {
                let unsettled = self.scope.unsettled();
                Ok(TurnResponse { unsettled, ..TurnResponse::new(&response, session_id, run_id) })
            }
            // The records are those of other code: a deploy that fits them can continue the turn.
            (Err(AgentError::Journal(error)), None) => {
                tracing::warn!(run_id, error = format!("{error:?}"), "the records of a turn don't fit");
                return Err(Exit::unreadable());
            }
            // A snapshot would have the conversation of that session.
            (Err(error @ AgentError::JournalWithSession), None) => return Err(Exit::Failed(TurnFailure::of(&error))),
            (Err(error), None) => {
                if self.journal.is_live() {
                    tracing::warn!(run_id, error = format!("{error:?}"), "a turn failed");
                }
                Err(TurnFailure::of(&error))
            }
        })
    }
}

/// Takes the first response, and the next ones with the same metadata.
fn of_one_answerer(answers: &mut VecDeque<Answer>) -> (Map<String, Value>, Vec<InterruptResponse>) {
    let Some((metadata, first)) = answers.pop_front() else { return (Map::new(), Vec::new()) };
    let mut responses = vec![first];
    while let Some((_, response)) = answers.pop_front_if(|(other, _)| *other == metadata) {
        responses.push(response);
    }
    (metadata, responses)
}

fn cancelled(mut response: AgentResponse) -> AgentResponse {
    response.stop_reason = StopReason::Cancelled;
    response.interrupts.clear();
    response
}

pub(super) fn terminal(failure: TurnFailure) -> TerminalError {
    TerminalError::new_with_code(failure.kind.status_code(), failure.message)
}
