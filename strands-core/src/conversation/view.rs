//! A conversation as its manager sees and changes it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::history::History;
use crate::message::{Message, Role, SystemBlock};
use crate::metrics::Usage;
use crate::models::{
    Failures, Model, ModelError, ModelRequest, RetryPolicy, ToolSpecs, Turn, TurnBuilder, estimate, estimate_tokens,
};

/// The state's name for the number of the message that was the newest when the conversation was last shortened: what
/// older answers say about its size is no longer true.
const SHORTENED_AT: &str = "shortened_at";

/// What a request without a known context window is measured against, as in Strands.
const CONTEXT_WINDOW: u64 = 200_000;

/// How long an answer to a manager may be.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// A conversation that a [`ConversationManager`](super::ConversationManager) may shorten.
///
/// What is changed here changes what the model sees; a session keeps what was said. Where messages of one side meet
/// because those between them went, a short note of the other side is put there, so that roles alternate.
pub struct Conversation<'a> {
    history: &'a mut History,
    state: &'a mut Map<String, Value>,
    model: &'a dyn Model,
    system: &'a [SystemBlock],
    tools: Option<&'a ToolSpecs>,
    retry: RetryPolicy,
    /// True when changes are taken back unless the model answers.
    revertible: bool,
    /// True when what was shortened before is brought back.
    restoring: bool,
    cost: Cost,
}

/// What a manager's own model calls have cost.
#[derive(Clone, Copy, Debug, Default)]
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
        }
    }

    /// What the model is sent beside the messages, and when a failed call is made again.
    pub(crate) fn sent_with(mut self, system: &'a [SystemBlock], tools: &'a ToolSpecs, retry: RetryPolicy) -> Self {
        (self.system, self.tools, self.retry) = (system, Some(tools), retry);
        self
    }

    /// Changes are taken back unless the model answers.
    pub(crate) fn before_an_answer(mut self) -> Self {
        self.revertible = true;
        self
    }

    /// Changes bring back what was changed before.
    pub(crate) fn restoring(mut self) -> Self {
        self.restoring = true;
        self
    }

    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    /// The messages, oldest first.
    pub fn messages(&self) -> &[Arc<Message>] {
        self.history.messages()
    }

    /// Zero-based index in the whole conversation of the message at this position. It stays the same however much is
    /// removed, and in a session. `None` for one that nobody said, such as a summary.
    pub fn number(&self, place: usize) -> Option<u64> {
        self.history.number(place)
    }

    /// Removes the messages at these places. Returns how many went.
    pub fn remove(&mut self, places: Range<usize>) -> usize {
        self.remove_where(|at| places.contains(&at))
    }

    /// Removes the messages at the places for which `goes` is true. Returns how many went.
    pub fn remove_where(&mut self, goes: impl FnMut(usize) -> bool) -> usize {
        self.remember();
        let removed = self.history.remove_where(goes);
        if removed > 0 {
            self.changed();
        }
        removed
    }

    /// Puts another message in the place of one.
    pub fn replace(&mut self, place: usize, message: Message) {
        self.remember();
        self.history.replace(place, message);
        self.changed();
    }

    /// Puts a message that nobody said, such as a summary, before the one at this place.
    pub fn insert(&mut self, place: usize, message: Message) {
        self.remember();
        self.history.insert(place, message);
        self.changed();
    }

    /// Takes the notes away that stand where messages went. They come back where they are still needed.
    pub(super) fn remove_gap_notes(&mut self) {
        if (0..self.messages().len()).any(|at| self.is_gap_note(at)) {
            self.remember();
            self.history.remove_gap_notes();
        }
    }

    /// Returns true for a note that stands where messages were removed.
    pub(super) fn is_gap_note(&self, place: usize) -> bool {
        self.history.is_gap_note(place)
    }

    /// Returns the index of the message with this number, which may have been joined from several.
    pub(super) fn with_number(&self, number: u64) -> Option<usize> {
        self.history.with_number(number)
    }

    /// What the manager remembers of this conversation. It is kept with the agent, not in the manager, so that one
    /// manager serves many agents.
    pub fn state(&mut self) -> &mut Map<String, Value> {
        self.remember();
        self.state
    }

    /// What the manager remembers, to look at.
    pub(super) fn remembered(&self, name: &str) -> Option<&Value> {
        self.state.get(name)
    }

    /// The agent's model.
    pub fn model(&self) -> &'a dyn Model {
        self.model
    }

    /// How many tokens a request may have; 200,000 where the model does not know.
    pub fn context_window(&self) -> u64 {
        self.model.context_window().unwrap_or(CONTEXT_WINDOW)
    }

    /// How many tokens the next request will have, system prompt and tools included: what the newest answer says that
    /// its call read and wrote, and an estimate of what is new since; or an estimate of everything, where no answer says
    /// so or the conversation was shortened since.
    pub fn projected_tokens(&self) -> u64 {
        let shortened_at = self.state.get(SHORTENED_AT).and_then(Value::as_u64);
        let mut new: u64 = 0;
        for (at, message) in self.messages().iter().enumerate().rev() {
            if self.number(at).is_some_and(|number| Some(number) <= shortened_at) {
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

    /// An estimate of the tokens of the message at this place.
    pub fn estimated_tokens(&self, place: usize) -> u64 {
        self.messages().get(place).map_or(0, |message| estimate::message(message))
    }

    /// Asks a model something, such as for a summary. Failures that pass are tried again as the agent's
    /// [`RetryPolicy`] says, and what it costs counts in the agent's metrics and limits.
    ///
    /// # Errors
    ///
    /// [`ModelError`] as the model says.
    pub async fn ask(&mut self, model: &dyn Model, request: ModelRequest<'_>) -> Result<Turn, ModelError> {
        let began = Instant::now();
        let mut failures = Failures::default();
        loop {
            let error = match self.attempt(model, request).await {
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

    async fn attempt(&mut self, model: &dyn Model, request: ModelRequest<'_>) -> Result<Turn, ModelError> {
        let began = Instant::now();
        let mut answer = TurnBuilder::new(MAX_ANSWER_BYTES);
        let answered = async {
            let mut events = model.stream(request).await?;
            while let Some(event) = events.next().await {
                answer.push(&event?)?;
            }
            if answer.is_complete() {
                Ok(())
            } else {
                Err(ModelError::transport("the stream ended before its stop event"))
            }
        };
        let answered = answered.await;
        self.cost.usage.add(answer.usage());
        self.cost.latency = self.cost.latency.saturating_add(began.elapsed());
        answered.and_then(|()| answer.finish())
    }

    /// Older messages than the newest are no longer there.
    pub(super) fn clamp_shortened_at(&mut self) {
        let newest = self.history.newest_number();
        let shortened_at = self.state.get(SHORTENED_AT).and_then(Value::as_u64);
        if shortened_at > newest {
            match newest {
                Some(newest) => self.state.insert(SHORTENED_AT.to_owned(), newest.into()),
                None => self.state.shift_remove(SHORTENED_AT),
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
            self.state.insert(SHORTENED_AT.to_owned(), newest.into());
        }
    }
}

impl std::fmt::Debug for Conversation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("messages", &self.messages().len()).finish_non_exhaustive()
    }
}
