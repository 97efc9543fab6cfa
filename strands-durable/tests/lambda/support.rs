//! Shared parts of the tests: a world that counts what begins in it, and the function under test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use strands::durable::lambda::sdk::test_util::{LocalRunner, TestResult};
use strands::durable::lambda::{DurableAgent, ExecutionRequest, ExecutionResult};
use strands::message::{ContentBlock, ToolResultContent};
use strands::metrics::{ModelMetrics, Usage};
use strands::models::{ModelRequest, StopReason, StreamEvent, ToolUseStart};
use strands::serde_json::{self, Value, json};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Snapshot, Tool, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolSpec, async_trait};

/// What began outside of the executions: model calls and tools, each with a number of its own.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Begun>>);

#[derive(Default)]
struct Begun {
    count: u32,
    numbers: BTreeMap<String, Vec<u32>>,
}

impl World {
    /// Counts a beginning, and returns its number.
    pub(crate) fn begin(&self, what: impl Into<String>) -> u32 {
        let mut begun = self.0.lock().unwrap();
        begun.count += 1;
        let number = begun.count;
        begun.numbers.entry(what.into()).or_default().push(number);
        number
    }

    /// Returns how often something with this prefix began.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        let begun = self.0.lock().unwrap();
        begun.numbers.iter().filter(|(what, _)| what.starts_with(prefix)).map(|(_, numbers)| numbers.len()).sum()
    }

    fn last(&self, what: &str) -> Option<u32> {
        self.0.lock().unwrap().numbers.get(what)?.last().copied()
    }

    /// A model that responds by the length of the conversation.
    pub(crate) fn model(
        &self,
        respond: impl Fn(&ModelRequest<'_>, u32) -> ScriptedTurn + Send + Sync + 'static,
    ) -> ScriptedModel {
        let world = self.clone();
        ScriptedModel::from_fn(move |request| {
            let number = world.begin(format!("model {}", request.messages.len()));
            respond(request, number)
        })
    }

    pub(crate) fn tool(&self, name: &str) -> WorldTool {
        WorldTool {
            spec: ToolSpec::new(name, "A tool.", json!({"type": "object"})),
            policy: ToolPolicy::new(),
            world: self.clone(),
            yields: 0,
            text: String::new(),
        }
    }

    /// Asserts that no call began again after it was recorded: the conversation has the last of each.
    pub(crate) fn assert_recorded_once(&self, snapshot: &Snapshot) {
        let messages = snapshot.data.messages.as_ref().unwrap();
        for (index, message) in messages.iter().enumerate() {
            for block in &message.content {
                let (what, text) = match block {
                    ContentBlock::ToolUse(call) => (format!("model {index}"), call.tool_use_id.clone()),
                    ContentBlock::ToolResult(result) => {
                        let [ToolResultContent::Text(text)] = &result.content[..] else { panic!("{result:?}") };
                        (format!("tool {}", result.tool_use_id), text.clone())
                    }
                    ContentBlock::Text(text) if text.text.contains('#') => {
                        (format!("model {index}"), text.text.clone())
                    }
                    _ => continue,
                };
                let number = text.rsplit_once('#').unwrap().1.parse().ok();
                assert_eq!(self.last(&what), number, "{what}: {text}");
            }
        }
    }
}

/// A tool that counts its calls.
#[derive(Clone)]
pub(crate) struct WorldTool {
    spec: ToolSpec,
    policy: ToolPolicy,
    world: World,
    yields: u32,
    text: String,
}

impl WorldTool {
    pub(crate) fn approval(mut self) -> Self {
        self.policy = self.policy.with_approval(true);
        self
    }

    /// Ends after tools with a smaller number.
    pub(crate) fn yielding(mut self, yields: u32) -> Self {
        self.yields = yields;
        self
    }

    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }
}

#[async_trait]
impl Tool for WorldTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    async fn call(&self, context: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        let number = self.world.begin(format!("tool {}", context.tool_use_id()));
        for _ in 0..self.yields {
            tokio::task::yield_now().await;
        }
        Ok(ToolOutput::text(format!("{} {}#{number}", self.spec.name, self.text)))
    }
}

/// A response with tool calls, whose ids have the number.
pub(crate) fn calls<'a>(number: u32, names: impl IntoIterator<Item = &'a str>) -> ScriptedTurn {
    let mut events = vec![StreamEvent::start()];
    for (index, name) in names.into_iter().enumerate() {
        events.push(StreamEvent::tool_use(index, ToolUseStart::new(format!("{name}-{index}#{number}"), name)));
        events.push(StreamEvent::tool_input(index, "{}"));
        events.push(StreamEvent::block_stop(index));
    }
    events.push(StreamEvent::stop(StopReason::ToolUse));
    events.push(StreamEvent::metadata(Usage::new(10, 5), ModelMetrics::new(1)));
    ScriptedTurn::events(events)
}

pub(crate) fn done(number: u32) -> ScriptedTurn {
    ScriptedTurn::text(format!("done#{number}"))
}

/// Runs an execution to its end.
pub(crate) async fn execute(
    runner: LocalRunner,
    agent: DurableAgent,
    request: impl Into<Event>,
) -> TestResult<ExecutionResult> {
    let agent = Arc::new(agent);
    let handler = move |event, context| {
        let agent = Arc::clone(&agent);
        async move { agent.turn(event, context).await }
    };
    runner.run(handler, request.into().0).await
}

/// The event of an execution.
pub(crate) struct Event(Value);

impl From<&str> for Event {
    fn from(prompt: &str) -> Self {
        ExecutionRequest::new(prompt).into()
    }
}

impl From<ExecutionRequest> for Event {
    fn from(request: ExecutionRequest) -> Self {
        Self(serde_json::to_value(request).unwrap())
    }
}

impl From<Value> for Event {
    fn from(event: Value) -> Self {
        Self(event)
    }
}

/// Returns the result of an execution that succeeded.
pub(crate) fn succeeded(result: &TestResult<ExecutionResult>) -> &ExecutionResult {
    result.output().unwrap_or_else(|| panic!("{:?}: {:?}", result.error_type(), result.error_message()))
}

/// Names of the operations of an execution.
pub(crate) fn names<O>(result: &TestResult<O>) -> Vec<&str> {
    result.operations().iter().filter_map(|operation| operation.name()).collect()
}
