//! Fallback to other models. A provider that is down, throttled or rejects its key then causes an event in the stream
//! instead of a failed invocation.

mod candidate;
mod error_kinds;
mod failures;
mod first_content;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use self::candidate::Candidate;
pub use self::error_kinds::FallbackOn;
pub use self::failures::{FallbackFailures, FallbackStep};
use self::failures::{most_actionable, with_others};
use super::{Model, ModelCapabilities, ModelError, ModelErrorKind, ModelRequest, ModelStream, StreamEvent};
use crate::diagnostics;
use crate::usage::{ModelMetrics, Usage};

/// Default of [`Fallback::cool_down`].
const COOL_DOWN: Duration = Duration::from_secs(60);

type Predicate = dyn Fn(&ModelError) -> bool + Send + Sync;

/// A model that tries several models in order until one responds. Clones share the cool-downs.
///
/// ```
/// use strands::models::{Fallback, ModelError};
/// use strands::testing::{ScriptedModel, ScriptedTurn};
/// use strands::{Agent, AgentEvent, StreamExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let down = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("connection refused")));
/// let model = Fallback::new(down).or(ScriptedModel::responding("Hello."));
/// let mut agent = Agent::builder().model(model).build().await?;
///
/// let mut stream = agent.prompt("Hi").stream();
/// while let Some(event) = stream.next().await {
///     match event? {
///         AgentEvent::Fallback { from, to, error } => println!("{from} failed, trying {to}: {error}"),
///         AgentEvent::Result { response } => assert_eq!(response.text(), "Hello."),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Errors that trigger the fallback
///
/// Error kinds in [`FallbackOn`], and errors for which [`when`](Self::when) returns true. A response that breaks off counts
/// as the error that it breaks off with.
///
/// After a context overflow, only later models with a context window known to be larger are tried. If there are none, the
/// error is returned, and the agent's conversation manager truncates the conversation.
///
/// # Streaming
///
/// The fallback happens only before content has been streamed, so that no content is repeated by another model. A response
/// that breaks off after its first content is an error. The agent's retry discards the streamed content and starts with the
/// next model.
///
/// The response begins with a [`StreamEvent::Fallback`] for each model that failed, which an agent emits as
/// [`AgentEvent::Fallback`](crate::AgentEvent::Fallback).
///
/// # Cool-down
///
/// A model that failed is tried last for the time of [`cool_down`](Self::cool_down) or of the provider's `Retry-After`, so
/// that other calls do not wait for it. Skipping it emits no event. Then one request tries it again. Errors that depend on
/// the request (context overflow, content filter, response too large) start no cool-down.
///
/// # Errors
///
/// If all models fail, the error is the one with the shortest retry, else a context overflow, else the newest. The others
/// are in its source, [`FallbackFailures`].
///
/// # Model id and capabilities
///
/// [`model_id`](Model::model_id) is that of the first model; the model that responded is in the message's metadata and in
/// the event. [`context_window`](Model::context_window) is the smallest one that is known, and
/// [`capabilities`](Model::capabilities) are those that all models have. Tokens are counted by the model that is tried
/// first.
#[derive(Clone)]
pub struct Fallback {
    first: Arc<Candidate>,
    others: Vec<Arc<Candidate>>,
    on: FallbackOn,
    when: Option<Arc<Predicate>>,
    cool_down: Duration,
}

impl Fallback {
    /// Creates a fallback that tries this model first.
    pub fn new(first: impl Model + 'static) -> Self {
        Self {
            first: Arc::new(Candidate::new(first)),
            others: Vec::new(),
            on: FallbackOn::new(),
            when: None,
            cool_down: COOL_DOWN,
        }
    }

    /// Adds a model that is tried when those before it fail.
    #[must_use]
    pub fn or(mut self, model: impl Model + 'static) -> Self {
        self.others.push(Arc::new(Candidate::new(model)));
        self
    }

    /// Sets the error kinds that trigger the fallback. Default: [`FallbackOn::new`].
    #[must_use]
    pub fn on(mut self, on: FallbackOn) -> Self {
        self.on = on;
        self
    }

