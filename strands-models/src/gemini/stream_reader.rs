//! Response reader: chunks of a stream, or one document in the form of a chunk.

use std::collections::VecDeque;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use strands_core::message::ProviderContent;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{ErrorDetails, ModelError, ReasoningDelta, StreamEvent, ToolUseStart};

use super::chunk::{Candidate, Chunk, PromptFeedback};
use super::error::stream_error;
use super::finish::{Finish, blocked_prompt, failed, finish, is_no_reason};
use super::grounding::Sources;
use super::part::{FunctionCall, Part};
use super::usage::usage;
use super::{PROVIDER, media_signatures, text_signatures};
use crate::http::{ContentLimit, Event, Framing, ReadError, ResponseReader, tolerant};

/// Reader of a response. Unknown parts become provider content.
pub(super) struct GeminiReader {
    began: bool,
    /// Zero-based index of the next block.
    next: usize,
    text: Option<OpenText>,
    /// Index of the open reasoning block.
    reasoning: Option<usize>,
    calls: bool,
    /// Index of the candidate that is read.
    candidate: Option<usize>,
    /// The server has reported the end of the response.
    is_whole: bool,
    finish: Option<(String, Option<String>)>,
    /// The latest counts. Each chunk has counts, and the last ones are final.
    usage: Option<(Box<RawValue>, Usage)>,
    sources: Sources,
    content: ContentLimit,
}

/// The last text block. It stays open until the end of the response, for citations, which come last.
struct OpenText {
    block: usize,
    bytes: usize,
    /// Content of another kind came after it, so the next text starts a new block.
    sealed: bool,
}

