//! Scripted model for tests, with predefined responses.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::message::{Message, SystemBlock, random_call_id};
use crate::metrics::{ModelMetrics, Usage};
use crate::models::{
    ErrorDetails, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, OutputSchema, StopReason,
    StreamEvent, ToolChoice, ToolUseStart,
};

/// A model with predefined responses that records its requests. Clones share both.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use strands::{Agent, testing::{ScriptedModel, ScriptedTurn}};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let model = ScriptedModel::new([
///     ScriptedTurn::tool_use("get_weather", json!({"city": "Oslo"})),
///     ScriptedTurn::text("There is no such tool here."),
/// ]);
/// let mut agent = Agent::builder().model(model.clone()).build().await?;
///
/// agent.prompt("How is the weather?").await?;
/// let requests = model.requests();
/// assert_eq!(requests.len(), 2);
/// assert!(requests[1].messages.last().unwrap().tool_results().all(|result| result.is_error()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct ScriptedModel {
    script: Arc<Script>,
    capabilities: ModelCapabilities,
}

struct Script {
    turns: Mutex<VecDeque<ScriptedTurn>>,
    /// Creates the response when no turns are left.
    respond: Option<Box<Respond>>,
    requests: Mutex<Vec<RecordedRequest>>,
}

type Respond = dyn Fn(&ModelRequest<'_>) -> ScriptedTurn + Send + Sync;

/// A request that a [`ScriptedModel`] has received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// Messages of the conversation.
    pub messages: Vec<Arc<Message>>,
    /// System prompt.
    pub system: Vec<SystemBlock>,
    /// Names of the tools, in order.
    pub tools: Vec<String>,
    /// Tools that the model must call.
    pub tool_choice: Option<ToolChoice>,
    /// Schema for native structured output.
    pub output_schema: Option<OutputSchema>,
}

/// One response of a [`ScriptedModel`].
pub struct ScriptedTurn {
    /// Error returned instead of a stream.
    error: Option<ModelError>,
    events: Vec<StreamEvent>,
    /// Error at the end of the stream.
    stream_error: Option<ModelError>,
    /// True if the stream stays open without further events.
    stalls: bool,
}

impl ScriptedModel {
    /// Creates a model with these responses, in order. Further requests fail.
    pub fn new(turns: impl IntoIterator<Item = ScriptedTurn>) -> Self {
        Self::with(turns, None)
    }

    /// Creates a model that always responds with this text.
    pub fn responding(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::from_fn(move |_| ScriptedTurn::text(text.as_str()))
    }

    /// Creates a model whose responses are computed from the requests.
    pub fn from_fn(respond: impl Fn(&ModelRequest<'_>) -> ScriptedTurn + Send + Sync + 'static) -> Self {
        Self::with([], Some(Box::new(respond)))
    }

    fn with(turns: impl IntoIterator<Item = ScriptedTurn>, respond: Option<Box<Respond>>) -> Self {
        let turns = Mutex::new(turns.into_iter().collect());
        let script = Arc::new(Script { turns, respond, requests: Mutex::default() });
        Self { script, capabilities: ModelCapabilities::default() }
    }

    /// Sets the model's capabilities. The script is shared with the original.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: ModelCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Returns the requests received so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.script.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn next(&self, request: &ModelRequest<'_>) -> ScriptedTurn {
        let recorded = RecordedRequest {
            messages: request.messages.to_vec(),
            system: request.system.to_vec(),
            tools: request.tools.iter().map(|spec| spec.name.clone()).collect(),
            tool_choice: request.tool_choice.cloned(),
            output_schema: request.output_schema.cloned(),
        };
        self.script.requests.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        let next = self.script.turns.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match (next, &self.script.respond) {
            (Some(turn), _) => turn,
            (None, Some(respond)) => respond(request),
            (None, None) => {
                let details = ErrorDetails::new().with_code("the script has no more turns");
                ScriptedTurn::error(ModelError::InvalidRequest { details: details.boxed() })
            }
        }
    }
}

#[async_trait]
impl Model for ScriptedModel {
    fn model_id(&self) -> &str {
        "scripted"
    }

    fn capabilities(&self) -> ModelCapabilities {
        self.capabilities
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let ScriptedTurn { error, events, stream_error, stalls } = self.next(&request);
        if let Some(error) = error {
            return Err(error);
        }
        let events = stream::iter(events.into_iter().map(Ok).chain(stream_error.map(Err)));
        Ok(if stalls { events.chain(stream::pending()).boxed() } else { events.boxed() })
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedModel").finish_non_exhaustive()
    }
}

impl ScriptedTurn {
    /// Creates a text response, streamed word by word.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut events = vec![StreamEvent::start()];
        events.extend(text.split_inclusive(' ').map(|word| StreamEvent::text(0, word)));
        events.push(StreamEvent::block_stop(0));
        Self::ending(events, StopReason::EndTurn)
    }

    /// Creates a response with a tool call.
    pub fn tool_use(name: impl Into<String>, input: Value) -> Self {
        Self::tool_uses([(name, input)])
    }

    /// Creates a response with several tool calls.
    pub fn tool_uses(calls: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Self {
        let calls = calls.into_iter().map(|(name, input)| (name, input.to_string()));
        Self::raw_tool_uses(calls)
    }

    /// Creates a response with several tool calls whose arguments need not be valid JSON.
    pub fn raw_tool_uses(calls: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        let mut events = vec![StreamEvent::start()];
        for (index, (name, input)) in calls.into_iter().enumerate() {
            let id = random_call_id();
            events.push(StreamEvent::tool_use(index, ToolUseStart::new(id, name)));
            events.push(StreamEvent::tool_input(index, input));
            events.push(StreamEvent::block_stop(index));
        }
        Self::ending(events, StopReason::ToolUse)
    }

    fn ending(mut events: Vec<StreamEvent>, stop_reason: StopReason) -> Self {
        events.push(StreamEvent::stop(stop_reason));
        events.push(StreamEvent::metadata(Usage::new(10, 5), ModelMetrics::new(1)));
        Self::events(events)
    }

    /// Creates a response of exactly these events.
    pub fn events(events: impl IntoIterator<Item = StreamEvent>) -> Self {
        Self { error: None, events: events.into_iter().collect(), stream_error: None, stalls: false }
    }

    /// Creates a failed request.
    pub fn error(error: ModelError) -> Self {
        Self { error: Some(error), ..Self::events([]) }
    }

    /// Truncates the response to its first `events` events and then fails with `error`.
    #[must_use]
    pub fn breaking_after(mut self, events: usize, error: ModelError) -> Self {
        self.events.truncate(events);
        self.stream_error = Some(error);
        self
    }

    /// Truncates the response to its first `events` events and then stalls: the stream stays open.
    #[must_use]
    pub fn stalling_after(mut self, events: usize) -> Self {
        self.events.truncate(events);
        self.stalls = true;
        self
    }

    /// Sets the stop reason.
    #[must_use]
    pub fn with_stop_reason(mut self, reason: StopReason) -> Self {
        for event in &mut self.events {
            if let StreamEvent::MessageStop { stop_reason, .. } = event {
                stop_reason.clone_from(&reason);
            }
        }
        self
    }

    /// Sets the token usage.
    #[must_use]
    pub fn with_usage(mut self, tokens: Usage) -> Self {
        for event in &mut self.events {
            if let StreamEvent::Metadata { usage, .. } = event {
                *usage = tokens;
            }
        }
        self
    }
}

impl fmt::Debug for ScriptedTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedTurn").field("events", &self.events).finish_non_exhaustive()
    }
}
