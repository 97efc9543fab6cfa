//! Streams of Responses: events with types and sequence numbers.

use serde_json::{Value, json};
use strands_core::AgentEvent;

use super::super::texts::{TextReader, TextSink};
use super::object::{Ended, Item, ResponseObject, part};
use crate::http::HostState;
use crate::http::sse::EventFormat;
use crate::{RunEvent, TurnError};

/// Writes the events of a turn as events of a response.
pub(super) struct ResponseEvents {
    host: HostState,
    object: ResponseObject,
    items: Vec<Item>,
    texts: TextReader,
    next: u64,
}

impl ResponseEvents {
    pub(super) fn new(host: HostState, object: ResponseObject) -> Self {
        Self { host, object, items: Vec::new(), texts: TextReader::default(), next: 0 }
    }

    fn write(&mut self, out: &mut Vec<u8>, kind: &str, event: Value) {
        let event = with(with(event, "type", json!(kind)), "sequence_number", json!(self.next));
        self.next += 1;
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut *out, &event);
        out.extend_from_slice(b"\n\n");
    }

    fn write_response(&mut self, out: &mut Vec<u8>, kind: &str, ended: Ended) {
        let response = self.object.ended(&self.items, ended);
        self.write(out, kind, json!({"response": response}));
    }

    /// Returns an event of the content of the newest item.
    fn of_content(&self, name: &str, value: Value) -> Value {
        let index = self.items.len().saturating_sub(1);
        let id = self.items.last().map(|item| item.id.as_str());
        json!({"item_id": id, "output_index": index, "content_index": 0, name: value})
    }
}

impl EventFormat for ResponseEvents {
    fn write_start(&mut self, out: &mut Vec<u8>) {
        self.write_response(out, "response.created", Ended::not_yet());
        self.write_response(out, "response.in_progress", Ended::not_yet());
    }

    fn write_event(&mut self, out: &mut Vec<u8>, event: &RunEvent) {
        let mut texts = std::mem::take(&mut self.texts);
        texts.read(event.event(), &mut ItemSink { events: self, out });
        self.texts = texts;
        if let AgentEvent::Result { response } = event.event() {
            let ended = Ended::of(response);
            let kind = format!("response.{}", ended.status());
            self.write_response(out, &kind, ended);
        }
    }

    fn write_error(&mut self, out: &mut Vec<u8>, error: &TurnError) {
        let problem = self.host.problem(error);
        self.write_response(out, "response.failed", Ended::failed(&problem.detail));
    }
}

/// Adds a field to an object.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
    object
}

/// Writes texts as output items.
struct ItemSink<'e> {
    events: &'e mut ResponseEvents,
    out: &'e mut Vec<u8>,
}

impl TextSink for ItemSink<'_> {
    fn start(&mut self) {
        let Self { events, out } = self;
        let item = Item::new(&events.object.id, events.items.len(), String::new());
        let added = json!({"output_index": events.items.len(), "item": item.empty_json()});
        events.items.push(item);
        events.write(out, "response.output_item.added", added);
        let added = events.of_content("part", part(""));
        events.write(out, "response.content_part.added", added);
    }

    fn delta(&mut self, delta: &str) {
        let Self { events, out } = self;
        if let Some(item) = events.items.last_mut() {
            item.text.push_str(delta);
        }
        let event = with(events.of_content("delta", json!(delta)), "logprobs", json!([]));
        events.write(out, "response.output_text.delta", event);
    }

    fn discard(&mut self) {
        if let Some(item) = self.events.items.last_mut() {
            item.text.clear();
        }
    }

    fn end(&mut self) {
        let Self { events, out } = self;
        let Some(item) = events.items.last() else { return };
        let (text, whole) = (item.text.clone(), item.json("completed"));
        let event = with(events.of_content("text", json!(text)), "logprobs", json!([]));
        events.write(out, "response.output_text.done", event);
        let event = events.of_content("part", part(&text));
        events.write(out, "response.content_part.done", event);
        let index = events.items.len() - 1;
        events.write(out, "response.output_item.done", json!({"output_index": index, "item": whole}));
    }
}
