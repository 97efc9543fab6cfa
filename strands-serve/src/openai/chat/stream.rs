//! Streams of Chat Completions: chunks, and `[DONE]`.

use serde::Serialize;
use serde_json::{Value, json};
use strands_core::AgentEvent;

use super::super::error::error_json;
use super::super::stop::{chat_usage, finish_reason};
use super::super::texts::{TextReader, TextSink};
use super::Completion;
use crate::http::HostState;
use crate::http::sse::EventFormat;
use crate::{RunEvent, TurnError};

/// Writes the events of a turn as chunks.
pub(super) struct ChatChunks {
    host: HostState,
    completion: Completion,
    with_usage: bool,
    texts: TextReader,
    separator: Separator,
}

/// Separator before the next text.
#[derive(Clone, Copy, PartialEq)]
enum Separator {
    Nothing,
    EmptyLine,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    /// `null` in all chunks but the last one, if usage is included.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<()>,
}

#[derive(Default, Serialize)]
struct Choice<'a> {
    index: u8,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

impl ChatChunks {
    pub(super) fn new(host: HostState, completion: Completion, with_usage: bool) -> Self {
        Self { host, completion, with_usage, texts: TextReader::default(), separator: Separator::Nothing }
    }

    fn write_choice(&self, out: &mut Vec<u8>, choice: Choice<'_>) {
        let Completion { id, created, model } = &self.completion;
        let usage = self.with_usage.then_some(());
        let object = "chat.completion.chunk";
        write_data(out, &Chunk { id, object, created: *created, model, choices: [choice], usage });
    }

    fn write_usage(&self, out: &mut Vec<u8>, usage: &Value) {
        let Completion { id, created, model } = &self.completion;
        let object = "chat.completion.chunk";
        let chunk =
            json!({"id": id, "object": object, "created": created, "model": model, "choices": [], "usage": usage});
        write_data(out, &chunk);
    }
}

impl EventFormat for ChatChunks {
    fn write_start(&mut self, out: &mut Vec<u8>) {
        let delta = Delta { role: Some("assistant"), content: Some("") };
        self.write_choice(out, Choice { delta, ..Choice::default() });
    }

    fn write_event(&mut self, out: &mut Vec<u8>, event: &RunEvent) {
        let mut texts = std::mem::take(&mut self.texts);
        texts.read(event.event(), &mut ChunkSink { chunks: self, out });
        self.texts = texts;
        if let AgentEvent::Result { response } = event.event() {
            let finish_reason = Some(finish_reason(&response.stop_reason));
            let stop_reason = Some(response.stop_reason.as_str());
            self.write_choice(out, Choice { finish_reason, stop_reason, ..Choice::default() });
            if self.with_usage {
                self.write_usage(out, &chat_usage(&response.usage));
            }
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
    }

    fn write_error(&mut self, out: &mut Vec<u8>, error: &TurnError) {
        write_data(out, &json!({"error": error_json(&self.host.problem(error), None)}));
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// Writes texts as chunks.
struct ChunkSink<'c> {
    chunks: &'c mut ChatChunks,
    out: &'c mut Vec<u8>,
}

impl TextSink for ChunkSink<'_> {
    fn start(&mut self) {}

    fn delta(&mut self, delta: &str) {
        let separator = std::mem::replace(&mut self.chunks.separator, Separator::Nothing);
        for content in (separator == Separator::EmptyLine).then_some("\n\n").into_iter().chain([delta]) {
            let delta = Delta { role: None, content: Some(content) };
            self.chunks.write_choice(self.out, Choice { delta, ..Choice::default() });
        }
    }

    fn discard(&mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.chunks.separator = Separator::EmptyLine;
    }
}

fn write_data(out: &mut Vec<u8>, data: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    // Writing to memory does not fail, and all keys are strings.
    let _ = serde_json::to_writer(&mut *out, data);
    out.extend_from_slice(b"\n\n");
}
