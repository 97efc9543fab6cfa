//! Reader of ConverseStream responses: from bytes to frames to events. Events and fields of newer versions are skipped.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_core::Stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use strands_core::lenient_json;
use strands_core::message::Citation;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{
    ErrorDetails, ModelError, ModelErrorKind, ReasoningDelta, StopReason, StreamEvent, ToolUseStart,
};
use tokio::time::Instant;

use crate::PROVIDER;
use crate::error::{CallContext, Refusal};
use crate::exchange::SuccessResponse;
use crate::frame::{Frame, FrameBuffer, FrameError};
use crate::generated_image::{GeneratedImage, ImageDelta, ImageStart};
use crate::provider_content::{ProviderBlock, SERVER_TOOL_USE};
use crate::settings::Redaction;

/// Facts about the call whose response is read.
#[derive(Debug)]
pub(crate) struct CallFacts {
    pub(crate) context: Arc<CallContext>,
    pub(crate) redaction: Arc<Redaction>,
    pub(crate) max_bytes: usize,
    pub(crate) started: Instant,
}

impl CallFacts {
    /// Checks for stop reasons that are errors, such as a context window that is full.
    ///
    /// # Errors
    ///
    /// Returns the error that the stop reason stands for.
    pub(crate) fn check_stop_reason(&self, reason: &StopReason) -> Result<(), ModelError> {
        match ModelErrorKind::from_stop_reason(reason.as_str()) {
            Some(kind) => Err(kind.into_error(None, self.context.details().with_code(reason.as_str()))),
            None => Ok(()),
        }
    }
}

/// Stream of the events of a response.
pub(crate) struct ResponseStream {
    response: SuccessResponse,
    buffer: FrameBuffer,
    reader: EventReader,
    done: bool,
}

impl ResponseStream {
    pub(crate) fn new(response: SuccessResponse, facts: CallFacts) -> Self {
        let buffer = FrameBuffer::new(facts.max_bytes);
        Self { response, buffer, reader: EventReader::new(facts), done: false }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<StreamEvent, ModelError>>> {
        loop {
            if let Some(event) = self.reader.next.take() {
                return Poll::Ready(Some(Ok(*event)));
            }
            if let Some(frame) = self.buffer.take().map_err(|error| self.reader.unreadable(&error))? {
                let frame = Frame::read(&frame).map_err(|error| self.reader.unreadable(&error))?;
                match self.reader.read(&frame, self.response.request_id.as_deref())? {
                    Some(event) => return Poll::Ready(Some(Ok(event))),
                    None => continue,
                }
            }
            match ready!(self.response.body.poll_bytes(context)) {
                // After the last event, a connection error loses no data.
                Some(Err(_)) if self.reader.complete && self.buffer.is_empty() => {
                    return Poll::Ready(self.finish());
                }
                Some(bytes) => self.buffer.push(bytes?),
                None => return Poll::Ready(self.finish()),
            }
        }
    }

    /// Returns the last item after the end of the bytes.
    fn finish(&mut self) -> Option<Result<StreamEvent, ModelError>> {
        let broken = if !self.buffer.is_empty() {
            "the stream ended in the middle of a frame"
        } else if self.reader.stop_reason.is_none() {
            "the stream ended before its stop event"
        } else {
            self.done = true;
            return self.reader.late_redaction().map(Ok);
        };
        Some(Err(ModelError::transport(broken)))
    }
}

impl Stream for ResponseStream {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll(context));
        // Nothing follows an error or the end.
        self.done |= !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

/// Converter of frames to events.
struct EventReader {
    facts: CallFacts,
    stop_reason: Option<StopReason>,
    redacted: bool,
    /// True after the last event.
    complete: bool,
    bytes: usize,
    first_content: Option<Instant>,
    /// Partial blocks of server tools, which Bedrock runs and the agent does not.
    provider_blocks: Vec<ProviderBlock>,
    images: Vec<GeneratedImage>,
    /// Event to return next, if a frame had two events.
    next: Option<Box<StreamEvent>>,
}

impl EventReader {
    fn new(facts: CallFacts) -> Self {
        Self {
            facts,
            stop_reason: None,
            redacted: false,
            complete: false,
            bytes: 0,
            first_content: None,
            provider_blocks: Vec::new(),
            images: Vec::new(),
            next: None,
        }
    }

