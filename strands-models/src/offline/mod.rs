//! Rule-based model without a language model, for examples, tests and trials that must run anywhere and be deterministic.

mod argument_meaning;
mod arguments;
mod extraction;
mod fallback_values;
mod matching;
mod response_events;
mod result_text;
mod rules;
mod schema;
mod step;
mod tokens;
mod turn;
mod vocabulary;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use strands_core::models::{Model, ModelError, ModelRequest, ModelStream, StreamEvent};

pub use step::OfflineStep;
pub use turn::{OfflineToolResult, OfflineTurn};

type Planner = dyn Fn(&OfflineTurn<'_>) -> Option<OfflineStep> + Send + Sync;

/// A deterministic, rule-based stand-in for a language model that needs no network and no key.
///
/// **It is not a language model.** It follows rules: it has no knowledge and can't hold a conversation beyond them. But it
/// drives a real agent: the loop, tools, sessions and streaming work as with any other model, so examples and tests run on
/// a machine with nothing but Rust.
///
/// # The generic rules
///
/// 1. If the request's tool choice requires a call, the model calls that tool. Arguments are values with the same name in
///    tool results, then values from the user's messages, then generated values that fit the schema.
/// 2. If there are tool results after the user's last message, the model quotes them.
/// 3. If the user's last message names a tool (a word of its name, or two of its description), the model calls the tool
///    with arguments from the message: choices by name, numbers, dates (`2026-03-01`), quoted texts, capitalized names,
///    `name: value`. It asks for missing required arguments, unless the schema has a default or an example.
/// 4. Otherwise the model introduces itself and lists its tools.
///
/// # Custom rules
///
/// A [planner](OfflineModelBuilder::planner) receives the turn and returns the next step, or `None` to apply the generic
/// rules. That is enough for a demonstration with several tools:
///
/// ```
/// use serde_json::json;
/// use strands::Agent;
/// use strands::models::OfflineModel;
/// use strands::models::offline::OfflineStep;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let model = OfflineModel::builder()
///     .model_id("offline/greeter")
///     .planner(|turn| {
///         let name = turn.user_text().strip_prefix("I am ")?;
///         Some(match turn.result("remember") {
///             None if turn.tool("remember").is_some() => OfflineStep::call("remember", json!({"name": name})),
///             _ => OfflineStep::respond(format!("Hello, {name}!")),
///         })
///     })
///     .build();
///
/// let mut agent = Agent::builder().model(model).build().await?;
/// assert_eq!(agent.prompt("I am Ada").await?.text(), "Hello, Ada!");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Streaming and usage
///
/// Token counts are deterministic estimates, and the latency is zero. Text is streamed word by word, and arguments in
/// chunks, without a delay unless a [pace](OfflineModelBuilder::pace) is set. A tool choice that names a missing tool fails with [`ModelError::InvalidRequest`], as it does with a provider.
#[derive(Clone)]
pub struct OfflineModel {
    model_id: Arc<str>,
    planner: Option<Arc<Planner>>,
    pace: Duration,
}

impl OfflineModel {
    /// Creates a model that follows the generic rules only.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder for a model with custom rules.
    pub fn builder() -> OfflineModelBuilder {
        OfflineModelBuilder::default()
    }

    fn step(&self, turn: &OfflineTurn<'_>) -> Result<OfflineStep, ModelError> {
        let planned = self.planner.as_ref().and_then(|planner| planner(turn));
        rules::enforce_tool_choice(turn, planned.unwrap_or_else(|| rules::step(turn)))
    }
}

impl Default for OfflineModel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OfflineModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfflineModel")
            .field("model_id", &self.model_id)
            .field("planner", &self.planner.is_some())
            .field("pace", &self.pace)
            .finish()
    }
}

/// Builder for [`OfflineModel`].
#[derive(Clone, Default)]
#[must_use]
pub struct OfflineModelBuilder {
    model_id: Option<String>,
    planner: Option<Arc<Planner>>,
    pace: Duration,
}

impl OfflineModelBuilder {
    /// Model id, by convention `offline/` and a name. Default: `offline`.
    pub fn model_id(mut self, model_id: impl Into<String>) -> Self {
        self.model_id = Some(model_id.into());
        self
    }

    /// Planner, which chooses the step of each turn. If it returns `None`, the generic rules choose.
    pub fn planner(
        mut self,
        planner: impl Fn(&OfflineTurn<'_>) -> Option<OfflineStep> + Send + Sync + 'static,
    ) -> Self {
        self.planner = Some(Arc::new(planner));
        self
    }

    /// Delay before each word and each chunk of arguments, so that a person sees the response being streamed. Default: none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use strands::models::OfflineModel;
    ///
    /// // About as fast as a small language model.
    /// let model = OfflineModel::builder().pace(Duration::from_millis(20)).build();
    /// ```
    pub fn pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Builds the model.
    pub fn build(self) -> OfflineModel {
        OfflineModel {
            model_id: self.model_id.map_or_else(|| "offline".into(), Into::into),
            planner: self.planner,
            pace: self.pace,
        }
    }
}

impl fmt::Debug for OfflineModelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfflineModelBuilder")
            .field("model_id", &self.model_id)
            .field("planner", &self.planner.is_some())
            .field("pace", &self.pace)
            .finish()
    }
}