    /// Sets a predicate for further errors that trigger the fallback, in addition to [`on`](Self::on).
    ///
    /// ```
    /// use strands::models::{Fallback, FallbackOn};
    /// # use strands::testing::ScriptedModel;
    /// # let (cheap, expensive) = (ScriptedModel::responding("a"), ScriptedModel::responding("b"));
    ///
    /// // Retrying does not help when a quota is used up, but another provider has its own.
    /// let model = Fallback::new(cheap).or(expensive).when(|error| error.details().code() == Some("insufficient_quota"));
    /// ```
    #[must_use]
    pub fn when(mut self, failed: impl Fn(&ModelError) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(failed));
        self
    }

    /// Time for which a model that failed is tried last, unless its provider sends `Retry-After`. Default: 60 seconds;
    /// minimum: one second.
    #[must_use]
    pub fn cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    fn candidates(&self) -> impl Iterator<Item = &Arc<Candidate>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Returns all candidates in the order of the next attempts: available models first, then by the end of the cool-down.
    fn in_order(&self) -> VecDeque<&Arc<Candidate>> {
        let now = Instant::now();
        let mut order: Vec<_> =
            self.candidates().map(|candidate| (candidate.unavailable_until(now), candidate)).collect();
        order.sort_by_key(|(unavailable_until, _)| *unavailable_until);
        order.into_iter().map(|(_, candidate)| candidate).collect()
    }

    fn is_failure(&self, error: &ModelError) -> bool {
        self.on.contains(error.kind()) || self.when.as_ref().is_some_and(|failed| failed(error))
    }

    /// Updates the cool-down after an error. Returns true if the error triggers the fallback.
    fn record_failure(&self, candidate: &Candidate, error: &ModelError) -> bool {
        let failed = self.is_failure(error);
        if failed && !is_specific_to_request(error) {
            candidate.mark_failed(Instant::now(), self.cool_down, error.retry_after());
        } else {
            candidate.mark_available();
        }
        failed
    }
}

/// Returns the final error, after the usage that the failed responses have reported.
fn failed(error: ModelError, mut usage: Usage, announced: Vec<StreamEvent>) -> Result<ModelStream, ModelError> {
    for event in announced {
        if let StreamEvent::Fallback { usage: earlier, .. } = event {
            usage.add(earlier);
        }
    }
    if usage.is_zero() {
        return Err(error);
    }
    let metadata = StreamEvent::metadata(usage, ModelMetrics::default());
    Ok(stream::iter([Ok(metadata), Err(error)]).boxed())
}

/// True for errors that depend on the request and not on the model's availability.
fn is_specific_to_request(error: &ModelError) -> bool {
    use ModelErrorKind::{ContentFiltered, ContextOverflow, ResponseTooLarge};
    matches!(error.kind(), ContextOverflow | ContentFiltered | ResponseTooLarge)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Model for Fallback {
    fn model_id(&self) -> &str {
        self.first.model.model_id()
    }

    fn context_window(&self) -> Option<u64> {
        self.candidates().filter_map(|candidate| candidate.model.context_window()).min()
    }

    fn capabilities(&self) -> ModelCapabilities {
        let others = self.others.iter().map(|candidate| candidate.model.capabilities());
        others.fold(self.first.model.capabilities(), |all, one| {
            let ModelCapabilities { tool_choice, structured_output, server_tools } = one;
            all.with_tool_choice(all.tool_choice && tool_choice)
                .with_structured_output(all.structured_output && structured_output)
                // Letting the model respond first also works for models without server tools.
                .with_server_tools(all.server_tools || server_tools)
        })
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let mut queue = self.in_order();
        let mut candidate = queue.pop_front().unwrap_or(&self.first);
        let (mut announced, mut failures) = (Vec::new(), Vec::new());
        loop {
            candidate.begin_attempt(Instant::now(), self.cool_down);
            let (error, usage) = match self.open(candidate, request, &mut announced).await {
                Ok(events) => return Ok(events),
                Err(failed) => failed,
            };
            let from = candidate.model.model_id().to_owned();
            if !self.record_failure(candidate, &error) {
                if !matches!(error, ModelError::ContextOverflow { .. }) {
                    return failed(with_others(from, error, failures), usage, announced);
                }
                let too_small = candidate.model.context_window();
                queue.retain(|next| too_small.is_some() && next.model.context_window() > too_small);
            }
            let Some(next) = queue.pop_front() else {
                return failed(most_actionable(failures, (from, error)), usage, announced);
            };
            let to = next.model.model_id().to_owned();
            diagnostics::fallback(&from, &to, error.kind().as_str());
            announced.push(StreamEvent::Fallback { from: from.clone(), to, error: error.to_string(), usage });
            failures.push((from, error));
            candidate = next;
        }
    }

    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        let first = self.in_order().pop_front().unwrap_or(&self.first);
        first.model.count_tokens(request).await
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("candidates", &self.candidates().collect::<Vec<_>>())
            .field("on", &self.on)
            .field("cool_down", &self.cool_down)
            .finish_non_exhaustive()
    }
}
