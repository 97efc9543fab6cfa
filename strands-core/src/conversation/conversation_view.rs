//! View of a conversation for its manager.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::recorded_calls::{Interruption, RecordedCalls};
use crate::history::{History, Removals};
use crate::journal::Recorder;
use crate::message::{Message, Role, SystemBlock};
use crate::metrics::Usage;
use crate::models::{
    Failures, Model, ModelError, ModelRequest, RetryPolicy, StopReason, ToolSpecs, Turn, TurnBuilder, estimate,
    estimate_tokens,
};

/// Key, in the manager's state, of the number of the newest message at the last reduction. Usage that older responses report
/// is out of date.
pub(crate) const REDUCED_AT: &str = "shortened_at";

/// Assumed context window of a model that does not know it, in tokens, as in Python Strands.
const CONTEXT_WINDOW: u64 = 200_000;

/// Maximum size of a response to a manager, in bytes.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// View of a conversation through which a [`ConversationManager`](super::ConversationManager) reduces it.
///
/// Changes affect the messages that are sent to the model; the session retains all messages. If a removal leaves two
/// messages of the same role next to each other, a short note with the other role is inserted, so that roles alternate.
pub struct Conversation<'a> {
    history: &'a mut History,
    state: &'a mut Map<String, Value>,
    model: &'a dyn Model,
    system: &'a [SystemBlock],
    tools: Option<&'a ToolSpecs>,
    retry: RetryPolicy,
    /// True if changes are reverted unless the model responds.
    revertible: bool,
    /// True while earlier reductions are repeated.
    restoring: bool,
    cost: Cost,
    recording: Option<Box<RecordedCalls<'a>>>,
}

