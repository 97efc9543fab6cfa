//! Stream reader of Chat Completions: chunks of a stream, or one document in the form of a chunk.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind, ReasoningDelta, StopReason, StreamEvent};

use super::chunk::{Choice, Chunk, Delta, MessageContent, RareContent, ToolCallDelta};
use super::chunk_parser::ChunkParser;
use super::content_parts::citation;
use super::dialect::Dialect;
use super::error::refused;
use super::reasoning::Details;
use super::tool_calls::{CallDelta, Calls};
use super::usage::{cost, usage, with_timings};
use crate::http::{ContentLimit, ErrorResponse, Event, Framing, ReadError, ResponseReader, stop_reasons};

/// Reader of a response. Unknown fields and types are skipped.
pub(super) struct ChatReader {
    pub(super) dialect: Arc<Dialect>,
    parser: ChunkParser,
    began: bool,
    /// Index of the next block.
    next: usize,
    /// Open block of text or reasoning.
    open: Option<(Section, usize)>,
    /// Index of the choice that is read.
    choice: Option<usize>,
    /// Number of chunks so far.
    chunks: usize,
    /// True after a delta with content.
    in_deltas: bool,
    /// Message in a stream, until its meaning is known.
    message: Option<Box<Delta>>,
    calls: Calls,
    /// Block whose signature contains the details of all reasoning.
    pub(super) detailed: Option<usize>,
    pub(super) details: Details,
    refused: bool,
    finish_reason: Option<String>,
    /// Usage so far, as the provider reports it.
    usage: Option<(Usage, Box<RawValue>)>,
    complete: bool,
    pub(super) content: ContentLimit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Text,
    Reasoning,
}

/// End of a response.
#[derive(Clone, Copy)]
enum End {
    /// The server sent `[DONE]`.
    Done,
    /// The response was one document.
    Document,
    /// The response ended without a mark of its end.
    Closed,
}

impl ChatReader {
    /// Creates a reader that accepts up to `limit` bytes of content.
    pub(super) fn new(dialect: Arc<Dialect>, limit: usize) -> Self {
        Self {
            dialect,
            parser: ChunkParser::default(),
            began: false,
            next: 0,
            open: None,
            choice: None,
            chunks: 0,
            in_deltas: false,
            message: None,
            calls: Calls::default(),
            detailed: None,
            details: Details::default(),
            refused: false,
            finish_reason: None,
            usage: None,
            complete: false,
            content: ContentLimit::new(limit),
        }
    }

    /// Reads a chunk of a stream, or a document.
    fn chunk(&mut self, json: &str, is_document: bool, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let mut chunk = Chunk::default();
        self.parser.parse(json, &mut chunk).map_err(malformed)?;
        if let Some(error) = chunk.error {
            if let Some(counts) = chunk.usage {
                self.begin(out);
                out.push_back(cost(counts));
            }
            return Err(refused(&error, self.dialect.classify).into());
        }
        if chunk.is_error {
            return Err(refused(&serde_json::from_str(json).map_err(malformed)?, self.dialect.classify).into());
        }
        self.begin(out);
        self.chunks += 1;
        let of_choice = chunk.choice.as_mut().and_then(|choice| choice.usage.take());
        if let Some(counts) = chunk.usage.or(of_choice) {
            self.used(counts, out);
        }
        if let Some(choice) = &mut chunk.choice {
            self.choice(choice, is_document, out)?;
        }
        if let Some(timings) = chunk.timings {
            self.usage = self.usage.take().map(|(usage, counts)| (usage, with_timings(counts, &timings)));
        }
        Ok(())
    }

    fn begin(&mut self, out: &mut VecDeque<StreamEvent>) {
        if !std::mem::replace(&mut self.began, true) {
            out.push_back(StreamEvent::start_from(self.dialect.provider.clone()));
        }
    }

    /// Emits usage, which may come with each chunk, when it changes: the response may break off. Usage of zero does not replace
    /// an earlier one.
    fn used(&mut self, counts: Box<RawValue>, out: &mut VecDeque<StreamEvent>) {
        let usage = usage(&counts);
        let before = self.usage.as_ref().map(|(usage, _)| *usage);
        if before.is_some() && usage.total_tokens == 0 {
            return;
        }
        self.usage = Some((usage, counts));
        if before != Some(usage) {
            out.push_back(StreamEvent::metadata(usage, ModelMetrics::default()));
        }
    }

    fn choice(
        &mut self,
        choice: &mut Choice,
        is_document: bool,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        if let Some(error) = &choice.error {
            return Err(refused(error, self.dialect.classify).into());
        }
        // Of several choices, the one that begins first is read.
        let index = choice.index.unwrap_or_default();
        if *self.choice.get_or_insert(index) != index {
            return Ok(());
        }
        match (choice.delta.take(), choice.message.take()) {
            (_, Some(message)) if is_document && !message.is_empty() => self.delta(*message, true, out)?,
            (Some(delta), _) if !delta.is_empty() => {
                self.in_deltas = true;
                self.delta(delta, is_document, out)?;
            }
            (_, Some(message)) if !message.is_empty() => self.message(message, out)?,
            _ => {}
        }
        if let Some(reason) = choice.finish_reason.take().filter(|reason| !stop_reasons::is_none(reason)) {
            self.finish_reason = Some(reason);
        }
        Ok(())
    }