    fn unreadable(&self, error: &FrameError) -> ModelError {
        match error {
            FrameError::TooLong(_) => self.too_large(),
            error => ModelError::protocol(error.to_string()),
        }
    }

    /// Returns the first event of a frame, if it has one.
    fn read(&mut self, frame: &Frame<'_>, request_id: Option<&str>) -> Result<Option<StreamEvent>, ModelError> {
        let payload = frame.payload;
        match frame.message_type {
            Some("event") => {}
            Some("exception") => {
                let error_response = Refusal::from_frame(frame.exception_type, None, payload, request_id);
                return Err(error_response.into_error(&self.facts.context));
            }
            Some("error") => {
                let error_response = Refusal::from_frame(frame.error_code, frame.error_message, payload, request_id);
                return Err(error_response.into_error(&self.facts.context));
            }
            _ => {
                return Err(ModelError::protocol("a frame of the stream has no valid message type"));
            }
        }
        match frame.event_type.unwrap_or_default() {
            "contentBlockDelta" => self.delta(payload),
            "messageStart" => {
                parse::<MessageStart>("messageStart", payload)?;
                Ok(Some(StreamEvent::start_from(PROVIDER)))
            }
            "contentBlockStart" => self.block_start(payload),
            "contentBlockStop" => {
                let index = parse::<BlockStop>("contentBlockStop", payload)?.content_block_index;
                let provider_block = self.provider_blocks.iter().position(|block| block.index == index);
                let image = self.images.iter().position(|image| image.index == index);
                let [content, stop] = match (
                    provider_block.map(|at| self.provider_blocks.swap_remove(at)),
                    image.map(|at| self.images.swap_remove(at)),
                ) {
                    (Some(block), _) => block.finish().map(Some),
                    (None, Some(image)) => image.finish(),
                    (None, None) => [None, Some(StreamEvent::block_stop(index))],
                };
                Ok(self.both(content, stop))
            }
            "messageStop" => {
                let stop: MessageStop = parse("messageStop", payload)?;
                self.facts.check_stop_reason(&stop.stop_reason)?;
                self.stop_reason = Some(stop.stop_reason.clone());
                let event = StreamEvent::MessageStop {
                    stop_reason: stop.stop_reason,
                    additional_model_response_fields: stop.additional_model_response_fields,
                };
                Ok(Some(event))
            }
            "metadata" => {
                let metadata: Metadata = parse("metadata", payload)?;
                let usage = match metadata.usage.as_deref() {
                    Some(usage) => Usage::deserialize(usage).map_err(|error| malformed("metadata", error))?,
                    None => Usage::default(),
                };
                Ok(self.metadata(metadata, usage))
            }
            _ => Ok(None),
        }
    }

    /// Returns the first of two events, and keeps the second one for later.
    fn both(&mut self, first: Option<StreamEvent>, second: Option<StreamEvent>) -> Option<StreamEvent> {
        if first.is_none() {
            return second;
        }
        self.next = second.map(Box::new);
        first
    }

