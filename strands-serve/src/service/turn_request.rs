//! Request of a turn: its options, and its start.

use std::fmt;
use std::future::IntoFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use strands_core::message::Message;
use strands_core::models::StopReason;
use strands_core::session::SessionError;
use strands_core::{
    Agent, AgentResponse, BoxFuture, CancellationToken, InterruptResponse, Invocation, Limits, Prompt, TraceContext,
    uuid,
};
use strands_identity::{Approver, Identity};
use tracing::Instrument as _;

use super::admission::Permit;
use super::{AgentService, Disconnect, TurnError, host_deadline};
use crate::run::{Ending, Outcome, Recording, Run, Turn};

/// Maximum time for saving the end of a turn that was cancelled.
const SAVE_TIMEOUT: Duration = Duration::from_secs(4);

/// Session of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionChoice {
    /// The default session of the identity.
    #[default]
    Default,
    /// The session with this id, which must be one of the identity's.
    Id(String),
    /// A new session of the identity.
    New,
    /// A session of the identity with a name that its client chose, such as the runtime session id of AgentCore. The same name
    /// of two identities is two sessions.
    Named(String),
}

impl From<()> for SessionChoice {
    fn from((): ()) -> Self {
        Self::Default
    }
}

impl From<&str> for SessionChoice {
    fn from(id: &str) -> Self {
        Self::Id(id.to_owned())
    }
}

impl From<String> for SessionChoice {
    fn from(id: String) -> Self {
        Self::Id(id)
    }
}

impl From<Option<String>> for SessionChoice {
    fn from(id: Option<String>) -> Self {
        id.map_or(Self::Default, Self::Id)
    }
}

/// A request of a turn; see [`AgentService::turn`].
#[must_use = "a turn does nothing until it is awaited or started"]
pub struct TurnRequest {
    service: AgentService,
    identity: Identity,
    session: SessionChoice,
    prompt: Prompt,
    responses: Vec<InterruptResponse>,
    trace: Option<TraceContext>,
    limits: Option<Limits>,
    time_limit: Option<Duration>,
    options: Vec<InvocationOption>,
    disconnect: Disconnect,
    run_id: Option<String>,
    after: Option<String>,
    is_repeatable: bool,
    is_temporary: bool,
    recording: Recording,
    is_inline: bool,
}

/// Sets an option of the invocation.
type InvocationOption = Box<dyn for<'a> FnOnce(Invocation<'a>) -> Invocation<'a> + Send>;

impl TurnRequest {
    pub(super) fn new(service: AgentService, identity: Identity, session: SessionChoice, prompt: Prompt) -> Self {
        let disconnect = service.inner.limits.disconnect;
        Self {
            service,
            identity,
            session,
            prompt,
            responses: Vec::new(),
            trace: None,
            limits: None,
            time_limit: None,
            options: Vec::new(),
            disconnect,
            run_id: None,
            after: None,
            is_repeatable: false,
            is_temporary: false,
            recording: Recording::Events,
            is_inline: false,
        }
    }

    /// Resumes the suspended turn of the session with responses to its interrupts. The prompt must be [`Prompt::none`].
    pub fn resume(mut self, responses: impl IntoIterator<Item = InterruptResponse>) -> Self {
        self.responses.extend(responses);
        self
    }

    /// Sets the identity that responds to the interrupts, if it is not the one for which the agent works. It is injected as
    /// [`Approver`]; hooks decide what it may approve.
    pub fn approver(self, approver: Identity) -> Self {
        self.inject(Approver::new(approver))
    }

