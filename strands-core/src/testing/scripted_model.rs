//! A model that answers with what a test has written down.

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

/// A model that answers with what a test wrote down, and remembers what it was asked. Clones share both.
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
/// let asked = model.requests();
/// assert_eq!(asked.len(), 2);
/// assert!(asked[1].messages.last().unwrap().tool_results().all(|result| result.is_error()));
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
    /// Answers when the turns have run out.
    otherwise: Option<Box<Otherwise>>,
    requests: Mutex<Vec<RecordedRequest>>,
}

type Otherwise = dyn Fn(&ModelRequest<'_>) -> ScriptedTurn + Send + Sync;

/// What a [`ScriptedModel`] was asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The conversation.
    pub messages: Vec<Arc<Message>>,
    /// The system prompt.
    pub system: Vec<SystemBlock>,
    /// The names of the tools, in order.
    pub tools: Vec<String>,
    /// Which tools had to be called.
    pub tool_choice: Option<ToolChoice>,
    /// The JSON that the answer had to be.
    pub output_schema: Option<OutputSchema>,
}

/// One answer of a [`ScriptedModel`].
pub struct ScriptedTurn {
    /// Refused before anything is said.
    refusal: Option<ModelError>,
    events: Vec<StreamEvent>,
    /// The stream breaks with this instead of ending.
    failure: Option<ModelError>,
    /// The stream stays open and silent instead of ending.
    stalls: bool,
}

impl ScriptedModel {
    /// Gives these answers, in order. After them it refuses.
    pub fn new(turns: impl IntoIterator<Item = ScriptedTurn>) -> Self {
        Self::with(turns, None)
    }

    /// Always answers with this text.
    pub fn answering(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::from_fn(move |_| ScriptedTurn::text(text.as_str()))
    }

    /// Answers with what a function makes of the request.
    pub fn from_fn(answer: impl Fn(&ModelRequest<'_>) -> ScriptedTurn + Send + Sync + 'static) -> Self {
        Self::with([], Some(Box::new(answer)))
    }

    fn with(turns: impl IntoIterator<Item = ScriptedTurn>, otherwise: Option<Box<Otherwise>>) -> Self {
        let turns = Mutex::new(turns.into_iter().collect());
        let script = Arc::new(Script { turns, otherwise, requests: Mutex::default() });
        Self { script, capabilities: ModelCapabilities::default() }
    }

    /// The same script by a model that can be asked for this.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: ModelCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// What it was asked so far.
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
        match (next, &self.script.otherwise) {
            (Some(turn), _) => turn,
            (None, Some(answer)) => answer(request),
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
        let ScriptedTurn { refusal, events, failure, stalls } = self.next(&request);
        if let Some(error) = refusal {
            return Err(error);
        }
        let said = stream::iter(events.into_iter().map(Ok).chain(failure.map(Err)));
        Ok(if stalls { said.chain(stream::pending()).boxed() } else { said.boxed() })
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedModel").finish_non_exhaustive()
    }
}

impl ScriptedTurn {
    /// Says this, word by word, and ends.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut events = vec![StreamEvent::start()];
        events.extend(text.split_inclusive(' ').map(|word| StreamEvent::text(0, word)));
        events.push(StreamEvent::block_stop(0));
        Self::ending(events, StopReason::EndTurn)
    }

    /// Calls a tool.
    pub fn tool_use(name: impl Into<String>, input: Value) -> Self {
        Self::tool_uses([(name, input)])
    }

    /// Calls several tools.
    pub fn tool_uses(calls: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Self {
        let calls = calls.into_iter().map(|(name, input)| (name, input.to_string()));
        Self::raw_tool_uses(calls)
    }

    /// Calls several tools with arguments that need not be JSON.
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

    /// Sends exactly these events.
    pub fn events(events: impl IntoIterator<Item = StreamEvent>) -> Self {
        Self { refusal: None, events: events.into_iter().collect(), failure: None, stalls: false }
    }

    /// Refuses the request.
    pub fn error(error: ModelError) -> Self {
        Self { refusal: Some(error), ..Self::events([]) }
    }

    /// Says only the first `events` events and then breaks with `error`.
    #[must_use]
    pub fn breaking_after(mut self, events: usize, error: ModelError) -> Self {
        self.events.truncate(events);
        self.failure = Some(error);
        self
    }

    /// Says only the first `events` events and then nothing, for ever.
    #[must_use]
    pub fn stalling_after(mut self, events: usize) -> Self {
        self.events.truncate(events);
        self.stalls = true;
        self
    }

    /// Ends for this reason.
    #[must_use]
    pub fn stopping_with(mut self, reason: StopReason) -> Self {
        for event in &mut self.events {
            if let StreamEvent::MessageStop { stop_reason, .. } = event {
                stop_reason.clone_from(&reason);
            }
        }
        self
    }

    /// Costs this much.
    #[must_use]
    pub fn costing(mut self, tokens: Usage) -> Self {
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