    /// Reads a message in a stream without a delta. Servers send the new content as a message, or all content so far, or all of
    /// it after a stream of deltas: the next message tells.
    fn message(&mut self, message: Box<Delta>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if self.in_deltas {
            return Ok(());
        }
        match self.message.replace(message) {
            Some(before) if !self.message.as_ref().is_some_and(|message| message.continues(&before)) => {
                self.delta(*before, false, out)
            }
            _ => Ok(()),
        }
    }

    /// Reads new content, or a whole message.
    fn delta(&mut self, delta: Delta, is_whole: bool, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let mut rare = delta.rare;
        let own_reasoning = rare.as_deref_mut().and_then(|rare| rare.reasoning.take());
        if let Some(rare) = rare.as_deref_mut()
            && !rare.reasoning_details.is_empty()
        {
            self.detail(std::mem::take(&mut rare.reasoning_details), out)?;
        }
        if let Some(text) = delta.reasoning_content.filter(|text| !text.is_empty()).or(own_reasoning) {
            self.reasoning(text, out)?;
        }
        match delta.content {
            MessageContent::Nothing => {}
            MessageContent::Text(text) => self.text(text, out)?,
            MessageContent::Parts(parts) => parts.into_iter().try_for_each(|part| self.part(part, out))?,
        }
        if let Some(refusal) = rare.as_deref_mut().and_then(|rare| rare.refusal.take()) {
            self.refused = true;
            self.text(refusal, out)?;
        }
        for call in delta.tool_calls {
            self.call(call, is_whole, out)?;
        }
        let Some(rare) = rare else {
            return Ok(());
        };
        let RareContent { annotations, images, .. } = *rare;
        for citation in annotations.iter().filter_map(citation) {
            self.cite(citation, out)?;
        }
        images.into_iter().try_for_each(|image| self.image(image, out))
    }

    pub(super) fn text(&mut self, text: String, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(text.len())?;
        let block = self.block(Section::Text, out);
        out.push_back(StreamEvent::text(block, text));
        Ok(())
    }

    pub(super) fn reasoning(&mut self, text: String, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(text.len())?;
        let block = self.block(Section::Reasoning, out);
        out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Text(text)));
        Ok(())
    }

    /// Returns the open block of this kind. A block of another kind ends.
    pub(super) fn block(&mut self, kind: Section, out: &mut VecDeque<StreamEvent>) -> usize {
        match self.open {
            Some((open, block)) if open == kind => block,
            _ => {
                self.close(out);
                let block = self.new_block();
                self.open = Some((kind, block));
                block
            }
        }
    }

    pub(super) fn new_block(&mut self) -> usize {
        let block = self.next;
        self.next += 1;
        block
    }

    pub(super) fn close(&mut self, out: &mut VecDeque<StreamEvent>) {
        if let Some((_, block)) = self.open.take()
            && self.detailed != Some(block)
        {
            out.push_back(StreamEvent::block_stop(block));
        }
    }

    fn call(&mut self, delta: ToolCallDelta, is_whole: bool, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let delta = CallDelta::new(delta, self.chunks, is_whole);
        self.content.grow(delta.size())?;
        let at = match self.calls.find(&delta)? {
            Some(at) => at,
            None => {
                self.close(out);
                let block = self.new_block();
                self.calls.begin(&delta, block, &mut self.content)?
            }
        };
        self.calls.push(at, delta, out);
        Ok(())
    }

    /// Emits the last events.
    fn finish(&mut self, end: End, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let finish_reason = match (self.finish_reason.take(), end) {
            (Some(reason), _) => reason,
            // Servers that mark the end may omit the reason.
            (None, End::Done | End::Document) if self.choice.is_some() => String::new(),
            (None, end) => return Err(unfinished(end).into()),
        };
        if let Some(message) = self.message.take().filter(|_| !self.in_deltas) {
            self.delta(*message, true, out)?;
        }
        let stop_reason = match finish_reason.as_str() {
            reason if let Some(kind) = ModelErrorKind::from_stop_reason(reason) => {
                return Err((ErrorResponse { code: Some(finish_reason), ..ErrorResponse::default() }, kind).into());
            }
            reason if let Some(stop_reason) = stop_reasons::limit_or_filter(reason) => stop_reason,
            "tool_calls" | "function_call" => StopReason::ToolUse,
            _ if !self.calls.is_empty() => StopReason::ToolUse,
            _ if self.refused => StopReason::ContentFiltered,
            _ => StopReason::EndTurn,
        };
        self.complete = true;
        self.close(out);
        if let Some(block) = self.detailed {
            let signature = std::mem::take(&mut self.details).signature();
            out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Signature(signature)));
            out.push_back(StreamEvent::block_stop(block));
        }
        self.calls.end(out);
        out.push_back(StreamEvent::stop(stop_reason));
        if let Some((usage, counts)) = self.usage.take() {
            out.push_back(StreamEvent::metadata(usage, ModelMetrics::default()).with_provider_usage(counts));
        }
        Ok(())
    }
}