    /// Sets the position in a distributed trace, which the agent's tools send along.
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    /// Injects a value into the invocation, for tools and hooks. It takes precedence over the agent's value of the same type.
    pub fn inject<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.options.push(Box::new(move |invocation| invocation.inject(value)));
        self
    }

    /// Sets the limits of the invocation, in place of those of the agent.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Sets the maximum time of the turn, if it is shorter than that of the service.
    pub fn time_limit(mut self, time: Duration) -> Self {
        self.time_limit = Some(time);
        self
    }

    /// Sets the reaction to the drop of the last [`Turn`] of a running turn. Default: that of the service's limits.
    pub fn disconnect(mut self, reaction: Disconnect) -> Self {
        self.disconnect = reaction;
        self
    }

    /// Sets the id of the run, a UUID: that of the suspended run which this one resumes. Default: a random one.
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.run_id = Some(id.into());
        self
    }

    /// Sets the id of a new run, a UUID that the client made. If the client repeats the request, since it has not seen the
    /// response, the turn is refused with [`TurnError::RepeatedRun`]: the session has the prompt already.
    pub fn new_run(mut self, id: impl Into<String>) -> Self {
        self.is_repeatable = true;
        self.run_id(id)
    }

    /// Refuses the turn with [`TurnError::NotTheLastRun`] unless the last prompt of the session is that of this run, so that a
    /// client continues the conversation that it has seen. The prompt must still be in the agent's window of messages.
    pub fn after(mut self, run_id: impl Into<String>) -> Self {
        self.after = Some(run_id.into());
        self
    }

    /// Deletes the session at the end of the turn, unless the turn is suspended and can be resumed. For a new session.
    pub fn temporary(mut self) -> Self {
        self.is_temporary = true;
        self
    }

    /// Records no events: readers get the response only. It saves the memory for the events.
    pub fn without_events(mut self) -> Self {
        self.recording = Recording::Response;
        self
    }

    /// Records events, which is the default.
    pub(super) fn with_events(mut self) -> Self {
        self.recording = Recording::Events;
        self
    }

    /// Lets the reader poll the turn while it waits, without a task, so that an event needs no switch of tasks. For readers that
    /// take each event at once, such as connections. A task takes over when the reader is gone or does not poll, another reader
    /// attaches, or the turn is cancelled.
    #[cfg(feature = "http")]
    pub(crate) fn inline(mut self) -> Self {
        self.is_inline = true;
        self
    }

    /// Starts the turn, and returns a reader of its events. The turn runs in a task of its own.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError`] if the turn is refused: the session is unknown or busy, a limit is reached, the service is shutting
    /// down, or the agent can't be built.
    pub async fn start(self) -> Result<Turn, TurnError> {
        let Self { service, identity, session, prompt, responses, limits, time_limit, mut options, .. } = self;
        // A shutdown waits for the token, or has been announced before.
        let token = service.inner.tasks.token();
        if !service.accepts_turns() {
            return Err(TurnError::ShuttingDown);
        }
        let user = service.user_key(&identity);
        let session_id = service.session_id(&identity, session)?;
        let permit = service.inner.admission.admit(&user, &session_id).await?;
        if !service.accepts_turns() {
            // The shutdown began while the turn waited for its session.
            return Err(TurnError::ShuttingDown);
        }
        let run_id = self.run_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let prompt = tracked(prompt, &run_id);
        let builder = service.agent_of(&identity).await?;
        let agent = builder.session_manager(service.session_manager(&session_id)?).build();
        let agent = agent.await.map_err(TurnError::build)?;
        if self.after.is_some() && self.after.as_deref() != last_run(agent.messages()) {
            return Err(TurnError::NotTheLastRun);
        }
        if self.is_repeatable && agent.messages().iter().any(|message| message.tracking_id.as_ref() == Some(&run_id)) {
            return Err(TurnError::RepeatedRun);
        }

        if let Some(trace) = self.trace.clone() {
            options.push(Box::new(move |invocation| invocation.inject(trace)));
        }
        let cancellation = CancellationToken::new();
        let turn_time = service.inner.limits.turn_time;
        if let Some(time) = turn_time.into_iter().chain(time_limit).chain(host_deadline::time_left()).min() {
            options.push(Box::new(move |invocation| invocation.time_limit(time)));
        }
        if let Some(limits) = limits {
            options.push(Box::new(move |invocation| invocation.limits(limits)));
        }
        let token_of_run = cancellation.clone();
        options.push(Box::new(move |invocation| invocation.resume(responses).cancel_with(token_of_run)));
        let run = Run::new(run_id, session_id, user, cancellation, self.disconnect, &service.inner.limits);
        let run = Arc::new(run);
        service.inner.runs.add(&run)?;
        let mut turn = Turn::attached(Arc::clone(&run), None);
        let parts = Parts { agent, prompt, options, recording: self.recording, is_temporary: self.is_temporary };
        let driven = drive(service.clone(), Arc::clone(&run), parts, (permit, token)).in_current_span();
        #[cfg(feature = "otel")]
        let driven = match &self.trace {
            Some(trace) => strands_otel::in_context(trace, driven).left_future(),
            None => driven.right_future(),
        };
        if self.is_inline {
            // A panic has ended the run, and must not end the connection.
            let work = AssertUnwindSafe(driven).catch_unwind().map(drop).boxed();
            service.inner.runs.poll_with_reader(&run, work, &mut turn);
        } else {
            tokio::spawn(driven);
        }
        Ok(turn)
    }
}