    fn block_start(&mut self, payload: &[u8]) -> Result<Option<StreamEvent>, ModelError> {
        let start: BlockStart = parse("contentBlockStart", payload)?;
        let index = start.content_block_index;
        let Start { tool_use, tool_result, image } = start.start.unwrap_or_default();
        if let Some(start) = image {
            self.grow(size_of::<GeneratedImage>())?;
            self.images.push(GeneratedImage::new(index, start));
            return Ok(None);
        }
        if let Some(fields) = tool_result {
            self.grow(size_of::<ProviderBlock>() + payload.len())?;
            self.provider_blocks.push(ProviderBlock::result(index, fields));
            return Ok(None);
        }
        let Some(start) = tool_use else {
            return Ok(None);
        };
        if start.kind.as_deref() == Some(SERVER_TOOL_USE) {
            self.grow(size_of::<ProviderBlock>() + payload.len())?;
            let fields = [("toolUseId", start.tool_use_id), ("name", start.name), ("type", SERVER_TOOL_USE.to_owned())];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.into()));
            self.provider_blocks.push(ProviderBlock::call(index, Map::from_iter(fields)));
            return Ok(None);
        }
        self.grow(start.tool_use_id.len() + start.name.len())?;
        let tool_use = ToolUseStart::new(start.tool_use_id, start.name);
        Ok(Some(StreamEvent::tool_use(index, tool_use)))
    }

    fn delta(&mut self, payload: &[u8]) -> Result<Option<StreamEvent>, ModelError> {
        let Delta { content_block_index: index, delta } = parse("contentBlockDelta", payload)?;
        if let Some(at) = self.provider_blocks.iter().position(|block| block.index == index) {
            self.grow(payload.len())?;
            if let Some(block) = self.provider_blocks.get_mut(at) {
                block.push(delta.tool_use.as_ref().map(|tool_use| tool_use.input.as_str()), delta.tool_result);
            }
            return Ok(None);
        }
        if let Some(chunk) = delta.image {
            if let Some(image) = self.images.iter_mut().find(|image| image.index == index) {
                let grown = image.push(*chunk)?;
                self.grow(grown)?;
            }
            return Ok(None);
        }
        if let Some(text) = delta.text {
            self.grow(text.len())?;
            return Ok(Some(StreamEvent::text(index, text)));
        }
        if let Some(tool_use) = delta.tool_use {
            self.grow(tool_use.input.len())?;
            return Ok(Some(StreamEvent::tool_input(index, tool_use.input)));
        }
        if let Some(reasoning) = delta.reasoning_content {
            let reasoning = if let Some(text) = reasoning.text {
                self.grow(text.len())?;
                ReasoningDelta::Text(text)
            } else if let Some(signature) = reasoning.signature {
                self.grow(signature.len())?;
                ReasoningDelta::Signature(signature)
            } else if let Some(redacted) = reasoning.redacted_content {
                self.grow(redacted.len())?;
                ReasoningDelta::RedactedContent(decode_base64(&redacted, "encrypted reasoning is")?)
            } else {
                return Ok(None);
            };
            return Ok(Some(StreamEvent::reasoning(index, reasoning)));
        }
        if let Some(citation) = delta.citation {
            self.grow(payload.len())?;
            return Ok(Some(StreamEvent::citation(index, *citation)));
        }
        Ok(None)
    }

    fn metadata(&mut self, metadata: Metadata, usage: Usage) -> Option<StreamEvent> {
        let redaction = if self.redacted {
            None
        } else {
            self.facts.redaction.event(metadata.trace.as_deref(), self.stop_reason.as_ref())
        };
        self.redacted = true;
        self.complete = self.stop_reason.is_some();
        let mut metrics = metadata.metrics;
        metrics.time_to_first_byte_ms = metrics.time_to_first_byte_ms.or_else(|| {
            let first = self.first_content?.duration_since(self.facts.started);
            u64::try_from(first.as_millis()).ok()
        });
        let provider_usage = metadata.usage.map(|usage| (*usage).into());
        let event = StreamEvent::Metadata { usage, metrics, trace: metadata.trace, provider_usage };
        self.both(redaction, Some(event))
    }

    /// Returns the redaction event of a response that ended without metadata.
    fn late_redaction(&mut self) -> Option<StreamEvent> {
        if std::mem::replace(&mut self.redacted, true) {
            return None;
        }
        self.facts.redaction.event(None, self.stop_reason.as_ref())
    }

    fn grow(&mut self, by: usize) -> Result<(), ModelError> {
        self.first_content.get_or_insert_with(Instant::now);
        self.bytes = self.bytes.saturating_add(by);
        if self.bytes > self.facts.max_bytes {
            return Err(self.too_large());
        }
        Ok(())
    }

    fn too_large(&self) -> ModelError {
        ModelError::ResponseTooLarge { limit: Some(self.facts.max_bytes), details: Box::default() }
    }
}

pub(crate) fn decode_base64(text: &str, what: &str) -> Result<bytes::Bytes, ModelError> {
    STANDARD.decode(text).map(Into::into).map_err(|_| ModelError::protocol(format!("{what} not valid base64")))
}

fn parse<T: DeserializeOwned>(event: &str, payload: &[u8]) -> Result<T, ModelError> {
    lenient_json::from_slice(payload).map_err(|error| malformed(event, error))
}

