//! Scripted models and tools of the agents that share the hook.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::super::polling::yield_once;
use super::observations::Observations;
use crate::models::{ErrorDetails, ModelError, ModelRequest};
use crate::testing::{ScriptedModel, ScriptedTurn};
use crate::tool::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};

const REPEATS: &str = "contract_repeat";
const FAILS: &str = "contract_fail";
const CANCELS: &str = "contract_cancel";

/// The course of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// A response without tool calls.
    Plain,
    /// Concurrent calls of all tools, then a response.
    Tools,
    /// A model call that fails, then a response.
    Retried,
    /// A model call that fails for good.
    Failing,
    /// A tool cancels the invocation and doesn't return.
    Cancelled,
}

impl Scenario {
    /// The scenarios that end without a cancellation.
    pub(super) const ALL: [Self; 4] = [Self::Plain, Self::Tools, Self::Retried, Self::Failing];
}

/// Returns the model of a scenario. All its texts contain the mark.
pub(super) fn model(scenario: Scenario, mark: String) -> ScriptedModel {
    let attempts = AtomicU32::new(0);
    ScriptedModel::from_fn(move |request| {
        let has_results = request.messages.last().is_some_and(|message| message.tool_results().next().is_some());
        let is_first = || attempts.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        match scenario {
            Scenario::Failing => {
                ScriptedTurn::error(ModelError::InvalidRequest { details: ErrorDetails::new().boxed() })
            }
            Scenario::Retried if is_first() => ScriptedTurn::error(ModelError::transport("connection reset")),
            Scenario::Tools | Scenario::Cancelled if !has_results => calls(scenario, &mark, request),
            _ => ScriptedTurn::text(format!("This is a response for {mark}.")),
        }
    })
}

/// Returns calls of all tools, of an unknown one, and one with invalid arguments.
fn calls(scenario: Scenario, mark: &str, request: &ModelRequest<'_>) -> ScriptedTurn {
    let shown = request.tools.iter().filter(|spec| spec.name != CANCELS || scenario == Scenario::Cancelled);
    let known = shown.map(|spec| (spec.name.clone(), arguments(&spec.input_schema, mark)));
    let others = [(REPEATS.to_owned(), json!({})), ("contract_unknown".to_owned(), json!({"mark": mark}))];
    ScriptedTurn::tool_uses(known.chain(others))
}

/// Generates arguments from a schema: a value for each required property.
fn arguments(schema: &Value, mark: &str) -> Value {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let property = |name: &str| schema.get("properties").and_then(|properties| properties.get(name));
    let values = required.map(|name| (name.to_owned(), property(name).map_or(json!(mark), |of| value(of, mark))));
    Value::Object(values.collect::<Map<_, _>>())
}

/// Generates a value from the schema of a property.
fn value(schema: &Value, mark: &str) -> Value {
    let first = |key: &str| schema.get(key)?.as_array()?.first().cloned();
    let given = schema.get("const").cloned().or_else(|| schema.get("default").cloned());
    if let Some(given) = given.or_else(|| first("enum")).or_else(|| first("examples")) {
        return given;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => arguments(schema, mark),
        Some("null") => Value::Null,
        _ => json!(mark),
    }
}

/// A tool that returns its argument, fails, or cancels the invocation.
struct Scripted {
    spec: ToolSpec,
    observations: Arc<Observations>,
}

/// Returns the tools of every agent.
pub(super) fn tools(observations: &Arc<Observations>) -> [Arc<dyn Tool>; 3] {
    [REPEATS, FAILS, CANCELS].map(|name| {
        let schema = json!({"type": "object", "properties": {"mark": {"type": "string"}}, "required": ["mark"]});
        let spec = ToolSpec::new(name, "Behaves like its name.", schema);
        Arc::new(Scripted { spec, observations: Arc::clone(observations) }) as Arc<dyn Tool>
    })
}

#[async_trait]
impl Tool for Scripted {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let mark = input.get("mark").and_then(Value::as_str).unwrap_or_default().to_owned();
        yield_once().await;
        match self.spec.name.as_str() {
            CANCELS => {
                self.observations.cancel();
                pending().await
            }
            FAILS => Err(ToolError::new(format!("no luck for {mark}"))),
            _ => Ok(ToolOutput::text(mark)),
        }
    }
}
