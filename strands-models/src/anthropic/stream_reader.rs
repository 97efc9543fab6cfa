//! Response reader of the Messages API: stream events by type, or one document with all blocks.

use std::borrow::Cow;
use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use strands_core::message::{Citation, ProviderContent};
use strands_core::metrics::ModelMetrics;
use strands_core::models::{
    ErrorDetails, ModelError, ModelErrorKind, ReasoningDelta, StopReason, StreamEvent, ToolUseStart,
};

use super::PROVIDER;
use super::citations::citation;
use super::error::stream_error;
use super::events::{
    Block, BlockDelta, BlockStart, BlockStop, Delta, Document, KNOWN_DELTAS, MessageDelta, MessageStart, RawDelta,
    StopInfo, Typed,
};
use super::open_block::{CallArguments, OpenBlock, OpenContent};
use super::provider_content::ProviderBlock;
use super::usage::{update, usage};
use crate::http::{
    ContentLimit, ErrorResponse, Event, Framing, ReadError, ResponseReader, StreamedArguments, stop_reasons, tolerant,
};

/// Reader of a response. Unknown blocks become provider content, and unknown events are ignored.
pub(super) struct MessagesReader {
    began: bool,
    open: Vec<OpenBlock>,
    /// Zero-based index of the next block.
    next: usize,
    /// First unused index of the provider.
    next_provider_index: usize,
    has_calls: bool,
    usage: Map<String, Value>,
    stop_info: StopInfo,
    complete: bool,
    bytes: ContentLimit,
}