/// Parts of the work of a turn.
struct Parts {
    agent: Agent,
    prompt: Prompt,
    options: Vec<InvocationOption>,
    recording: Recording,
    is_temporary: bool,
}

/// Runs a turn to its end.
async fn drive<T: Send>(service: AgentService, run: Arc<Run>, parts: Parts, held: (Permit, T)) {
    let ending = Ending::new(&service.inner.runs, &run, parts.recording);
    // Released first, also after a panic: the next turn of the session is admitted before a client learns of the end of this
    // one.
    let held = held;
    let Parts { mut agent, prompt, options, recording, is_temporary } = parts;
    let invocation = options.into_iter().fold(agent.prompt(prompt), |invocation, set| set(invocation));
    let outcome = match recording {
        Recording::Events => run.record(invocation.stream()).await,
        Recording::Response => invocation.await.map(Arc::new).map_err(TurnError::agent),
    };
    if outcome.as_ref().is_ok_and(|response| was_stopped(&response.stop_reason)) {
        save(&mut agent).await;
    }
    if is_temporary {
        delete_unless_suspended(&service, run.session_id(), &outcome).await;
    }
    drop(held);
    ending.end(outcome);
}

/// Returns true after the ends that leave a slow session little time for writes.
fn was_stopped(reason: &StopReason) -> bool {
    matches!(reason, StopReason::Cancelled | StopReason::LimitDuration)
}

/// Writes what a stopped invocation has left unsaved.
async fn save(agent: &mut Agent) {
    if !agent.has_unsaved_changes().is_ok_and(|unsaved| unsaved) {
        return;
    }
    match tokio::time::timeout(SAVE_TIMEOUT, agent.save()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(error = format!("{error:?}"), "the end of a turn was not saved"),
        Err(_) => tracing::error!("the end of a turn was not saved in time"),
    }
}

/// Deletes the session of a temporary turn that has ended.
async fn delete_unless_suspended(service: &AgentService, session_id: &str, outcome: &Outcome) {
    if outcome.as_ref().is_ok_and(|response| response.stop_reason == StopReason::Interrupt) {
        return;
    }
    match service.store().delete(session_id).await {
        // A turn that failed may have written nothing.
        Ok(()) | Err(SessionError::NotFound { .. }) => {}
        Err(error) => tracing::warn!(session_id, error = format!("{error:?}"), "a temporary session was not deleted"),
    }
}

/// Returns the id of the run of the last prompt.
fn last_run(messages: &[Arc<Message>]) -> Option<&str> {
    messages.iter().rfind(|message| message.is_prompt())?.tracking_id.as_deref()
}

/// Marks the prompt with the id of the run, by which its response is found in the session later.
fn tracked(prompt: Prompt, run_id: &str) -> Prompt {
    let mut messages = prompt.messages().to_vec();
    if let Some(first) = messages.first_mut() {
        first.tracking_id = Some(run_id.to_owned());
    }
    Prompt::from(messages)
}

impl IntoFuture for TurnRequest {
    type Output = Result<Arc<AgentResponse>, TurnError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.without_events().start().await?.response().await })
    }
}

impl fmt::Debug for TurnRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnRequest").field("session", &self.session).finish_non_exhaustive()
    }
}

impl AgentService {
    /// Returns the id of a session of an identity.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownSession`] if the session is not one of the identity's.
    pub fn session_id(&self, identity: &Identity, session: SessionChoice) -> Result<String, TurnError> {
        let ids = self.session_ids();
        match session {
            SessionChoice::Default => Ok(ids.default_for(identity)),
            SessionChoice::New => Ok(ids.new_for(identity)),
            SessionChoice::Named(name) => Ok(ids.named_for(identity, &name)),
            SessionChoice::Id(id) if ids.owns(identity, &id) => Ok(id),
            SessionChoice::Id(_) => Err(TurnError::UnknownSession),
        }
    }
}