impl GeminiReader {
    /// Creates a reader that accepts at most `limit` bytes of content.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            began: false,
            next: 0,
            text: None,
            reasoning: None,
            calls: false,
            candidate: None,
            is_whole: false,
            finish: None,
            usage: None,
            sources: Sources::default(),
            content: ContentLimit::new(limit),
        }
    }

    fn chunk(
        &mut self,
        chunk: serde_json::Result<Chunk<'_>>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let chunk = chunk.map_err(|error| ModelError::Protocol {
            what: "a chunk of the response is not a valid Gemini response".to_owned(),
            details: ErrorDetails::new().with_source(error).boxed(),
        })?;
        if let Some(error) = chunk.error {
            return Err(stream_error(&error).into());
        }
        if !self.began {
            self.began = true;
            out.push_back(StreamEvent::start_from(PROVIDER));
        }
        if let Some(counts) = chunk.usage_metadata {
            self.update_usage(counts, out);
        }
        if let Some(feedback) = chunk.prompt_feedback {
            let blocked = serde_json::from_str::<PromptFeedback>(feedback.get()).ok();
            if let Some(reason) = blocked.and_then(|feedback| feedback.block_reason) {
                return Err(blocked_prompt(reason, feedback.get()).into());
            }
        }
        for candidate in chunk.candidates.into_iter().flatten() {
            // Of several candidates, the first to arrive is read.
            let index = candidate.index.unwrap_or_default();
            if *self.candidate.get_or_insert(index) == index {
                self.candidate(candidate, out)?;
            }
        }
        Ok(())
    }

    /// Reports changed counts immediately, since the response may end early.
    fn update_usage(&mut self, counts: &RawValue, out: &mut VecDeque<StreamEvent>) {
        if self.usage.as_ref().is_none_or(|(known, _)| known.get() != counts.get()) {
            let (_, usage) = self.usage.insert((counts.to_owned(), usage(counts)));
            out.push_back(StreamEvent::metadata(*usage, ModelMetrics::default()));
        }
    }

    fn candidate(&mut self, candidate: Candidate<'_>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        for part in candidate.content.into_iter().flat_map(|content| content.parts) {
            match part {
                Part::Text { text, is_reasoning: true, signature } => self.reasoning(text, signature, out)?,
                Part::Text { text, is_reasoning: false, signature } => self.text(text, signature, out)?,
                Part::Call { call, signature } => self.call(call, signature, out)?,
                Part::Other(part) => self.other_part(part, out)?,
                Part::Empty => {}
            }
        }
        if let Some(found) = candidate.grounding_metadata {
            self.content.grow(found.get().len())?;
            self.sources.set_grounding(found.get());
        }
        if let Some(read) = candidate.url_context_metadata {
            self.content.grow(read.get().len())?;
            self.sources.set_url_context(read.get());
        }
        if let Some(quoted) = candidate.citation_metadata {
            self.content.grow(quoted.get().len())?;
            self.sources.add_citations(quoted.get());
        }
        // Responses with code execution may have several finish reasons. The last one counts.
        if let Some(reason) = candidate.finish_reason.filter(|reason| !is_no_reason(reason)) {
            self.finish = Some((reason, candidate.finish_message));
        }
        Ok(())
    }

    fn text(
        &mut self,
        text: String,
        signature: Option<String>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ModelError> {
        let length = text.len();
        if length > 0 {
            self.content.grow(length)?;
            self.close_reasoning(out);
            let open = self.open_text(out);
            open.bytes += length;
            out.push_back(StreamEvent::text(open.block, text));
        }
        let Some(signature) = signature else {
            return Ok(());
        };
        self.content.grow(signature.len())?;
        self.close_reasoning(out);
        let block = match &self.text {
            Some(open) if !open.sealed => text_signatures::block(signature, open.bytes - length..open.bytes),
            _ => ProviderContent::new(PROVIDER, json!({"text": "", "thoughtSignature": signature})),
        };
        self.provider(block, out);
        Ok(())
    }

    fn reasoning(
        &mut self,
        text: String,
        signature: Option<String>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ModelError> {
        if text.is_empty() && signature.is_none() {
            return Ok(());
        }
        self.content.grow(text.len() + signature.as_ref().map_or(0, String::len))?;
        self.seal_text();
        // Signed reasoning is not joined with unsigned reasoning.
        if signature.is_some() {
            self.close_reasoning(out);
        }
        let block = match self.reasoning {
            Some(block) => block,
            None => self.new_block(),
        };
        self.reasoning = Some(block);
        if !text.is_empty() {
            out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Text(text)));
        }
        if let Some(signature) = signature {
            out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Signature(signature)));
            self.close_reasoning(out);
        }
        Ok(())
    }

    /// Reads a tool call. The provider never splits one.
    fn call(
        &mut self,
        call: FunctionCall,
        signature: Option<String>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ModelError> {
        self.seal_text();
        self.close_reasoning(out);
        self.calls = true;
        // The turn builder assigns missing ids.
        let mut start = ToolUseStart::new(call.id.unwrap_or_default(), call.name.unwrap_or_default());
        start.reasoning_signature = signature;
        let signed = start.reasoning_signature.as_ref().map_or(0, String::len);
        let arguments = call.args.as_deref().map(tolerant::written_arguments);
        let length = arguments.as_ref().map_or(0, String::len);
        self.content.grow(size_of::<ToolUseStart>() + start.tool_use_id.len() + start.name.len() + signed + length)?;
        let block = self.new_block();
        out.push_back(StreamEvent::tool_use(block, start));
        if let Some(arguments) = arguments {
            out.push_back(StreamEvent::tool_input(block, arguments));
        }
        out.push_back(StreamEvent::block_stop(block));
        Ok(())
    }

    /// Reads a part of another kind: generated media, executed code, or calls of built-in tools.
    fn other_part(&mut self, part: Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ModelError> {
        self.content.grow(size_of::<ProviderContent>() + size(&part))?;
        self.seal_text();
        self.close_reasoning(out);
        let Some((medium, signature)) = media_signatures::split_part(&part) else {
            self.provider(ProviderContent::new(PROVIDER, part), out);
            return Ok(());
        };
        let block = self.new_block();
        out.extend([StreamEvent::media(block, medium), StreamEvent::block_stop(block)]);
        if let Some(block) = signature {
            self.provider(block, out);
        }
        Ok(())
    }

    fn provider(&mut self, content: ProviderContent, out: &mut VecDeque<StreamEvent>) {
        let block = self.new_block();
        out.push_back(StreamEvent::provider_content(block, content));
        out.push_back(StreamEvent::block_stop(block));
    }

    fn new_block(&mut self) -> usize {
        let block = self.next;
        self.next += 1;
        block
    }

    /// Returns the open text block, or opens a new one.
    fn open_text(&mut self, out: &mut VecDeque<StreamEvent>) -> &mut OpenText {
        if let Some(sealed) = self.text.take_if(|text| text.sealed) {
            out.push_back(StreamEvent::block_stop(sealed.block));
        }
        let next = &mut self.next;
        self.text.get_or_insert_with(|| {
            let block = *next;
            *next += 1;
            OpenText { block, bytes: 0, sealed: false }
        })
    }

    fn seal_text(&mut self) {
        if let Some(text) = &mut self.text {
            text.sealed = true;
        }
    }

    fn close_reasoning(&mut self, out: &mut VecDeque<StreamEvent>) {
        if let Some(block) = self.reasoning.take() {
            out.push_back(StreamEvent::block_stop(block));
        }
    }

    /// Ends the open blocks and adds the stop and metadata events.
    fn finish(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let (reason, message) = match self.finish.take() {
            Some(finish) => finish,
            // A finish reason is optional if the server reported the end.
            None if self.is_whole && self.candidate.is_some() => ("STOP".to_owned(), None),
            None if self.is_whole => return Err(ModelError::transport("the response has no candidates").into()),
            None => {
                return Err(ModelError::transport(
                    "the response ended without a finish reason; the connection was cut",
                )
                .into());
            }
        };
        let stop_reason = match finish(&reason, self.calls, self.next > 0) {
            Finish::Stopped(stop_reason) => stop_reason,
            Finish::Failed(kind) => return Err((failed(reason, message), kind).into()),
        };
        self.close_reasoning(out);
        let mut sources = std::mem::take(&mut self.sources);
        if let Some(text) = self.text.take() {
            out.extend(sources.citations().into_iter().map(|citation| StreamEvent::citation(text.block, citation)));
            out.push_back(StreamEvent::block_stop(text.block));
        }
        let fields = sources.into_fields().map(Box::new);
        out.push_back(StreamEvent::MessageStop { stop_reason, additional_model_response_fields: fields });
        if let Some((counts, usage)) = self.usage.take() {
            out.push_back(StreamEvent::metadata(usage, ModelMetrics::default()).with_provider_usage(counts));
        }
        Ok(())
    }
}

/// Returns the approximate size of a value in bytes.
fn size(value: &Value) -> usize {
    let inside: usize = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + inside
}

impl ResponseReader for GeminiReader {
    const FRAMING: Framing = Framing::ServerSentEvents;

    fn read(&mut self, event: Event<'_>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        match event.data {
            "" => Ok(()),
            // Not part of this protocol, but sent by gateways that support several.
            "[DONE]" => {
                self.is_whole = true;
                Ok(())
            }
            data => self.chunk(serde_json::from_str(data), out),
        }
    }

    fn end(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.finish(out)
    }

    /// Always false: a finish reason may be followed by more content, so only the end of the stream is final.
    fn is_complete(&self) -> bool {
        false
    }

    fn whole(mut self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.is_whole = true;
        // Some gateways collect a stream into an array of chunks.
        if document.trim_ascii_start().starts_with(b"[") {
            match serde_json::from_slice::<Vec<Chunk<'_>>>(document) {
                Ok(chunks) => chunks.into_iter().try_for_each(|chunk| self.chunk(Ok(chunk), out))?,
                Err(error) => self.chunk(Err(error), out)?,
            }
        } else {
            self.chunk(serde_json::from_slice(document), out)?;
        }
        self.finish(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gemini::contents::OutgoingMessage;
    use crate::gemini::model_catalog::Traits;
    use crate::http::complete_response;

    fn part() -> impl Strategy<Value = Value> {
        let words = "[a-zü]{0,3}";
        let signed = || prop::option::of("[A-Za-z0-9+/]{4}");
        let with = |mut part: Value, signature: Option<String>| {
            if let Some(signature) = signature {
                part["thoughtSignature"] = json!(signature);
            }
            part
        };
        prop_oneof![
            3 => (words, signed()).prop_map(move |(text, signature)| with(json!({"text": text}), signature)),
            2 => (words, signed()).prop_map(move |(text, signature)| {
                with(json!({"text": text, "thought": true}), signature)
            }),
            1 => (any::<u64>(), words, signed()).prop_map(move |(id, text, signature)| {
                with(json!({"functionCall": {"id": id.to_string(), "name": "f", "args": {"text": text}}}), signature)
            }),
            1 => (words, signed()).prop_map(move |(code, signature)| {
                with(json!({"executableCode": {"code": code}}), signature)
            }),
            1 => ("[A-Za-z0-9+/]{4}", signed(), prop::sample::select(vec!["image/png", "audio/L16;rate=24000", "text/csv"]))
                .prop_map(move |(data, signature, mime)| {
                    with(json!({"inlineData": {"mimeType": mime, "data": data}}), signature)
                }),
            1 => Just(json!({})),
        ]
    }

    /// Parts as they are sent back: adjacent unsigned texts are joined, and empty parts are dropped.
    fn joined(parts: &[Value]) -> Vec<Value> {
        let mut joined: Vec<Value> = Vec::new();
        for part in parts {
            let unsigned = |part: &Value| part.get("text").is_some() && part.get("thoughtSignature").is_none();
            if *part == json!({}) || unsigned(part) && part["text"] == "" {
                continue;
            }
            match joined.last_mut() {
                Some(last) if unsigned(last) && unsigned(part) && last.get("thought") == part.get("thought") => {
                    last["text"] =
                        json!(format!("{}{}", last["text"].as_str().unwrap(), part["text"].as_str().unwrap()));
                }
                _ => joined.push(part.clone()),
            }
        }
        joined
    }

    /// Events of a response with this number of parts per chunk.
    fn read(parts: &[Value], at_once: usize) -> VecDeque<StreamEvent> {
        let (mut reader, mut out) = (GeminiReader::new(1 << 20), VecDeque::new());
        for parts in parts.chunks(at_once) {
            let chunk = json!({"candidates": [{"content": {"parts": parts}}]}).to_string();
            reader.read(Event::of(&chunk), &mut out).unwrap();
        }
        let last = json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1}});
        reader.read(Event::of(&last.to_string()), &mut out).unwrap();
        reader.end(&mut out).unwrap();
        out
    }

    proptest! {
        #[test]
        fn sends_parts_back_unchanged(parts in prop::collection::vec(part(), 1..12), at_once in 1..4_usize) {
            let message = complete_response(&read(&parts, at_once)).message;
            let sent = OutgoingMessage { message: &message, messages: &[], traits: Traits::of("gemini-2.5-flash", "h") };
            let mut sent = serde_json::to_value(&sent).unwrap();
            let expected = joined(&parts);
            if !expected.is_empty() {
                prop_assert_eq!(sent[0]["parts"].take(), Value::Array(expected), "{:?}", message.content);
            }
        }

        #[test]
        fn arbitrary_text_does_not_panic(data in ".{0,64}") {
            let mut out = VecDeque::new();
            let _ = GeminiReader::new(64).read(Event::of(&data), &mut out);
            let _ = GeminiReader::new(64).whole(data.as_bytes(), &mut out);
        }
    }
}
