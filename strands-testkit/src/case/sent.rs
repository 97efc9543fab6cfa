//! Assertions on the requests of any provider: tool calls with their results, and blank texts.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// A tool call in a request, with its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCall {
    /// The id under which both are sent.
    pub id: String,
    /// The arguments, as JSON.
    pub arguments: Value,
    /// The JSON of the result's content.
    pub result: Value,
}

/// Returns the tool calls in the body of a request, in order. Panics if an id is sent for several calls, or a result
/// without its call.
pub fn sent_calls(name: &str, body: &Value) -> Vec<SentCall> {
    let mut calls: Vec<(String, Value, Option<Value>)> = Vec::new();
    let mut places = HashMap::new();
    each_object(body, &mut |fields| {
        if let Some((id, arguments)) = call(fields) {
            let before = places.insert(id.clone(), calls.len());
            assert_eq!(before, None, "case {name}: the id {id} is sent for several calls: {body}");
            calls.push((id, arguments, None));
        } else if let Some((id, result)) = result(fields) {
            let at = places.get(&id).unwrap_or_else(|| panic!("case {name}: no call before the result {id}: {body}"));
            let known = calls.get_mut(*at).and_then(|(_, _, known)| known.replace(result));
            assert_eq!(known, None, "case {name}: {id} has two results: {body}");
        }
    });
    let answered = calls.into_iter().map(|(id, arguments, result)| {
        let result = result.unwrap_or_else(|| panic!("case {name}: {id} has no result: {body}"));
        SentCall { id, arguments, result }
    });
    answered.collect()
}

/// Panics if a text in the body of a request is blank, or if a message or a result has no content.
pub fn assert_nothing_blank(name: &str, body: &Value) {
    each_object(body, &mut |fields| {
        for field in ["text", "content", "parts", "output"] {
            let is_blank = match fields.get(field) {
                Some(Value::String(text)) => text.trim().is_empty(),
                Some(Value::Array(parts)) => parts.is_empty(),
                _ => false,
            };
            assert!(!is_blank, "case {name}: `{field}` is blank in {}: {body}", Value::Object(fields.clone()));
        }
    });
}

/// Visits all objects, in document order.
fn each_object(value: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            visit(fields);
            fields.values().for_each(|value| each_object(value, visit));
        }
        Value::Array(values) => values.iter().for_each(|value| each_object(value, visit)),
        _ => {}
    }
}

/// Returns the id and the arguments of a call, in the format of any provider.
fn call(fields: &Map<String, Value>) -> Option<(String, Value)> {
    let kind = fields.get("type").and_then(Value::as_str);
    let (id, arguments) = if let Some(call) = fields.get("toolUse") {
        (call.get("toolUseId")?, call.get("input")?)
    } else if let Some(call) = fields.get("functionCall") {
        (call.get("id")?, call.get("args")?)
    } else if kind == Some("tool_use") {
        (fields.get("id")?, fields.get("input")?)
    } else if kind == Some("function_call") {
        (fields.get("call_id")?, fields.get("arguments")?)
    } else {
        (fields.get("id")?, fields.get("function")?.get("arguments")?)
    };
    let arguments = match arguments {
        Value::String(text) => serde_json::from_str(text).ok()?,
        arguments => arguments.clone(),
    };
    Some((id.as_str()?.to_owned(), arguments))
}

fn result(fields: &Map<String, Value>) -> Option<(String, Value)> {
    let kind = fields.get("type").and_then(Value::as_str);
    let (id, result) = if let Some(result) = fields.get("toolResult") {
        (result.get("toolUseId")?, result.get("content")?)
    } else if let Some(result) = fields.get("functionResponse") {
        (result.get("id")?, result.get("response")?)
    } else if kind == Some("tool_result") {
        (fields.get("tool_use_id")?, fields.get("content")?)
    } else if kind == Some("function_call_output") {
        (fields.get("call_id")?, fields.get("output")?)
    } else {
        (fields.get("tool_call_id")?, fields.get("content")?)
    };
    Some((id.as_str()?.to_owned(), result.clone()))
}
