//! Shared parts of the tests: tools made of closures, hooks that record events, and a check of histories.

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strands_core::message::{Message, ToolResult, ToolResultContent};
use strands_core::testing::ScriptedModel;
use strands_core::{
    Agent, AgentBuilder, AgentError, AgentEvent, AgentResponse, AgentStream, Tool, ToolAnnotations, ToolContext,
    ToolError, ToolOutput, ToolPolicy, ToolSpec,
};

pub(crate) type ToolAnswer = Result<ToolOutput, ToolError>;
type Run = dyn Fn(ToolContext, Value) -> BoxFuture<'static, ToolAnswer> + Send + Sync;

/// A tool made of a closure.
#[derive(Clone)]
pub(crate) struct FnTool {
    spec: ToolSpec,
    policy: ToolPolicy,
    run: Arc<Run>,
}

/// A tool of this name whose arguments are any object.
pub(crate) fn tool<F>(name: &str, run: impl Fn(ToolContext, Value) -> F + Send + Sync + 'static) -> FnTool
where
    F: Future<Output = ToolAnswer> + Send + 'static,
{
    FnTool {
        spec: ToolSpec::new(name, format!("The tool {name}."), json!({"type": "object"})),
        policy: ToolPolicy::new(),
        run: Arc::new(move |ctx, input| run(ctx, input).boxed()),
    }
}

/// A tool that returns its name.
pub(crate) fn naming(name: &'static str) -> FnTool {
    tool(name, move |_, _| async move { Ok(ToolOutput::text(name)) })
}

impl FnTool {
    pub(crate) fn describe(&mut self, name: String, description: String) {
        (self.spec.name, self.spec.description) = (name, description);
    }

    pub(crate) fn schema(mut self, schema: Value) -> Self {
        self.spec.input_schema = schema;
        self
    }

    pub(crate) fn annotations(mut self, annotations: ToolAnnotations) -> Self {
        self.spec.annotations = annotations;
        self
    }

    pub(crate) fn policy(mut self, policy: ToolPolicy) -> Self {
        self.policy = policy;
        self
    }
}

#[async_trait]
impl Tool for FnTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> ToolAnswer {
        (self.run)(ctx.clone(), input).await
    }
}

/// A builder with a model and tools.
pub(crate) fn template(model: &ScriptedModel, tools: impl IntoIterator<Item = FnTool>) -> AgentBuilder {
    tools.into_iter().fold(Agent::builder().model(model.clone()), AgentBuilder::tool)
}

pub(crate) async fn agent(model: &ScriptedModel, tools: impl IntoIterator<Item = FnTool>) -> Agent {
    template(model, tools).build().await.unwrap()
}

/// A log that several parties append to.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Returns the events of a stream, and its outcome.
pub(crate) async fn listen<T: DeserializeOwned + Debug + 'static>(
    mut stream: AgentStream<'_, T>,
) -> (Vec<AgentEvent<T>>, Result<AgentResponse<T>, AgentError>) {
    let mut events = Vec::new();
    let mut ended = None;
    while let Some(event) = stream.next().await {
        assert!(ended.is_none(), "an event after the end: {event:?}");
        match event {
            Ok(AgentEvent::Result { response }) => ended = Some(Ok(*response)),
            Ok(event) => events.push(event),
            Err(error) => ended = Some(Err(error)),
        }
    }
    (events, ended.unwrap())
}

/// Polls a future once.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// The kinds of events, by their names in JSON.
pub(crate) fn kinds(events: &[AgentEvent]) -> Vec<String> {
    let kind = |event: &AgentEvent| serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned();
    events.iter().map(kind).collect()
}

pub(crate) fn text_of(result: &ToolResult) -> String {
    let text = |content: &ToolResultContent| match content {
        ToolResultContent::Text(text) => text.clone(),
        other => serde_json::to_string(other).unwrap(),
    };
    result.content.iter().map(text).collect()
}

/// The newest tool results: whether each is an error, and its text.
pub(crate) fn newest_results(messages: &[Arc<Message>]) -> Vec<(bool, String)> {
    let newest = messages.iter().rfind(|message| message.tool_results().next().is_some());
    newest
        .iter()
        .flat_map(|message| message.tool_results())
        .map(|result| (result.is_error(), text_of(result)))
        .collect()
}

/// Fails unless the history is valid input, and stays valid with the next prompt.
pub(crate) async fn assert_whole(agent: &mut Agent) {
    assert_eq!(
        crate::valid_history::flaw(agent.messages(), !agent.interrupts().is_empty()),
        None,
        "{:#?}",
        agent.messages()
    );
}