fn malformed(event: &str, error: serde_json::Error) -> ModelError {
    ModelError::Protocol {
        what: format!("invalid `{event}` event in the stream"),
        details: ErrorDetails::new().with_source(error).boxed(),
    }
}

/// Start of a message. Its role is always `assistant`.
#[derive(Deserialize)]
struct MessageStart {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart {
    #[serde(default)]
    content_block_index: usize,
    start: Option<Start>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    tool_use: Option<ToolStart>,
    tool_result: Option<Map<String, Value>>,
    image: Option<ImageStart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolStart {
    #[serde(default)]
    tool_use_id: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta {
    #[serde(default)]
    content_block_index: usize,
    #[serde(default)]
    delta: DeltaContent,
}

/// Content of a delta. Rare parts are boxed, since a delta is moved several times while it is read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeltaContent {
    text: Option<String>,
    tool_use: Option<ToolInputDelta>,
    tool_result: Option<Vec<Value>>,
    reasoning_content: Option<Box<ReasoningContentDelta>>,
    citation: Option<Box<Citation>>,
    image: Option<Box<ImageDelta>>,
}

#[derive(Deserialize)]
struct ToolInputDelta {
    #[serde(default)]
    input: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningContentDelta {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStop {
    #[serde(default)]
    content_block_index: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: StopReason,
    additional_model_response_fields: Option<Box<Value>>,
}

#[derive(Deserialize)]
struct Metadata {
    usage: Option<Box<Value>>,
    #[serde(default)]
    metrics: ModelMetrics,
    trace: Option<Box<Value>>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_smithy_types::body::SdkBody;
    use futures_util::StreamExt;
    use proptest::prelude::*;
    use strands_testkit::converse::ConverseStream;

    use super::*;
    use crate::body::ResponseBody;

    fn read(bytes: Vec<u8>) -> Vec<Result<StreamEvent, ModelError>> {
        let facts = CallFacts {
            context: Arc::new(CallContext { model_id: "m".to_owned(), region: None, api_key: None }),
            redaction: Arc::default(),
            max_bytes: 1024,
            started: Instant::now(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let response = SuccessResponse {
                body: ResponseBody::new(SdkBody::from(bytes), Duration::from_secs(1), None),
                request_id: None,
            };
            ResponseStream::new(response, facts).collect().await
        })
    }

    fn whole() -> Vec<u8> {
        ConverseStream::new()
            .text(["It is ", "sunny."])
            .tool_use("get_weather", "t-1", ["{}"])
            .stop("tool_use")
            .usage(1, 2)
            .encode()
            .to_vec()
    }

    #[test]
    fn reads_all_events_of_a_complete_stream() {
        let events = read(whole());
        assert_eq!(events.len(), 9);
        assert!(events.iter().all(Result::is_ok));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end_in_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let events = read(bytes);
            prop_assert!(matches!(events.last(), Some(Err(_))));
        }

        /// A checksum covers every byte, so that a changed stream is never read as a complete one.
        #[test]
        fn detects_a_changed_byte(at in any::<prop::sample::Index>(), change in 1..=255_u8) {
            let mut bytes = whole();
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            let events = read(bytes);
            prop_assert!(matches!(events.last(), Some(Err(_))));
            prop_assert_eq!(events.iter().filter(|event| event.is_err()).count(), 1);
        }

        /// The content of a frame may be any JSON.
        #[test]
        fn any_payload_is_an_event_or_an_error(
            kind in prop::sample::select(vec!["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "new"]),
            payload in prop::sample::select(vec!["", "{}", "[]", "null", "1", "{\"delta\":{\"text\":1}}", "{\"delta\":null}", "{\"contentBlockIndex\":-1}", "{\"contentBlockIndex\":1e30,\"delta\":{\"text\":\"x\"}}", "{\"start\":{\"toolUse\":{}}}", "{\"stopReason\":{}}", "{\"usage\":{\"inputTokens\":-1}}", "\"\\ud800\""]),
        ) {
            let frame = strands_testkit::eventstream::Frame::event(kind, &Value::Null).payload(payload);
            let events = read(frame.encode().to_vec());
            // If nothing else is wrong, the stop event is missing.
            let stopped = kind == "messageStop" && events.iter().all(Result::is_ok);
            prop_assert!(stopped || matches!(events.last(), Some(Err(_))));
        }
    }
}
