//! Structured output of invocations that are interrupted and resumed in another process.

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Prompt, ToolOutput};

use crate::support::{FnTool, template, tool};

fn asking() -> FnTool {
    tool("asks", |ctx, _| async move { ToolOutput::serialize(&ctx.interrupt("sure", "?")?) })
}

/// An output in the same response as an interrupted call is kept in another process.
async fn given_with_an_interrupt<T: Serialize + DeserializeOwned + JsonSchema + Debug + 'static>(
    name: &str,
    value: Value,
) {
    for typed in [true, false] {
        let sessions = InMemorySessionManager::new("s");
        let worker = |model: &ScriptedModel| template(model, [asking()]).session_manager(sessions.clone());
        let model =
            ScriptedModel::new([ScriptedTurn::tool_uses([("asks", json!({})), (name, json!({"value": value}))])]);
        let mut first = worker(&model).build().await.unwrap();
        let interrupts = first.prompt("go").output::<T>().await.unwrap().interrupts;
        assert_eq!(interrupts.len(), 1);
        drop(first);
        let model = ScriptedModel::new([ScriptedTurn::tool_use(name, json!({"value": value}))]);
        let mut second = worker(&model).build().await.unwrap();
        let resumed = second.prompt(Prompt::none()).resume([interrupts[0].respond("y")]);
        let output = if typed {
            serde_json::to_value(resumed.output::<T>().await.unwrap().into_output().unwrap()).unwrap()
        } else {
            resumed.await.unwrap().output.unwrap()
        };
        assert_eq!(output, value);
        assert_eq!(model.requests().len(), 0, "{value}: the output was given, typed: {typed}");
    }
}

#[tokio::test]
async fn an_output_survives_an_interrupt() {
    given_with_an_interrupt::<Option<u8>>("Nullable_uint8", json!(3)).await;
}

#[tokio::test]
async fn a_null_output_survives_an_interrupt() {
    given_with_an_interrupt::<Option<u8>>("Nullable_uint8", json!(null)).await;
}

/// Outputs stored by an older version have no `wrapped` field: the tool is used as stored.
#[tokio::test]
async fn resumes_a_run_suspended_by_an_older_version() {
    let sessions = InMemorySessionManager::new("s");
    let worker = |model: &ScriptedModel| template(model, [asking()]).session_manager(sessions.clone());
    let model = ScriptedModel::new([ScriptedTurn::tool_use("asks", json!({}))]);
    let mut first = worker(&model).build().await.unwrap();
    first.prompt("go").output::<Vec<u8>>().await.unwrap();
    let mut snapshot = serde_json::to_value(first.snapshot().unwrap()).unwrap();
    drop(first);
    fn age(value: &mut Value) -> usize {
        match value {
            Value::Object(fields) => {
                let mut aged = usize::from(fields.remove("wrapped").is_some());
                if aged > 0 {
                    fields["spec"]["inputSchema"]["json"] = json!({"type": "array", "items": {"type": "integer"}});
                }
                aged += fields.values_mut().map(age).sum::<usize>();
                aged
            }
            Value::Array(items) => items.iter_mut().map(age).sum(),
            _ => 0,
        }
    }
    assert_eq!(age(&mut snapshot), 1, "{snapshot:#}");
    for typed in [false, true] {
        let model = ScriptedModel::from_fn(move |request| {
            let spec = request.tools.iter().last().unwrap();
            let is_wrapped = spec.input_schema.pointer("/properties/value").is_some();
            let input = if is_wrapped { json!({"value": [1]}) } else { json!([1]) };
            ScriptedTurn::tool_use(spec.name.as_str(), input)
        });
        let snapshot = serde_json::from_value(snapshot.clone()).unwrap();
        let mut second = template(&model, [asking()]).build().await.unwrap();
        second.restore(snapshot).unwrap();
        let reply = second.interrupts()[0].respond("y");
        let resumed = second.prompt(Prompt::none()).resume([reply]);
        let output = if typed {
            json!(resumed.output::<Vec<u8>>().await.unwrap().into_output().unwrap())
        } else {
            resumed.await.unwrap().output.unwrap()
        };
        assert_eq!(output, json!([1]), "typed: {typed}");
    }
}

/// The description is not part of the schema's identity: after an edit of a type's docs the output is not requested anew.
#[tokio::test]
async fn an_output_survives_a_changed_type_description() {
    /// The type before the edit.
    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    struct Trip {
        city: String,
    }
    let sessions = InMemorySessionManager::new("s");
    let worker = |model: &ScriptedModel| template(model, [asking()]).session_manager(sessions.clone());
    let given = ScriptedTurn::tool_uses([("asks", json!({})), ("Trip", json!({"city": "Oslo"}))]);
    let mut first = worker(&ScriptedModel::new([given])).build().await.unwrap();
    first.prompt("go").output::<Trip>().await.unwrap();
    let mut snapshot = serde_json::to_value(first.snapshot().unwrap()).unwrap();
    fn redescribe(value: &mut Value) -> usize {
        match value {
            Value::Object(fields) => {
                let spec = fields.get_mut("spec").and_then(|spec| spec.get_mut("description"));
                let here = spec.map_or(0, |description| {
                    *description = json!("After.");
                    1
                });
                here + fields.values_mut().map(redescribe).sum::<usize>()
            }
            Value::Array(items) => items.iter_mut().map(redescribe).sum(),
            _ => 0,
        }
    }
    assert_eq!(redescribe(&mut snapshot), 1, "{snapshot:#}");
    let model = ScriptedModel::new([]);
    let mut second = template(&model, [asking()]).build().await.unwrap();
    second.restore(serde_json::from_value(snapshot).unwrap()).unwrap();
    let reply = second.interrupts()[0].respond("y");
    let resumed = second.prompt(Prompt::none()).resume([reply]).output::<Trip>().await.unwrap();
    assert_eq!(resumed.into_output().unwrap().city, "Oslo");
    assert_eq!(model.requests().len(), 0);
}