impl MessagesReader {
    /// Creates a reader that accepts at most `limit` bytes of content.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            began: false,
            open: Vec::new(),
            next: 0,
            next_provider_index: 0,
            has_calls: false,
            usage: Map::new(),
            stop_info: StopInfo::default(),
            complete: false,
            bytes: ContentLimit::new(limit),
        }
    }

    fn event(&mut self, kind: &str, data: &str, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        match kind {
            "content_block_delta" => self.delta(data, out),
            "content_block_start" => {
                let started: BlockStart<'_> = parse(data)?;
                let at = started.index.unwrap_or(self.next_provider_index);
                self.start(at, started.content_block.get(), out)
            }
            "content_block_stop" => {
                let stop: BlockStop = parse(data)?;
                let at = self.provider_index(stop.index);
                self.close(Some(at), out);
                Ok(())
            }
            "message_start" => {
                let started: MessageStart = parse(data)?;
                self.begin(out);
                self.update_usage(started.message.usage, out);
                Ok(())
            }
            "message_delta" => {
                let changed: MessageDelta = parse(data)?;
                self.update_usage(changed.usage, out);
                self.stop_info.update(changed.delta);
                Ok(())
            }
            "message_stop" => self.finish(true, out),
            "error" => Err(stream_error(&serde_json::from_str(data).unwrap_or_default()).into()),
            _ => Ok(()),
        }
    }

    /// Reports counts immediately: some come in the first event, the others in the last, and the response may end early.
    fn update_usage(&mut self, counts: Option<Map<String, Value>>, out: &mut VecDeque<StreamEvent>) {
        if let Some(counts) = counts {
            update(&mut self.usage, counts);
            out.push_back(StreamEvent::metadata(usage(&self.usage), ModelMetrics::default()));
        }
    }

    fn begin(&mut self, out: &mut VecDeque<StreamEvent>) {
        if !self.began {
            self.began = true;
            out.push_back(StreamEvent::start_from(PROVIDER));
        }
    }

    /// Returns the provider's index of an event. Events without an index belong to the last block.
    fn provider_index(&self, index: Option<usize>) -> usize {
        index.unwrap_or_else(|| self.open.last().map_or(self.next_provider_index, |open| open.provider_index))
    }

    fn start(&mut self, at: usize, json: &str, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.begin(out);
        self.close(Some(at), out);
        let kind = parse::<Typed<'_>>(json)?.r#type;
        self.bytes.grow(size_of::<OpenBlock>())?;
        self.next_provider_index = self.next_provider_index.max(at.saturating_add(1));
        let block = self.next;
        self.next += 1;
        let content = match &*kind {
            "text" => {
                let start: Block<'_> = parse(json)?;
                self.text(block, start.text.unwrap_or_default(), out)?;
                for original in start.citations {
                    self.citation(block, original, out)?;
                }
                OpenContent::Text
            }
            "thinking" => {
                let start: Block<'_> = parse(json)?;
                self.reasoning(block, start.thinking.map(ReasoningDelta::Text), out)?;
                self.reasoning(block, start.signature.map(ReasoningDelta::Signature), out)?;
                OpenContent::Reasoning
            }
            "tool_use" => {
                let start: Block<'_> = parse(json)?;
                let (id, name) = (start.id.unwrap_or_default(), start.name.unwrap_or_default());
                self.bytes.grow(id.len() + name.len())?;
                out.push_back(StreamEvent::tool_use(block, ToolUseStart::new(id, name)));
                self.has_calls = true;
                OpenContent::ToolCall(Box::new(CallArguments {
                    initial: start.input.map(tolerant::written_arguments).filter(|input| input != "{}"),
                    streamed: StreamedArguments::default(),
                }))
            }
            "redacted_thinking" => {
                let data = parse::<Block<'_>>(json)?.data.unwrap_or_default();
                self.bytes.grow(data.len())?;
                out.push_back(redacted(block, data));
                OpenContent::Complete
            }
            _ => {
                self.bytes.grow(json.len())?;
                OpenContent::Provider(Box::new(ProviderBlock::new(parse(json)?)))
            }
        };
        self.open.push(OpenBlock { provider_index: at, index: block, content });
        Ok(())
    }

    fn delta(&mut self, data: &str, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let BlockDelta { index, delta } = match parse(data) {
            Ok(delta) => delta,
            Err(error) => return self.raw_delta(data, Some(error)),
        };
        let at = self.provider_index(index);
        let Some(open) = self.open.iter_mut().rev().find(|open| open.provider_index == at) else {
            return self.delta_without_start(at, data, &delta, out);
        };
        let block = open.index;
        match (&*delta.r#type, &mut open.content) {
            ("text_delta", OpenContent::Text) => self.text(block, delta.text.unwrap_or_default(), out),
            ("citations_delta", OpenContent::Text) => match delta.citation {
                Some(original) => self.citation(block, original, out),
                None => Ok(()),
            },
            ("thinking_delta", OpenContent::Reasoning) => {
                self.reasoning(block, delta.thinking.map(ReasoningDelta::Text), out)
            }
            ("signature_delta", OpenContent::Reasoning) => {
                self.reasoning(block, delta.signature.map(ReasoningDelta::Signature), out)
            }
            ("input_json_delta", OpenContent::ToolCall(arguments)) => {
                let chunk = delta.partial_json.unwrap_or_default();
                self.bytes.grow(chunk.len())?;
                if let Some(certain) = arguments.streamed.push(&chunk) {
                    // Streamed arguments replace those of the start event.
                    arguments.initial = None;
                    out.push_back(StreamEvent::tool_input(block, certain));
                }
                Ok(())
            }
            (_, OpenContent::Provider(_)) => self.raw_delta(data, None),
            _ => Ok(()),
        }
    }

    /// Reads a delta of provider content, or one that could not be parsed, which is an error only for known types.
    fn raw_delta(&mut self, data: &str, error: Option<ModelError>) -> Result<(), ReadError> {
        let RawDelta { index, delta } = parse(data)?;
        let at = self.provider_index(index);
        let open = self.open.iter_mut().rev().find(|open| open.provider_index == at);
        let kind = delta.get("type").and_then(Value::as_str).unwrap_or_default();
        match (open.map(|open| &mut open.content), error) {
            (Some(OpenContent::Provider(block)), _) => {
                self.bytes.grow(data.len())?;
                block.push(delta);
                Ok(())
            }
            (_, Some(error)) if KNOWN_DELTAS.contains(&kind) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads a delta of text or reasoning without a start event: the block begins here.
    fn delta_without_start(
        &mut self,
        at: usize,
        data: &str,
        delta: &Delta<'_>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let kind = match &*delta.r#type {
            "text_delta" => r#"{"type":"text"}"#,
            "thinking_delta" => r#"{"type":"thinking"}"#,
            _ => return Ok(()),
        };
        self.start(at, kind, out)?;
        self.delta(data, out)
    }

    fn text(&mut self, block: usize, text: String, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if !text.is_empty() {
            self.bytes.grow(text.len())?;
            out.push_back(StreamEvent::text(block, text));
        }
        Ok(())
    }

    fn citation(&mut self, block: usize, original: Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let texts = original.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_str);
        // Counted twice: the citation has our fields and the original.
        self.bytes.grow(size_of::<Citation>() + texts.map(str::len).sum::<usize>() * 2)?;
        out.push_back(StreamEvent::citation(block, citation(original)));
        Ok(())
    }

    fn reasoning(
        &mut self,
        block: usize,
        delta: Option<ReasoningDelta>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let Some(delta) = delta else {
            return Ok(());
        };
        let (ReasoningDelta::Text(text) | ReasoningDelta::Signature(text)) = &delta else {
            return Ok(());
        };
        if !text.is_empty() {
            self.bytes.grow(text.len())?;
            out.push_back(StreamEvent::reasoning(block, delta));
        }
        Ok(())
    }

    /// Ends the block with this provider index, or all blocks.
    fn close(&mut self, at: Option<usize>, out: &mut VecDeque<StreamEvent>) {
        for open in self.open.extract_if(.., |open| at.is_none_or(|at| open.provider_index == at)) {
            open.end(out);
        }
    }

    /// Adds the last events. A stop reason is optional if the server reported the end (`is_whole`).
    fn finish(&mut self, is_whole: bool, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let reason = match self.stop_info.stop_reason.take().filter(|reason| !stop_reasons::is_none(reason)) {
            Some(reason) => reason,
            None if is_whole && self.has_calls => "tool_use".to_owned(),
            None if is_whole && self.next > 0 => "end_turn".to_owned(),
            None if is_whole => {
                return Err(ModelError::transport("the response has no content and no stop reason").into());
            }
            None => {
                return Err(ModelError::transport(
                    "the response ended without a stop reason or `message_stop`; the connection was cut",
                )
                .into());
            }
        };
        if let Some(kind) = ModelErrorKind::from_stop_reason(&reason) {
            return Err((ErrorResponse { code: Some(reason), ..ErrorResponse::default() }, kind).into());
        }
        self.begin(out);
        self.complete = true;
        self.close(None, out);
        let StopInfo { stop_sequence, stop_details, container, .. } = std::mem::take(&mut self.stop_info);
        let fields = [("stop_sequence", stop_sequence), ("stop_details", stop_details), ("container", container)];
        let fields =
            fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.filter(|v| !v.is_null())?)));
        let fields: Map<String, Value> = fields.collect();
        out.push_back(StreamEvent::MessageStop {
            stop_reason: stop_reason(&reason),
            additional_model_response_fields: (!fields.is_empty()).then(|| Box::new(Value::Object(fields))),
        });
        let raw = std::mem::take(&mut self.usage);
        if !raw.is_empty() {
            let metadata = StreamEvent::metadata(usage(&raw), ModelMetrics::default());
            out.push_back(metadata.with_provider_usage(Value::Object(raw)));
        }
        Ok(())
    }
}

