//! Stream reader of Responses: events by their types, or one document with all items.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;
use strands_core::message::Citation;
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind, ReasoningDelta, StopReason, StreamEvent};

use super::events::{Ended, ItemDelta, Response, WholeItem};
use super::items::{Items, Key, Kind};
use super::provider_state;
use crate::chat_completions::{cost, last_events, refused};
use crate::http::{ContentLimit, ErrorResponse, Event, Framing, ReadError, ResponseReader};

/// Reader of a response. Unknown fields and types are skipped.
pub(super) struct ResponsesReader {
    /// Name of the provider.
    pub(super) provider: Cow<'static, str>,
    /// True if the provider stores the response.
    stateful: bool,
    began: bool,
    pub(super) items: Items,
    /// True if tools were called, and true if the model declined.
    pub(super) called: bool,
    pub(super) refused: bool,
    complete: bool,
    pub(super) content: ContentLimit,
}

impl ResponsesReader {
    /// Creates a reader that accepts up to `limit` bytes of content.
    pub(super) fn new(provider: Cow<'static, str>, stateful: bool, limit: usize) -> Self {
        Self {
            provider,
            stateful,
            began: false,
            items: Items::default(),
            called: false,
            refused: false,
            complete: false,
            content: ContentLimit::new(limit),
        }
    }