/// Usage and latency of a manager's own model calls.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) usage: Usage,
    pub(crate) latency: Duration,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(history: &'a mut History, state: &'a mut Map<String, Value>, model: &'a dyn Model) -> Self {
        Self {
            history,
            state,
            model,
            system: &[],
            tools: None,
            retry: RetryPolicy::never(),
            revertible: false,
            restoring: false,
            cost: Cost::default(),
            recording: None,
        }
    }

    /// Records the manager's model calls. With a journal, they end when the invocation is stopped.
    pub(crate) fn recorded_by(
        mut self,
        recorder: &'a Recorder<'a>,
        stopped: Option<BoxFuture<'static, StopReason>>,
    ) -> Self {
        self.recording = Some(Box::new(RecordedCalls::new(recorder, stopped)));
        self
    }

    /// Returns the reason for which a recorded model call ended without an outcome.
    pub(crate) fn take_interruption(&mut self) -> Option<Interruption> {
        self.recording.as_mut()?.take_interruption()
    }

    /// Sets the tracking id of a message without one.
    pub(super) fn track(&self, message: &mut Message) {
        match &self.recording {
            Some(recording) if message.tracking_id.is_none() => {
                message.tracking_id = Some(recording.id());
            }
            _ => message.track(),
        }
    }

    /// Sets the rest of the request, and the retry policy of the manager's model calls.
    pub(crate) fn with_request(mut self, system: &'a [SystemBlock], tools: &'a ToolSpecs, retry: RetryPolicy) -> Self {
        (self.system, self.tools, self.retry) = (system, Some(tools), retry);
        self
    }

    /// Reverts changes unless the model responds.
    pub(crate) fn revertible(mut self) -> Self {
        self.revertible = true;
        self
    }

    /// Marks changes as repetitions of earlier reductions.
    pub(crate) fn restoring(mut self) -> Self {
        self.restoring = true;
        self
    }

    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    /// Returns the messages, oldest first.
    pub fn messages(&self) -> &[Arc<Message>] {
        self.history.messages()
    }

    /// Returns the zero-based position, in the whole conversation, of the message at this index.
    ///
    /// It does not change when messages are removed, and is the same in a session. `None` for a message that is not part of
    /// the whole conversation, such as a summary.
    pub fn number(&self, index: usize) -> Option<u64> {
        self.history.number(index)
    }

    /// Removes the messages at these indices. Returns the number of removed messages.
    pub fn remove(&mut self, indices: Range<usize>) -> usize {
        self.remove_where(|at| indices.contains(&at))
    }

    /// Removes the messages at indices for which `remove` returns true. Returns the number of removed messages.
    pub fn remove_where(&mut self, remove: impl FnMut(usize) -> bool) -> usize {
        self.remember();
        let removed = self.history.remove_where(remove);
        if removed > 0 {
            self.changed();
        }
        removed
    }

    /// As [`remove_where`](Self::remove_where), for a trim to a window. Its manager repeats it when a session is restored.
    pub(super) fn trim_to_window(&mut self, window: usize, remove: impl FnMut(usize) -> bool) -> usize {
        self.remember();
        let removed = self.history.trim_to_window(window, remove);
        if removed > 0 {
            self.changed();
        }
        removed
    }

    /// Records the window whose trims were repeated and will be, or `None` for another window than that of the manager.
    pub(super) fn repeats_trims_to(&mut self, window: Option<usize>) {
        self.history.set_removals(window.map_or(Removals::None, Removals::ToWindow));
    }

    /// Records that the newest repeated reduction was made when the message with this number was the newest.
    pub(super) fn reduced_at(&mut self, number: u64) {
        self.state.insert(REDUCED_AT.to_owned(), number.into());
    }

    /// Replaces the message at this index.
    pub fn replace(&mut self, index: usize, message: Message) {
        self.remember();
        self.history.replace(index, message);
        self.changed();
    }

    /// Inserts a message, such as a summary, before the one at this index. It does not become part of the session.
    pub fn insert(&mut self, index: usize, mut message: Message) {
        self.remember();
        self.track(&mut message);
        self.history.insert(index, message);
        self.changed();
    }

    /// Removes the notes that were inserted between messages of the same role. They are inserted again where needed.
    pub(super) fn remove_gap_notes(&mut self) {
        if (0..self.messages().len()).any(|at| self.is_gap_note(at)) {
            self.remember();
            self.history.remove_gap_notes();
        }
    }

    /// Returns true if the message is a note between messages of the same role.
    pub(super) fn is_gap_note(&self, index: usize) -> bool {
        self.history.is_gap_note(index)
    }

    /// Returns the index of the message with this number. The message may be joined from several.
    pub(super) fn with_number(&self, number: u64) -> Option<usize> {
        self.history.with_number(number)
    }

    /// Returns the manager's state for this conversation. It belongs to the agent and not to the manager, so that many
    /// agents can share a manager.
    pub fn state(&mut self) -> &mut Map<String, Value> {
        self.remember();
        self.state
    }

    /// Returns a value of the manager's state.
    pub(super) fn state_value(&self, name: &str) -> Option<&Value> {
        self.state.get(name)
    }

    /// Returns the agent's model.
    pub fn model(&self) -> &'a dyn Model {
        self.model
    }

    /// Returns the size of the model's context window in tokens, or 200,000 if it is not known.
    pub fn context_window(&self) -> u64 {
        self.model.context_window().unwrap_or(CONTEXT_WINDOW)
    }

    /// Returns the projected tokens of the next request, including system prompt and tools.
    ///
    /// This is the usage of the newest response, plus an estimate of later messages. If no response has reported usage since
    /// the last reduction, it is an estimate of the whole request.
    pub fn projected_tokens(&self) -> u64 {
        let reduced_at = self.state.get(REDUCED_AT).and_then(Value::as_u64);
        let mut new: u64 = 0;
        for (at, message) in self.messages().iter().enumerate().rev() {
            if self.number(at).is_some_and(|number| Some(number) <= reduced_at) {
                break;
            }
            let usage =
                message.metadata.as_ref().and_then(|known| known.usage).filter(|usage| usage.prompt_tokens() > 0);
            if let (Role::Assistant, Some(usage)) = (message.role, usage) {
                return usage.prompt_tokens().saturating_add(usage.output_tokens).saturating_add(new);
            }
            new = new.saturating_add(estimate::message(message));
        }
        let request = ModelRequest::new(self.messages()).with_system(self.system);
        estimate_tokens(&self.tools.map_or(request, |tools| request.with_tools(tools)))
    }

    /// Returns the estimated tokens of the message at this index.
    pub fn estimated_tokens(&self, index: usize) -> u64 {
        self.messages().get(index).map_or(0, |message| estimate::message(message))
    }

    /// Sends a request to a model, such as for a summary.
    ///
    /// It is retried by the agent's [`RetryPolicy`], and its usage counts in the agent's metrics and limits. A
    /// [`Journal`](crate::Journal) records each attempt, so that a replay does not repeat it; a manager runs again in a replay, and
    /// has no other effects.
    ///
    /// # Errors
    ///
    /// Returns the [`ModelError`] of the last attempt.
    pub async fn ask(&mut self, model: &dyn Model, request: ModelRequest<'_>) -> Result<Turn, ModelError> {
        let began = Instant::now();
        let mut failures = Failures::default();
        if let Some(recording) = &mut self.recording {
            return recording.ask((model, request), self.retry, &mut self.cost).await;
        }
        loop {
            let (response, cost) = attempt(model, request).await;
            self.cost.add(cost);
            let error = match response {
                Ok(turn) => return Ok(turn),
                Err(error) => error,
            };
            failures.add(&error);
            match self.retry.delay(&error, failures, began.elapsed(), fastrand::f64()) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(error),
            }
        }
    }

    /// Limits the number of the last reduction to that of the newest message, after newer messages have been removed.
    pub(super) fn clamp_reduced_at(&mut self) {
        let newest = self.history.newest_number();
        let reduced_at = self.state.get(REDUCED_AT).and_then(Value::as_u64);
        if reduced_at > newest {
            match newest {
                Some(newest) => self.state.insert(REDUCED_AT.to_owned(), newest.into()),
                None => self.state.shift_remove(REDUCED_AT),
            };
        }
    }

    fn remember(&mut self) {
        if self.revertible {
            self.history.snapshot_before_truncation(self.state);
        }
    }

    fn changed(&mut self) {
        if self.restoring {
            return;
        }
        if let Some(newest) = self.history.newest_number() {
            self.state.insert(REDUCED_AT.to_owned(), newest.into());
        }
    }
}

/// Makes one attempt of a manager's model call.
pub(super) async fn attempt(model: &dyn Model, request: ModelRequest<'_>) -> (Result<Turn, ModelError>, Cost) {
    let began = Instant::now();
    let mut turn = TurnBuilder::new(MAX_RESPONSE_BYTES);
    let response = async {
        let mut events = model.stream(request).await?;
        while let Some(event) = events.next().await {
            turn.push(&event?)?;
        }
        if turn.is_complete() { Ok(()) } else { Err(ModelError::transport("the stream ended before its stop event")) }
    };
    let response = response.await;
    let cost = Cost { usage: turn.usage(), latency: began.elapsed() };
    (response.and_then(|()| turn.finish()), cost)
}

impl Cost {
    pub(super) fn add(&mut self, other: Self) {
        self.usage.add(other.usage);
        self.latency = self.latency.saturating_add(other.latency);
    }
}

impl std::fmt::Debug for Conversation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("messages", &self.messages().len()).finish_non_exhaustive()
    }
}