/// Converts a stop reason. Gateways may send those of Chat Completions.
fn stop_reason(reason: &str) -> StopReason {
    match reason {
        "stop" => StopReason::EndTurn,
        "tool_calls" => StopReason::ToolUse,
        reason => stop_reasons::limit_or_filter(reason).unwrap_or_else(|| StopReason::from(reason)),
    }
}

/// Decodes encrypted reasoning from base64. Only the strict form encodes to the same text again; other forms become
/// provider content.
fn redacted(block: usize, data: String) -> StreamEvent {
    match STANDARD.decode(&data) {
        Ok(bytes) if !bytes.is_empty() => StreamEvent::reasoning(block, ReasoningDelta::RedactedContent(bytes.into())),
        _ => {
            let content = serde_json::json!({"type": "redacted_thinking", "data": data});
            StreamEvent::provider_content(block, ProviderContent::new(PROVIDER, content))
        }
    }
}

/// Returns the blocks of a document's content: a list, a single block, or a text.
fn blocks(content: &RawValue) -> Result<Vec<Cow<'_, str>>, ModelError> {
    let json = content.get();
    Ok(match json.as_bytes().first() {
        Some(b'[') => parse::<Vec<&RawValue>>(json)?.into_iter().map(|block| Cow::Borrowed(block.get())).collect(),
        Some(b'"') => vec![Cow::Owned(serde_json::json!({"type": "text", "text": parse::<String>(json)?}).to_string())],
        _ => vec![Cow::Borrowed(json)],
    })
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, ModelError> {
    serde_json::from_str(json).map_err(|error| ModelError::Protocol {
        what: "a chunk of the response is not valid for the Messages API".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    })
}

impl ResponseReader for MessagesReader {
    const FRAMING: Framing = Framing::ServerSentEvents;

    fn read(&mut self, event: Event<'_>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let data = event.data.trim();
        if data.is_empty() {
            return Ok(());
        }
        match event.name.filter(|name| *name != "message") {
            Some(kind) => self.event(kind, data, out),
            None => {
                let typed: Typed<'_> = parse(data)?;
                self.event(&typed.r#type, data, out)
            }
        }
    }

    fn end(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        // Some servers omit `message_stop`.
        self.finish(false, out)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn whole(mut self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let document = std::str::from_utf8(document).map_err(|error| ModelError::Protocol {
            what: "the response is not UTF-8 text".to_owned(),
            details: ErrorDetails::new().with_source(error).boxed(),
        })?;
        let response: Document<'_> = parse(document)?;
        let is_message = || parse::<Typed<'_>>(document).is_ok_and(|typed| typed.r#type == "message");
        let content = match response.content {
            Some(content) => blocks(content)?,
            None if is_message() => Vec::new(),
            None => {
                return self
                    .event(&parse::<Typed<'_>>(document)?.r#type, document, out)
                    .and_then(|()| self.finish(false, out));
            }
        };
        self.begin(out);
        for (at, block) in content.iter().enumerate() {
            self.start(at, block, out)?;
            self.close(Some(at), out);
        }
        update(&mut self.usage, response.usage.unwrap_or_default());
        self.stop_info = response.stopped;
        self.finish(true, out)
    }
}

#[cfg(test)]
mod tests;