    fn event(&mut self, kind: &str, data: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        match kind {
            "response.output_text.delta" => self.text(parse(data)?, out),
            "response.refusal.delta" => {
                self.refused = true;
                self.text(parse(data)?, out)
            }
            "response.reasoning_summary_text.delta" => self.reasoning(parse(data)?, false, out),
            "response.reasoning_text.delta" => self.reasoning(parse(data)?, true, out),
            "response.function_call_arguments.delta" => self.arguments(&parse(data)?, out),
            "response.function_call_arguments.done" => {
                let item_delta: ItemDelta = parse(data)?;
                match self.items.find(Kind::Call, item_delta.key(), None)? {
                    Some(at) => self.whole_arguments(at, item_delta.arguments, out),
                    None => Ok(()),
                }
            }
            "response.output_text.annotation.added" => self.annotation(&parse(data)?, out),
            "response.output_item.added" => {
                let added: WholeItem = parse(data)?;
                self.item_added(added.output_index, &added.item, out)
            }
            "response.output_item.done" => {
                let done: WholeItem = parse(data)?;
                self.item_done(done.output_index, &done.item, out)
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let mut response = parse::<Ended>(data)?.response;
                // Some servers send everything in one event.
                if self.items.are_none() {
                    self.complete_items(&mut response, out)?;
                } else if !self.called {
                    self.whole_calls(&mut response, out)?;
                }
                response.status = response.status.or_else(|| Some(kind.trim_start_matches("response.").to_owned()));
                self.finish(response, out)
            }
            "error" => {
                let event: Value = parse(data)?;
                Err(error_response(event.get("error").filter(|error| error.is_object()).unwrap_or(&event)))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, out: &mut VecDeque<StreamEvent>) {
        if !std::mem::replace(&mut self.began, true) {
            out.push_back(StreamEvent::start_from(self.provider.clone()));
        }
    }

    fn text(&mut self, item_delta: ItemDelta, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let block = self.text_block(item_delta.key(), item_delta.part())?;
        if let Some(delta) = item_delta.delta.filter(|delta| !delta.is_empty()) {
            self.content.grow(delta.len())?;
            out.push_back(StreamEvent::text(block, delta));
        }
        Ok(())
    }

    pub(super) fn text_block(&mut self, key: Key<'_>, part: usize) -> Result<usize, ModelError> {
        match self.items.find(Kind::Text, key, Some(part))?.and_then(|at| self.items.get(at)) {
            Some(open) => Ok(open.block),
            None => Ok(self.items.begin(Kind::Text, key, part, &mut self.content)?.block),
        }
    }

    /// Reads a delta of reasoning: of the model's own (`is_plain`), or of a summary.
    pub(super) fn reasoning(
        &mut self,
        item_delta: ItemDelta,
        is_plain: bool,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let (key, part) = (item_delta.key(), item_delta.part());
        let Some(mut delta) = item_delta.delta.clone().filter(|delta| !delta.is_empty()) else {
            return Ok(());
        };
        self.content.grow(delta.len())?;
        let at = self.reasoning_block(key)?;
        let Some(open) = self.items.get(at) else {
            return Ok(());
        };
        // A summary has parts, a block does not.
        if !std::mem::replace(&mut open.empty, false) && open.part != part {
            delta.insert_str(0, "\n\n");
        }
        open.part = part;
        open.is_plain |= is_plain;
        out.push_back(StreamEvent::reasoning(open.block, ReasoningDelta::Text(delta)));
        Ok(())
    }

    /// Returns the position of the block of a reasoning item.
    pub(super) fn reasoning_block(&mut self, key: Key<'_>) -> Result<usize, ModelError> {
        if let Some(at) = self.items.find(Kind::Reasoning, key, None)? {
            return Ok(at);
        }
        self.items.begin(Kind::Reasoning, key, 0, &mut self.content)?;
        Ok(self.items.newest())
    }

    /// Reads a delta of a call's arguments. Those of server tools are skipped.
    fn arguments(&mut self, item_delta: &ItemDelta, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let Some(at) = self.items.find(Kind::Call, item_delta.key(), None)? else {
            return Ok(());
        };
        let delta = item_delta.delta.as_deref().unwrap_or_default();
        self.content.grow(delta.len())?;
        if let Some(open) = self.items.get(at)
            && let Some(certain) = open.arguments.push(delta)
        {
            out.push_back(StreamEvent::tool_input(open.block, certain));
        }
        Ok(())
    }

    /// Reads all arguments of the call at this position, after deltas or without.
    pub(super) fn whole_arguments(
        &mut self,
        at: usize,
        whole: Option<String>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        if let Some(open) = self.items.get(at)
            && let Some(certain) = open.arguments.push_whole(&whole.unwrap_or_default())
        {
            self.content.grow(certain.len())?;
            out.push_back(StreamEvent::tool_input(open.block, certain));
        }
        Ok(())
    }

    fn annotation(&mut self, item_delta: &ItemDelta, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.cite(item_delta.key(), item_delta.part(), &item_delta.annotation, out)
    }

    pub(super) fn cite(
        &mut self,
        key: Key<'_>,
        part: usize,
        annotation: &Value,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        if let Some(citation) = citation(annotation) {
            self.content.grow(size_of::<Citation>())?;
            let block = self.text_block(key, part)?;
            out.push_back(StreamEvent::citation(block, citation));
        }
        Ok(())
    }

    /// Emits the last events.
    fn finish(&mut self, response: Response, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let error = response.error.filter(|error| !error.is_null());
        let reason = response.incomplete_details.as_ref().map(|details| word(details, "reason").to_owned());
        let stop_reason = match response.status.as_deref().unwrap_or_default() {
            "incomplete" if reason.as_deref() == Some("content_filter") => StopReason::ContentFiltered,
            "incomplete" => StopReason::MaxTokens,
            "completed" if self.called => StopReason::ToolUse,
            "completed" if self.refused => StopReason::ContentFiltered,
            "completed" => StopReason::EndTurn,
            status => {
                // Usage of a failed response.
                out.extend(response.usage.map(cost));
                return Err(unfinished(status, error));
            }
        };
        self.complete = true;
        self.items.end_all(out);
        // A truncated response can't be continued: it may contain calls without results.
        if self.stateful
            && response.status.as_deref() == Some("completed")
            && let Some(id) = response.id.filter(|id| !id.is_empty())
        {
            self.own(provider_state::block(&self.provider, &id), out)?;
        }
        out.extend(last_events(stop_reason, response.usage));
        Ok(())
    }
}

/// Returns the error of a response that the provider has not completed.
fn unfinished(status: &str, error: Option<Value>) -> ReadError {
    if let Some(error) = error {
        return error_response(&error);
    }
    let (kind, advice) = match status {
        "queued" | "in_progress" => {
            let advice = "the provider responds in the background, which is not supported: omit `background`";
            (ModelErrorKind::InvalidRequest, Some(advice))
        }
        status => (ModelErrorKind::from_stop_reason(status).unwrap_or(ModelErrorKind::Protocol), None),
    };
    let body = format!("the response has the status `{status}`");
    (ErrorResponse { code: Some(status.to_owned()), body, advice, ..ErrorResponse::default() }, kind).into()
}

fn error_response(error: &Value) -> ReadError {
    refused(error, |_, _| None).into()
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, ModelError> {
    // As text, since the types that all readers share would be compiled again for bytes.
    str::from_utf8(json).map_err(serde_json::Error::custom).and_then(serde_json::from_str).map_err(malformed)
}

pub(super) fn malformed(error: serde_json::Error) -> ModelError {
    ModelError::Protocol {
        what: "an event of the response does not follow the Responses protocol".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    }
}

pub(super) fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Location of a citation: on the web, or a file that was given to the provider.
fn citation(annotation: &Value) -> Option<Citation> {
    let mut citation = Citation::default();
    match word(annotation, "type") {
        "url_citation" => {
            citation.location = Some(serde_json::json!({"web": {"url": annotation.get("url")?}}));
            citation.title = annotation.get("title").and_then(Value::as_str).map(str::to_owned);
        }
        "file_citation" => citation.title = Some(annotation.get("filename")?.as_str()?.to_owned()),
        _ => return None,
    }
    Some(citation)
}

impl ResponseReader for ResponsesReader {
    const FRAMING: Framing = Framing::ServerSentEvents;

    fn read(&mut self, event: Event<'_>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        #[derive(Deserialize)]
        struct Typed<'a> {
            #[serde(borrow)]
            r#type: Cow<'a, str>,
        }
        let data = event.data.trim();
        if data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            // Not part of this protocol, but sent by servers with both: the end, unless there was no content.
            let ended = Response { status: Some("completed".to_owned()), ..Response::default() };
            return if self.items.are_none() { Ok(()) } else { self.finish(ended, out) };
        }
        self.begin(out);
        match event.name.filter(|name| *name != "message") {
            Some(kind) => self.event(kind, data.as_bytes(), out),
            None => {
                let typed: Typed<'_> = serde_json::from_str(data).map_err(|error| ModelError::Protocol {
                    what: "an event of the response has no type".to_owned(),
                    details: ErrorDetails::new().with_source(error).boxed(),
                })?;
                self.event(&typed.r#type, data.as_bytes(), out)
            }
        }
    }

