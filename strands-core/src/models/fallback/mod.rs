//! Several models behind one: when the first can't answer, the next is asked. A provider that is down, throttled or has
//! lost a key is then an event in the stream instead of the end of an invocation.

mod candidate;
mod failures;
mod on;
mod opening;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use self::candidate::Candidate;
pub use self::failures::FallbackFailures;
use self::failures::{most_telling, with_others};
pub use self::on::FallbackOn;
use super::{Model, ModelCapabilities, ModelError, ModelErrorKind, ModelRequest, ModelStream, StreamEvent};
use crate::diagnostics;
use crate::usage::{ModelMetrics, Usage};

/// How long a model that failed stays out by default.
const COOL_DOWN: Duration = Duration::from_secs(60);

type When = dyn Fn(&ModelError) -> bool + Send + Sync;

/// Several models behind one: they are asked in order until one answers. Clones share what is known of failures.
///
/// ```
/// use strands::models::{Fallback, ModelError};
/// use strands::testing::{ScriptedModel, ScriptedTurn};
/// use strands::{Agent, AgentEvent, StreamExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let down = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("connection refused")));
/// let model = Fallback::new(down).or(ScriptedModel::answering("Hello."));
/// let mut agent = Agent::builder().model(model).build().await?;
///
/// let mut stream = agent.prompt("Hi").stream();
/// while let Some(event) = stream.next().await {
///     match event? {
///         AgentEvent::Fallback { from, to, error } => println!("{from} gave way to {to}: {error}"),
///         AgentEvent::Result { response } => assert_eq!(response.text(), "Hello."),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # What counts
///
/// The errors of [`FallbackOn`] make the next model answer, and those that [`when`](Self::when) says yes to. An answer
/// that breaks off counts as the error it breaks with.
///
/// A conversation that overflows a model's context window goes to later models whose window is known to be larger. Where
/// there is none the error comes out, and the conversation manager shortens the conversation.
///
/// # When
///
/// Only before content has been streamed; what has been shown is never said a second time by another model. An answer
/// that breaks after its first content is an error, as that of any model, and the loop's retry, which takes back what
/// was shown, begins with the next model.
///
/// The stream of the model that answers begins with a [`StreamEvent::Fallback`] for each that gave way, which the agent's
/// listener gets as [`AgentEvent::Fallback`](crate::AgentEvent::Fallback).
///
/// # Who is asked first
///
/// A model that failed is out for [`cool_down`](Self::cool_down), or for as long as its provider says in `Retry-After`:
/// it is asked last, so that calls in the meantime do not wait for it, and nothing is announced. Then one request finds
/// out whether it answers again. Errors that are due to the one request (an overflow, a filter, an answer too large) put
/// nobody out.
///
/// When all fail, the error is the one that says most: the one that can be retried soonest, else one that shortening
/// can mend, else the newest. The others are beneath it, in [`FallbackFailures`].
///
/// # As a model
///
/// [`model_id`](Model::model_id) is that of the first model: who answered is in the message's metadata and in the event.
/// [`context_window`](Model::context_window) is the smallest that is known, and [`capabilities`](Model::capabilities) are
/// what all have, since nobody knows who will answer. Tokens are counted by the model that would be asked first.
#[derive(Clone)]
pub struct Fallback {
    first: Arc<Candidate>,
    others: Vec<Arc<Candidate>>,
    on: FallbackOn,
    when: Option<Arc<When>>,
    cool_down: Duration,
}

impl Fallback {
    /// Asks this model first.
    pub fn new(first: impl Model + 'static) -> Self {
        Self {
            first: Arc::new(Candidate::new(first)),
            others: Vec::new(),
            on: FallbackOn::new(),
            when: None,
            cool_down: COOL_DOWN,
        }
    }

    /// Asks this model when those before it can't answer.
    #[must_use]
    pub fn or(mut self, model: impl Model + 'static) -> Self {
        self.others.push(Arc::new(Candidate::new(model)));
        self
    }

    /// Which errors make the next model answer. Replaces the default.
    #[must_use]
    pub fn on(mut self, on: FallbackOn) -> Self {
        self.on = on;
        self
    }

    /// Which errors make the next model answer, beside those of [`on`](Self::on).
    ///
    /// ```
    /// use strands::models::{Fallback, FallbackOn};
    /// # use strands::testing::ScriptedModel;
    /// # let (cheap, dear) = (ScriptedModel::answering("a"), ScriptedModel::answering("b"));
    ///
    /// // A quota that is used up is no error that waiting mends, but another provider has its own.
    /// let model = Fallback::new(cheap).or(dear).when(|error| error.details().code() == Some("insufficient_quota"));
    /// ```
    #[must_use]
    pub fn when(mut self, failed: impl Fn(&ModelError) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(failed));
        self
    }

    /// How long a model that failed is asked last, unless its provider says how long. Default: a minute; never less than
    /// a second.
    #[must_use]
    pub fn cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    fn candidates(&self) -> impl Iterator<Item = &Arc<Candidate>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// All, in the order in which they would be asked now: those that are out come last, and of them those first that
    /// come back first.
    fn in_order(&self) -> VecDeque<&Arc<Candidate>> {
        let now = Instant::now();
        let mut order: Vec<_> = self.candidates().map(|candidate| (candidate.out_until(now), candidate)).collect();
        order.sort_by_key(|(out_until, _)| *out_until);
        order.into_iter().map(|(_, candidate)| candidate).collect()
    }

    fn is_failure(&self, error: &ModelError) -> bool {
        self.on.contains(error.kind()) || self.when.as_ref().is_some_and(|failed| failed(error))
    }

    /// Remembers what an error says of a model. Returns true when another may answer in its place.
    fn note(&self, candidate: &Candidate, error: &ModelError) -> bool {
        let failed = self.is_failure(error);
        if failed && !is_of_the_request(error) {
            candidate.failed(Instant::now(), self.cool_down, error.retry_after());
        } else {
            candidate.works();
        }
        failed
    }
}

/// The failure of all models. What they have told of their cost comes before it.
fn failed(error: ModelError, mut usage: Usage, announced: Vec<StreamEvent>) -> Result<ModelStream, ModelError> {
    for event in announced {
        if let StreamEvent::Fallback { usage: earlier, .. } = event {
            usage.add(earlier);
        }
    }
    if usage.is_nothing() {
        return Err(error);
    }
    let told = StreamEvent::metadata(usage, ModelMetrics::default());
    Ok(stream::iter([Ok(told), Err(error)]).boxed())
}

/// True for errors that say nothing of the model's health.
fn is_of_the_request(error: &ModelError) -> bool {
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
                // To let a model answer first does no harm to one that needn't.
                .with_server_tools(all.server_tools || server_tools)
        })
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let mut queue = self.in_order();
        let mut candidate = queue.pop_front().unwrap_or(&self.first);
        let (mut announced, mut failures) = (Vec::new(), Vec::new());
        loop {
            candidate.ask(Instant::now(), self.cool_down);
            let (error, usage) = match self.open(candidate, request, &mut announced).await {
                Ok(events) => return Ok(events),
                Err(failed) => failed,
            };
            let from = candidate.model.model_id().to_owned();
            if !self.note(candidate, &error) {
                if !matches!(error, ModelError::ContextOverflow { .. }) {
                    return failed(with_others(from, error, failures), usage, announced);
                }
                let too_small = candidate.model.context_window();
                queue.retain(|next| too_small.is_some() && next.model.context_window() > too_small);
            }
            let Some(next) = queue.pop_front() else {
                return failed(most_telling(failures, (from, error)), usage, announced);
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
