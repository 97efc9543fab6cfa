//! Arbitrary events of every type, as JSON. A type without a strategy fails the tests that use it.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::arbitrary_messages as messages;
use crate::arbitrary_metrics::metrics;
use crate::schema_file::event_types;

pub(crate) type Json = BoxedStrategy<Value>;

/// Fields of arbitrary values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fields {
    /// Known fields only.
    Known,
    /// Also unknown fields, in values that preserve them.
    AndUnknown,
}

/// Events of any type.
pub(crate) fn any_event(fields: Fields) -> Json {
    proptest::strategy::Union::new(event_types().iter().map(|name| event(name, fields))).boxed()
}

/// Events of one type.
pub(crate) fn event(name: &str, fields: Fields) -> Json {
    let tool_use = || messages::tool_use(fields);
    let message = || messages::message(fields);
    let members: Members = match name {
        "start" => vec![
            req("version", any::<u32>()),
            req("invocation_id", text()),
            req("agent_id", text()),
            req("agent_name", text()),
            opt("session_id", text()),
        ],
        "cycle_start" => vec![req("cycle", any::<u32>())],
        "text_delta" | "reasoning_delta" => vec![req("text", text())],
        "citation" => vec![req("citation", messages::citation(fields))],
        "provider_content" => vec![req("content", messages::provider_content(fields))],
        "media" => vec![req("content", messages::generated_medium(fields))],
        "fallback" => vec![req("from", text()), req("to", text()), req("error", text())],
        "tool_use_start" => vec![req("tool_use_id", text()), req("name", text())],
        "tool_use_delta" => vec![req("tool_use_id", text()), req("input", text())],
        "retry" => vec![
            req("attempt", any::<u32>()),
            req("delay_ms", any::<u64>()),
            req("error", text()),
            req("discards_output", any::<bool>()),
        ],
        "context_reduced" => vec![req("what", text())],
        "context_reduction_failed" => vec![req("error", text())],
        "tools_changed" => {
            let names = || vec(text(), 0..3).prop_map(Value::from);
            vec![req("added", names()), req("removed", names()), req("changed", names())]
        }
        "partial_output" => vec![req("value", json_value())],
        "tool_refresh_failed" => vec![req("error", text())],
        "redacted" => vec![opt("user", text()), opt("assistant", text())],
        "guardrail" => {
            vec![req("guardrail", text()), req("content", text()), req("action", text()), req("count", any::<u32>())]
        }
        "message" => vec![req("message", message())],
        "tool_start" => vec![req("tool_use", tool_use())],
        "tool_progress" => vec![req("tool_use", tool_use()), req("data", json_value())],
        "tool_end" => vec![
            req("tool_use", tool_use()),
            req("result", messages::tool_result(fields)),
            req("duration_ms", any::<u64>()),
        ],
        "interrupt" => vec![req("interrupts", list(interrupt()))],
        "result" => vec![req("response", response(fields))],
        "node_start" => vec![
            req("node", text()),
            req("attempt", any::<u32>()),
            req("from", vec(text(), 0..3).prop_map(Value::from)),
        ],
        "node_end" => vec![
            req("node", text()),
            req("attempt", any::<u32>()),
            req("status", word(&["completed", "failed", "stopped", "of_a_later_release"])),
            req("usage", messages::usage()),
            req("duration_ms", any::<u64>()),
            opt("error", text()),
        ],
        "node_retry" => {
            vec![req("node", text()), req("attempt", any::<u32>()), req("delay_ms", any::<u64>()), req("error", text())]
        }
        "node_skip" => vec![req("node", text())],
        "handoff" => vec![req("from", text()), req("to", text()), req("message", text())],
        "node" => {
            let names: Vec<_> = event_types().into_iter().filter(|name| name != "node").collect();
            let leaves = names.into_iter().map(|name| event(&name, fields));
            vec![
                req("path", vec(text(), 1..4).prop_map(Value::from)),
                req("event", proptest::strategy::Union::new(leaves)),
            ]
        }
        other => panic!("there is no strategy for events of the type `{other}`"),
    };
    let name = name.to_owned();
    object(Fields::Known, members)
        .prop_map(move |members| {
            let mut event = json!({"type": name});
            event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            event
        })
        .boxed()
}

fn response(fields: Fields) -> Json {
    object(
        Fields::Known,
        vec![
            req("message", messages::message(fields)),
            req("stop_reason", word(&["end_turn", "tool_use", "limit_duration", "of_a_later_release"])),
            req("usage", messages::usage()),
            req("turns", any::<u32>()),
            opt("interrupts", vec(interrupt(), 1..3).prop_map(Value::from)),
            opt("output", json_value()),
            opt("ended_by", messages::tool_use(fields)),
            req("metrics", metrics(fields)),
        ],
    )
}

fn interrupt() -> Json {
    object(
        Fields::Known,
        vec![req("id", text()), req("name", text()), req("reason", json_value()), req("response", json_value())],
    )
}

/// A member of an object: its name, its value, and whether it is always there.
type Members = Vec<(&'static str, Json, bool)>;

pub(crate) fn req<V: Into<Value> + std::fmt::Debug + 'static>(
    name: &'static str,
    value: impl Strategy<Value = V> + 'static,
) -> (&'static str, Json, bool) {
    (name, value.prop_map(Into::into).boxed(), true)
}

pub(crate) fn opt<V: Into<Value> + std::fmt::Debug + 'static>(
    name: &'static str,
    value: impl Strategy<Value = V> + 'static,
) -> (&'static str, Json, bool) {
    (name, value.prop_map(Into::into).boxed(), false)
}

pub(crate) fn object(fields: Fields, members: Members) -> Json {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value, always)| {
            let value = if always { value.prop_map(Some).boxed() } else { prop::option::of(value).boxed() };
            value.prop_map(move |value| value.map(|value| (name.to_owned(), value)))
        })
        .collect();
    (members, unknown(fields))
        .prop_map(|(members, unknown)| Value::Object(members.into_iter().flatten().chain(unknown).collect()))
        .boxed()
}

/// Unknown fields.
pub(crate) fn unknown(fields: Fields) -> BoxedStrategy<Map<String, Value>> {
    match fields {
        Fields::Known => Just(Map::new()).boxed(),
        Fields::AndUnknown => {
            btree_map("new_[a-c]", json_value(), 0..2).prop_map(|fields| fields.into_iter().collect()).boxed()
        }
    }
}

pub(crate) fn list(item: Json) -> Json {
    vec(item, 0..3).prop_map(Value::from).boxed()
}

pub(crate) fn word(words: &'static [&'static str]) -> Json {
    prop::sample::select(words).prop_map(Value::from).boxed()
}

pub(crate) fn text() -> BoxedStrategy<String> {
    prop_oneof!["[a-z]{0,6}", any::<String>()].boxed()
}

/// Any JSON.
pub(crate) fn json_value() -> Json {
    let inner = scalar().prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map("[a-z]{0,4}", inner, 0..3).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop_oneof![scalar(), inner].boxed()
}

fn scalar() -> Json {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinity", |number| number.is_finite()).prop_map(Value::from),
        text().prop_map(Value::from),
    ]
    .boxed()
}