    fn end(&mut self, _: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        Err(ModelError::transport(
            "the response ended before its last event (`response.completed`); the connection was cut",
        )
        .into())
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn whole(mut self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let mut response: Response = parse(document)?;
        self.begin(out);
        // A response without a status is complete.
        if response.output.is_some() {
            response.status =
                response.status.filter(|status| !status.is_empty()).or_else(|| Some("completed".to_owned()));
        }
        self.complete_items(&mut response, out)?;
        self.finish(response, out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::complete_response;

    fn reader(limit: usize) -> ResponsesReader {
        ResponsesReader::new(Cow::Borrowed("openai"), true, limit)
    }

    fn event() -> impl Strategy<Value = Value> {
        let words = "[a-z ü]{0,4}";
        let kind = prop::sample::select(vec![
            "response.output_text.delta",
            "response.refusal.delta",
            "response.reasoning_summary_text.delta",
            "response.function_call_arguments.delta",
            "response.something.new",
        ]);
        let item = prop_oneof![
            words.prop_map(|text| json!({"type": "function_call", "call_id": text, "name": "f", "arguments": "{}"})),
            words.prop_map(|text| json!({"type": "reasoning", "summary": [{"text": text}], "encrypted_content": "x"})),
            words.prop_map(|text| json!({"type": "message", "content": [{"text": text}, {"refusal": text}]})),
            Just(json!({"type": "web_search_call"})),
            Just(json!(null)),
        ];
        let whole = prop::sample::select(vec!["response.output_item.added", "response.output_item.done"]);
        prop_oneof![
            (kind, 0..3_usize, 0..2_usize, words).prop_map(|(kind, at, part, delta)| {
                json!({"type": kind, "output_index": at, "content_index": part, "delta": delta})
            }),
            (whole, 0..3_usize, item)
                .prop_map(|(kind, at, item)| json!({"type": kind, "output_index": at, "item": item})),
        ]
    }

    #[test]
    fn ignores_a_repeated_announcement_of_a_call() {
        let (mut reader, mut out) = (reader(1 << 20), VecDeque::new());
        let added = json!({"type": "response.output_item.added", "output_index": 0,
            "item": {"type": "function_call", "call_id": "a", "name": "f"}});
        for event in [added.clone(), added] {
            reader.read(Event::of(&event.to_string()), &mut out).unwrap();
        }
        let begun = out.iter().filter(|event| matches!(event, StreamEvent::ContentBlockStart { .. }));
        assert_eq!(begun.count(), 1);
    }

    proptest! {
        #[test]
        fn makes_a_response_of_any_events(events in prop::collection::vec(event(), 0..12)) {
            let mut reader = reader(1 << 20);
            let mut out = VecDeque::new();
            for event in &events {
                match reader.read(Event::of(&event.to_string()), &mut out) {
                    Ok(()) => {}
                    // Arguments that may belong to several calls.
                    Err(ReadError::Failed(ModelError::Protocol { .. })) => return Ok(()),
                    Err(error) => panic!("{error:?}"),
                }
            }
            let last = json!({"type": "response.completed", "response": {"id": "r", "status": "completed"}}).to_string();
            reader.read(Event::of(&last), &mut out).unwrap();
            prop_assert!(reader.is_complete());

            complete_response(&out);
        }

        #[test]
        fn survives_any_bytes(data in ".{0,64}") {
            let mut out = VecDeque::new();
            let _ = reader(64).read(Event { name: Some("error"), data: &data }, &mut out);
            let _ = reader(64).whole(data.as_bytes(), &mut out);
        }
    }
}