#[async_trait]
impl Model for OfflineModel {
    fn model_id(&self) -> &str {
        &self.model_id
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let step = self.step(&OfflineTurn::new(request))?;
        let events = stream::iter(response_events::events(&request, &step));
        if self.pace.is_zero() {
            return Ok(Box::pin(events.map(Ok)));
        }
        let pace = self.pace;
        Ok(Box::pin(events.then(move |event| async move {
            if matches!(event, StreamEvent::ContentBlockDelta { .. }) {
                tokio::time::sleep(pace).await;
            }
            Ok(event)
        })))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use serde_json::{Value, json};
    use strands_core::ToolSpec;
    use strands_core::message::{Message, Role, ToolResult, ToolResultStatus, ToolUse};
    use strands_core::models::{StopReason, StreamEvent, ToolChoice, ToolSpecs, Turn, TurnBuilder};

    use super::*;

    fn tools() -> ToolSpecs {
        let city = json!({"type": "object", "properties": {"city": {"type": "string", "description": "Its name."}}, "required": ["city"]});
        [
            ToolSpec::new("get_weather", "The weather in a city.", city.clone()),
            ToolSpec::new("get_time", "The time in a city.", city),
        ]
        .into_iter()
        .collect()
    }

    async fn events(model: &OfflineModel, request: ModelRequest<'_>) -> Vec<StreamEvent> {
        let stream = model.stream(request).await.expect("a stream");
        stream.try_collect().await.expect("no error")
    }

    async fn respond(model: &OfflineModel, request: ModelRequest<'_>) -> Turn {
        let mut turn = TurnBuilder::new(1 << 20);
        for event in events(model, request).await {
            turn.push(&event).expect("a valid event");
        }
        turn.finish().expect("a whole turn")
    }

    fn only_call(turn: &Turn) -> (&str, &Value) {
        let mut calls = turn.message.tool_uses();
        let call = calls.next().expect("a call");
        assert!(calls.next().is_none());
        (&call.name, &call.input)
    }

    fn prompted(text: &str) -> Vec<Arc<Message>> {
        vec![Arc::new(Message::user(text))]
    }

    fn with_result(text: &str, tool: &str, input: Value, result: Value) -> Vec<Arc<Message>> {
        let mut history = prompted(text);
        history.push(Arc::new(Message::new(Role::Assistant, [ToolUse::new("offline_7", tool, input)])));
        let result = ToolResult::new("offline_7", ToolResultStatus::Success, [result]);
        history.push(Arc::new(Message::new(Role::User, [result])));
        history
    }

    #[tokio::test]
    async fn calls_the_requested_tool() {
        let (history, tools) = (prompted("What's the weather in Oslo?"), tools());
        let turn = respond(&OfflineModel::new(), ModelRequest::new(&history).with_tools(&tools)).await;
        assert_eq!(turn.stop_reason, StopReason::ToolUse);
        assert_eq!(only_call(&turn), ("get_weather", &json!({"city": "Oslo"})));
    }

    #[tokio::test]
    async fn asks_for_missing_arguments() {
        let (history, tools) = (prompted("How is the weather?"), tools());
        let turn = respond(&OfflineModel::new(), ModelRequest::new(&history).with_tools(&tools)).await;
        assert_eq!(turn.stop_reason, StopReason::EndTurn);
        assert!(turn.message.text().ends_with("- city: Its name."), "{}", turn.message.text());
    }

    #[tokio::test]
    async fn quotes_tool_results() {
        let history = with_result(
            "weather in Oslo",
            "get_weather",
            json!({"city": "Oslo"}),
            json!({"sky": "clear", "celsius": 4}),
        );
        let turn = respond(&OfflineModel::new(), ModelRequest::new(&history).with_tools(&tools())).await;
        assert_eq!(turn.message.text(), "get_weather:\n- sky: clear\n- celsius: 4");
    }

    #[tokio::test]
    async fn introduces_itself_and_its_tools() {
        let history = prompted("Hello, who are you?");
        let model = OfflineModel::new();
        let alone = respond(&model, ModelRequest::new(&history)).await;
        assert!(alone.message.text().contains("no language model"));
        let equipped = respond(&model, ModelRequest::new(&history).with_tools(&tools())).await;
        assert!(equipped.message.text().contains("- get_time: The time in a city."));
    }

    #[tokio::test]
    async fn streams_text_and_arguments_in_chunks() {
        let model = OfflineModel::builder()
            .planner(|_| {
                let input = json!({"city": "Llanfairpwllgwyngyll"});
                Some(OfflineStep::call("get_weather", input).with_text("  Let me see:\n\nthe weather. "))
            })
            .build();
        let history = prompted("go");
        let events = events(&model, ModelRequest::new(&history)).await;
        let text: Vec<&str> = events
            .iter()
            .filter_map(|event| match event {
                StreamEvent::ContentBlockDelta { delta: strands_core::models::BlockDelta::Text(text), .. } => {
                    Some(text.as_str())
                }
                _ => None,
            })
            .collect();
        assert_eq!(text, ["  Let ", "me ", "see:\n\n", "the ", "weather. "]);
        let chunks = events.iter().filter(|event| {
            matches!(event, StreamEvent::ContentBlockDelta { delta: strands_core::models::BlockDelta::ToolUse(_), .. })
        });
        assert!(chunks.count() > 1);
        let turn = respond(&model, ModelRequest::new(&history)).await;
        assert_eq!(only_call(&turn), ("get_weather", &json!({"city": "Llanfairpwllgwyngyll"})));
    }

    #[tokio::test]
    async fn equal_requests_have_equal_responses_and_usage() {
        let (history, tools) = (prompted("the time in Rome"), tools());
        let request = || ModelRequest::new(&history).with_tools(&tools);
        let model = OfflineModel::new();
        let first = events(&model, request()).await;
        assert_eq!(first, events(&model.clone(), request()).await);
        let turn = respond(&model, request()).await;
        assert!(turn.usage.input_tokens > 20 && turn.usage.output_tokens > 5, "{:?}", turn.usage);
        assert_eq!(turn.usage.total_tokens, turn.usage.input_tokens + turn.usage.output_tokens);
    }

    #[tokio::test]
    async fn call_ids_continue_those_of_the_conversation() {
        let history = with_result("go", "get_time", json!({}), json!("noon"));
        let model = OfflineModel::builder()
            .planner(|_| Some(OfflineStep::call("get_time", json!({})).with_call("get_time", json!({}))))
            .build();
        let turn = respond(&model, ModelRequest::new(&history)).await;
        let ids: Vec<_> = turn.message.tool_uses().map(|call| call.tool_use_id.as_str()).collect();
        assert_eq!(ids, ["offline_8", "offline_9"]);
    }

    #[tokio::test]
    async fn the_tool_choice_overrides_the_planner() {
        let model = OfflineModel::builder().planner(|_| Some(OfflineStep::respond("No."))).build();
        let history = with_result("the weather in Oslo", "get_weather", json!({}), json!({"city": "Rome"}));
        let tools = tools();
        let request = ModelRequest::new(&history).with_tools(&tools);

        let this_one = ToolChoice::Tool { name: "get_time".to_owned() };
        let turn = respond(&model, request.with_tool_choice(&this_one)).await;
        assert_eq!(only_call(&turn), ("get_time", &json!({"city": "Rome"})));

        let turn = respond(&model, request.with_tool_choice(&ToolChoice::Any {})).await;
        assert_eq!(only_call(&turn).0, "get_weather");

        let turn = respond(&model, request.with_tool_choice(&ToolChoice::Auto {})).await;
        assert_eq!(turn.message.text(), "No.");
    }

    #[tokio::test]
    async fn rejects_a_tool_choice_without_the_tool() {
        let history = prompted("go");
        for choice in [ToolChoice::Any {}, ToolChoice::Tool { name: "fly".to_owned() }] {
            let request = ModelRequest::new(&history).with_tool_choice(&choice);
            let error = OfflineModel::new().stream(request).await.err().expect("an error");
            assert!(matches!(error, ModelError::InvalidRequest { .. }), "{error}");
        }
    }

    #[test]
    fn a_turn_has_the_last_user_message_and_later_results() {
        let mut history = with_result("first", "get_time", json!({"city": "Rome"}), json!("noon"));
        let turn = OfflineTurn::new(ModelRequest::new(&history));
        assert_eq!(turn.user_text(), "first");
        let result = turn.result("get_time").expect("a result");
        assert_eq!(
            (result.input(), result.json(), result.is_error()),
            (&json!({"city": "Rome"}), Some(&json!("noon")), false)
        );
        assert_eq!(turn.new_results().len(), 1);

        history.extend(prompted("second"));
        let turn = OfflineTurn::new(ModelRequest::new(&history));
        assert_eq!(turn.user_text(), "second");
        assert!(turn.results().is_empty() && turn.new_results().is_empty());
        assert_eq!(turn.all_results().len(), 1);
        assert_eq!(turn.user_texts().collect::<Vec<_>>(), ["first", "second"]);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_before_each_word_at_a_pace() {
        let model = OfflineModel::builder()
            .planner(|_| Some(OfflineStep::respond("one two three")))
            .pace(Duration::from_millis(20))
            .build();
        let history = prompted("Count.");
        let began = tokio::time::Instant::now();
        let mut stream = model.stream(ModelRequest::new(&history)).await.expect("a stream");
        let mut times = Vec::new();
        while let Some(event) = stream.try_next().await.expect("no error") {
            if matches!(event, StreamEvent::ContentBlockDelta { .. }) {
                times.push(began.elapsed().as_millis());
            }
        }
        assert_eq!(times, [20, 40, 60]);
        let respond =
            |model: OfflineModel| async move { respond(&model, ModelRequest::new(&prompted("Count."))).await };
        let planned = OfflineModel::builder().planner(|_| Some(OfflineStep::respond("one two three"))).build();
        assert_eq!(respond(model).await.message, respond(planned).await.message);
    }
}
