//! Scripted response of a case's server, in one of the forms that a file may use.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::eventstream::{self, Frame};
use crate::recording::Exchange;
use crate::response::Response;

/// A response: exactly one of `sse`, `anthropic`, `json`, `lines`, `frames` or `raw`, with a `status`, `headers` and a
/// `content_type` that override the defaults of its form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Server-sent events without names, one `data:` each; `{"event!": "error", "data": {..}}` is one with a name.
    pub sse: Option<Vec<Value>>,
    /// True if `data: [DONE]` follows the events, or the document.
    #[serde(default)]
    pub done: bool,
    /// Server-sent events named by their `type`, as in Anthropic's protocol and Responses.
    pub anthropic: Option<Vec<Value>>,
    /// A JSON document.
    pub json: Option<Value>,
    /// JSON documents, one on each line.
    pub lines: Option<Vec<Value>>,
    /// Frames of Amazon's event stream, each with its event type.
    pub frames: Option<Vec<(String, Value)>>,
    /// A body of any kind, sent as it is.
    pub raw: Option<String>,
    /// HTTP status, 200 by default.
    pub status: Option<u16>,
    /// Headers.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// The `content-type` header.
    pub content_type: Option<String>,
}

impl Reply {
    /// Converts a recorded response.
    pub(super) fn of_exchange(exchange: &Exchange) -> Self {
        let recorded = &exchange.response;
        Self {
            raw: Some(String::from_utf8_lossy(&recorded.body).into_owned()),
            status: Some(recorded.status),
            content_type: Some(recorded.content_type.clone()),
            ..Self::default()
        }
    }

    /// Returns the response to send. Panics if it has no form, or several.
    pub fn response(&self) -> Response {
        let (content_type, body) = self.body();
        let mut response = Response::new(self.status.unwrap_or(200))
            .content_type(self.content_type.as_deref().unwrap_or(content_type))
            .body(body)
            .framing(crate::Framing::Chunked);
        for (name, value) in &self.headers {
            response = response.header(name, value.as_str().unwrap_or_else(|| panic!("header `{name}` is {value}")));
        }
        response
    }

    fn body(&self) -> (&'static str, Bytes) {
        let done = if self.done { "data: [DONE]\n\n" } else { "" };
        let Self { sse, anthropic, json, lines, frames, raw, .. } = self;
        let mut forms = [
            sse.as_ref()
                .map(|events| ("text/event-stream", (events.iter().map(unnamed).collect::<String>() + done).into())),
            anthropic
                .as_ref()
                .map(|events| ("text/event-stream", (events.iter().map(named).collect::<String>() + done).into())),
            json.as_ref().map(|document| ("application/json", format!("{document}{done}").into())),
            lines.as_ref().map(|lines| {
                ("application/x-ndjson", lines.iter().map(|line| format!("{line}\n")).collect::<String>().into())
            }),
            frames.as_ref().map(|frames| {
                let frames: Vec<_> = frames.iter().map(|(kind, payload)| Frame::event(kind, payload)).collect();
                ("application/vnd.amazon.eventstream", eventstream::encode(&frames))
            }),
            raw.as_ref().map(|raw| ("application/octet-stream", raw.clone().into())),
        ]
        .into_iter()
        .flatten();
        match (forms.next(), forms.next()) {
            (Some(form), None) => form,
            _ => panic!("a reply has one form: {self:?}"),
        }
    }
}

fn unnamed(event: &Value) -> String {
    match event.get("event!").and_then(Value::as_str) {
        Some(name) => format!("event: {name}\ndata: {}\n\n", event["data"]),
        None => format!("data: {event}\n\n"),
    }
}

fn named(event: &Value) -> String {
    let name = event.get("type").and_then(Value::as_str).unwrap_or_else(|| panic!("an event without type: {event}"));
    format!("event: {name}\ndata: {event}\n\n")
}
