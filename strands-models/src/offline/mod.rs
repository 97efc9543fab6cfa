//! A model for where no language model is: examples, tests and trials that must run anywhere and always the same.

mod arguments;
mod clues;
mod invention;
mod matching;
mod quote;
mod rules;
mod schema;
mod speech;
mod step;
mod turn;
mod vocabulary;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;
use strands_core::models::{Model, ModelError, ModelRequest, ModelStream};

pub use step::OfflineStep;
pub use turn::{OfflineToolResult, OfflineTurn};

type Planner = dyn Fn(&OfflineTurn<'_>) -> Option<OfflineStep> + Send + Sync;

/// A stand-in for a language model that needs no network and no key, and always does the same.
///
/// **It is no language model.** It follows rules: it understands nothing, knows nothing, and can't hold a conversation
/// that nobody programmed. What it does is drive a real agent: the loop, the tools, sessions and streaming are those that
/// any other model drives, so examples and tests run on a machine with nothing but Rust.
///
/// # The generic rules
///
/// 1. Where a request demands a tool call, it makes one: of values that tools have answered under the same name, of the
///    user's words, and what neither gives is made up so that it fits the schema.
/// 2. When tools have answered since the user spoke last, it quotes the answers.
/// 3. When the user's last words name a tool (a word of its name, or two of its description), it calls that tool with
///    arguments from those words: choices by name, numbers, days (`2026-03-01`), quoted texts, names with a capital,
///    `name: value`. It asks for required arguments that it does not find, unless the schema has a default or an example.
/// 4. Otherwise it says what it is and which tools it has.
///
/// # Rules of your own
///
/// A [planner](OfflineModelBuilder::planner) sees the turn and says what to do; where it has nothing to say, the generic
/// rules decide. That is enough for a demonstration that goes through several tools:
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
///             _ => OfflineStep::say(format!("Hello, {name}!")),
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
/// # What is reported
///
/// Tokens are estimates, by the same rule for every run; the latency is zero. Text comes word by word and arguments in
/// pieces. A request that demands a tool which is not there is refused as a provider refuses it, with
/// [`ModelError::InvalidRequest`].
#[derive(Clone)]
pub struct OfflineModel {
    model_id: Arc<str>,
    planner: Option<Arc<Planner>>,
}

impl OfflineModel {
    /// Creates a model with the generic rules alone.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder with default options.
    pub fn builder() -> OfflineModelBuilder {
        OfflineModelBuilder::default()
    }

    fn step(&self, turn: &OfflineTurn<'_>) -> Result<OfflineStep, ModelError> {
        let planned = self.planner.as_ref().and_then(|planner| planner(turn));
        rules::obey(turn, planned.unwrap_or_else(|| rules::step(turn)))
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
            .finish()
    }
}

/// Builder for [`OfflineModel`].
#[derive(Clone, Default)]
#[must_use]
pub struct OfflineModelBuilder {
    model_id: Option<String>,
    planner: Option<Arc<Planner>>,
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

    /// Builds the model.
    pub fn build(self) -> OfflineModel {
        OfflineModel { model_id: self.model_id.map_or_else(|| "offline".into(), Into::into), planner: self.planner }
    }
}

impl fmt::Debug for OfflineModelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfflineModelBuilder")
            .field("model_id", &self.model_id)
            .field("planner", &self.planner.is_some())
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
        Ok(Box::pin(stream::iter(speech::events(&request, &step).into_iter().map(Ok))))
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

    async fn answer(model: &OfflineModel, request: ModelRequest<'_>) -> Turn {
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

    fn asked(text: &str) -> Vec<Arc<Message>> {
        vec![Arc::new(Message::user(text))]
    }

    fn answered(text: &str, tool: &str, input: Value, answer: Value) -> Vec<Arc<Message>> {
        let mut history = asked(text);
        history.push(Arc::new(Message::new(Role::Assistant, [ToolUse::new("offline_7", tool, input)])));
        let result = ToolResult::new("offline_7", ToolResultStatus::Success, [answer]);
        history.push(Arc::new(Message::new(Role::User, [result])));
        history
    }

    #[tokio::test]
    async fn a_tool_that_is_asked_for_is_called() {
        let (history, tools) = (asked("What's the weather in Oslo?"), tools());
        let turn = answer(&OfflineModel::new(), ModelRequest::new(&history).with_tools(&tools)).await;
        assert_eq!(turn.stop_reason, StopReason::ToolUse);
        assert_eq!(only_call(&turn), ("get_weather", &json!({"city": "Oslo"})));
    }

    #[tokio::test]
    async fn what_is_missing_is_asked_for() {
        let (history, tools) = (asked("How is the weather?"), tools());
        let turn = answer(&OfflineModel::new(), ModelRequest::new(&history).with_tools(&tools)).await;
        assert_eq!(turn.stop_reason, StopReason::EndTurn);
        assert!(turn.message.text().ends_with("- city: Its name."), "{}", turn.message.text());
    }

    #[tokio::test]
    async fn answers_of_tools_are_quoted() {
        let history =
            answered("weather in Oslo", "get_weather", json!({"city": "Oslo"}), json!({"sky": "clear", "celsius": 4}));
        let turn = answer(&OfflineModel::new(), ModelRequest::new(&history).with_tools(&tools())).await;
        assert_eq!(turn.message.text(), "get_weather:\n- sky: clear\n- celsius: 4");
    }

    #[tokio::test]
    async fn it_says_what_it_is_and_what_it_can_call() {
        let history = asked("Hello, who are you?");
        let model = OfflineModel::new();
        let alone = answer(&model, ModelRequest::new(&history)).await;
        assert!(alone.message.text().contains("no language model"));
        let equipped = answer(&model, ModelRequest::new(&history).with_tools(&tools())).await;
        assert!(equipped.message.text().contains("- get_time: The time in a city."));
    }

    #[tokio::test]
    async fn text_and_arguments_come_in_pieces_that_add_up() {
        let model = OfflineModel::builder()
            .planner(|_| {
                let input = json!({"city": "Llanfairpwllgwyngyll"});
                Some(OfflineStep::call("get_weather", input).after_saying("  Let me see:\n\nthe weather. "))
            })
            .build();
        let history = asked("go");
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
        let pieces = events.iter().filter(|event| {
            matches!(event, StreamEvent::ContentBlockDelta { delta: strands_core::models::BlockDelta::ToolUse(_), .. })
        });
        assert!(pieces.count() > 1);
        let turn = answer(&model, ModelRequest::new(&history)).await;
        assert_eq!(only_call(&turn), ("get_weather", &json!({"city": "Llanfairpwllgwyngyll"})));
    }

    #[tokio::test]
    async fn the_same_request_has_the_same_answer_and_cost() {
        let (history, tools) = (asked("the time in Rome"), tools());
        let request = || ModelRequest::new(&history).with_tools(&tools);
        let model = OfflineModel::new();
        let first = events(&model, request()).await;
        assert_eq!(first, events(&model.clone(), request()).await);
        let turn = answer(&model, request()).await;
        assert!(turn.usage.input_tokens > 20 && turn.usage.output_tokens > 5, "{:?}", turn.usage);
        assert_eq!(turn.usage.total_tokens, turn.usage.input_tokens + turn.usage.output_tokens);
    }

    #[tokio::test]
    async fn ids_go_on_from_those_that_the_conversation_holds() {
        let history = answered("go", "get_time", json!({}), json!("noon"));
        let model = OfflineModel::builder()
            .planner(|_| Some(OfflineStep::call("get_time", json!({})).and_call("get_time", json!({}))))
            .build();
        let turn = answer(&model, ModelRequest::new(&history)).await;
        let ids: Vec<_> = turn.message.tool_uses().map(|call| call.tool_use_id.as_str()).collect();
        assert_eq!(ids, ["offline_8", "offline_9"]);
    }

    #[tokio::test]
    async fn a_demanded_call_is_made_whatever_the_planner_says() {
        let model = OfflineModel::builder().planner(|_| Some(OfflineStep::say("No."))).build();
        let history = answered("the weather in Oslo", "get_weather", json!({}), json!({"city": "Rome"}));
        let tools = tools();
        let request = ModelRequest::new(&history).with_tools(&tools);

        let this_one = ToolChoice::Tool { name: "get_time".to_owned() };
        let turn = answer(&model, request.with_tool_choice(&this_one)).await;
        assert_eq!(only_call(&turn), ("get_time", &json!({"city": "Rome"})));

        let turn = answer(&model, request.with_tool_choice(&ToolChoice::Any {})).await;
        assert_eq!(only_call(&turn).0, "get_weather");

        let turn = answer(&model, request.with_tool_choice(&ToolChoice::Auto {})).await;
        assert_eq!(turn.message.text(), "No.");
    }

    #[tokio::test]
    async fn a_demand_that_nothing_can_meet_is_refused() {
        let history = asked("go");
        for choice in [ToolChoice::Any {}, ToolChoice::Tool { name: "fly".to_owned() }] {
            let request = ModelRequest::new(&history).with_tool_choice(&choice);
            let refused = OfflineModel::new().stream(request).await.err().expect("an error");
            assert!(matches!(refused, ModelError::InvalidRequest { .. }), "{refused}");
        }
    }

    #[test]
    fn a_planner_sees_what_was_asked_last_and_answered_since() {
        let mut history = answered("first", "get_time", json!({"city": "Rome"}), json!("noon"));
        let turn = OfflineTurn::new(ModelRequest::new(&history));
        assert_eq!(turn.user_text(), "first");
        let result = turn.result("get_time").expect("a result");
        assert_eq!(
            (result.input(), result.json(), result.is_error()),
            (&json!({"city": "Rome"}), Some(&json!("noon")), false)
        );
        assert_eq!(turn.new_results().len(), 1);

        history.extend(asked("second"));
        let turn = OfflineTurn::new(ModelRequest::new(&history));
        assert_eq!(turn.user_text(), "second");
        assert!(turn.results().is_empty() && turn.new_results().is_empty());
        assert_eq!(turn.all_results().len(), 1);
        assert_eq!(turn.user_texts().collect::<Vec<_>>(), ["first", "second"]);
    }
}