/// Returns the error of a response that ends early.
fn unfinished(end: End) -> ModelError {
    match end {
        End::Done => ModelError::transport("the response ended with `[DONE]` before it had any choice"),
        End::Document => ModelError::protocol("the response is a document without choices"),
        End::Closed => ModelError::transport(
            "the response ended before the message did: neither a finish reason nor `[DONE]` came; the connection was cut",
        ),
    }
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> ModelError {
    ModelError::Protocol {
        what: "a chunk of the response does not follow Chat Completions".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    }
}

impl ResponseReader for ChatReader {
    const FRAMING: Framing = Framing::ServerSentEvents;

    fn read(&mut self, event: Event<'_>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        match event.data.trim() {
            "" => Ok(()),
            "[DONE]" => self.finish(End::Done, out),
            data => self.chunk(data, false, out),
        }
    }

    fn end(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        // Some servers end without `[DONE]`.
        self.finish(End::Closed, out)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn whole(mut self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.chunk(str::from_utf8(document).map_err(malformed)?, true, out)?;
        self.finish(End::Document, out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::chat_completions::ReasoningReplay;
    use crate::http::complete_response;

    fn reader(limit: usize) -> ChatReader {
        ChatReader::new(Arc::new(Dialect::openai("openai", ReasoningReplay::Never)), limit)
    }

    fn delta() -> impl Strategy<Value = Value> {
        let words = "[a-z ü]{0,4}";
        let id = || prop::option::of("[ab]?");
        prop_oneof![
            words.prop_map(|text| json!({"content": text})),
            words.prop_map(|text| json!({"content": [{"type": "text", "text": text}, {"type": "reference", "reference_ids": [1]}]})),
            words.prop_map(|text| json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}], "signature": text}]})),
            Just(json!({"content": [{"type": "tool_file", "file_id": "f"}, null]})),
            words.prop_map(|text| json!({"reasoning": text, "content": ""})),
            words.prop_map(|text| json!({"refusal": text})),
            (0..3_u8, words).prop_map(|(at, text)| json!({"reasoning_details": [{"index": at, "type": "t", "text": text}]})),
            (prop::option::of(0..3_usize), id(), id(), prop::option::of(words)).prop_map(|(index, id, name, arguments)| {
                json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]})
            }),
            Just(json!({"tool_calls": [{}], "reasoning_details": [], "role": "assistant"})),
        ]
    }

    #[test]
    fn ignores_an_empty_finish_reason() {
        let mut reader = reader(64);
        let mut out = VecDeque::new();
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": ""}]}).to_string();
        reader.read(Event::of(&chunk), &mut out).unwrap();
        let cut = reader.end(&mut out).unwrap_err();
        assert!(matches!(&cut, ReadError::Failed(ModelError::Transport { .. })), "{cut:?}");
    }

    #[test]
    fn reads_an_error_in_place_of_a_chunk() {
        // vLLM and Mistral.
        let error =
            json!({"object": "error", "message": "prompt has 9 tokens, maximum context length is 8", "code": 400});
        for whole in [true, false] {
            let mut out = VecDeque::new();
            let read = match whole {
                true => reader(64).whole(error.to_string().as_bytes(), &mut out),
                false => reader(64).read(Event::of(&error.to_string()), &mut out),
            };
            let refused = read.unwrap_err();
            assert!(
                matches!(&refused, ReadError::ErrorResponse(refused) if refused.1 == ModelErrorKind::ContextOverflow),
                "{refused:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn makes_a_response_of_any_events(deltas in prop::collection::vec(delta(), 0..12)) {
            let mut reader = reader(1 << 20);
            let mut out = VecDeque::new();
            for delta in &deltas {
                let chunk = json!({"choices": [{"index": 0, "delta": delta}]}).to_string();
                match reader.read(Event::of(&chunk), &mut out) {
                    Ok(()) => {}
                    // Arguments that may belong to several calls.
                    Err(ReadError::Failed(ModelError::Protocol { .. })) => return Ok(()),
                    Err(error) => panic!("{error:?}"),
                }
            }
            let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string();
            reader.read(Event::of(&last), &mut out).unwrap();
            reader.read(Event::of("[DONE]"), &mut out).unwrap();
            prop_assert!(reader.is_complete());

            complete_response(&out);
        }

        #[test]
        fn survives_any_bytes(data in ".{0,64}") {
            let mut out = VecDeque::new();
            let _ = reader(64).read(Event::of(&data), &mut out);
            let _ = reader(64).whole(data.as_bytes(), &mut out);
        }
    }
}
