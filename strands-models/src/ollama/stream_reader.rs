//! Response reader of Ollama's chat: a JSON document on each line of a stream, or one document in the same form.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{
    ErrorDetails, ModelError, ModelErrorKind, ReasoningDelta, StopReason, StreamEvent, ToolUseStart,
};

use super::PROVIDER;
use super::error::stream_error;
use crate::http::{ContentLimit, ErrorResponse, Event, Framing, ReadError, ResponseReader, stop_reasons, tolerant};

#[derive(Deserialize)]
struct Chunk {
    #[serde(default, deserialize_with = "tolerant::structure")]
    message: Option<WireMessage>,
    #[serde(default, deserialize_with = "tolerant::flag")]
    done: Option<bool>,
    #[serde(default, deserialize_with = "tolerant::text")]
    done_reason: Option<String>,
    error: Option<Value>,
    /// The HTTP status that an error would have had before the stream began.
    status: Option<Value>,
}

#[derive(Deserialize)]
struct WireMessage {
    #[serde(default, deserialize_with = "tolerant::text")]
    content: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    thinking: Option<String>,
    #[serde(default, deserialize_with = "tolerant::list")]
    tool_calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default, deserialize_with = "tolerant::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::structure")]
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    #[serde(default, deserialize_with = "tolerant::text")]
    name: Option<String>,
    arguments: Option<Box<RawValue>>,
}

/// Token counts, and durations in nanoseconds, of the last document.
#[derive(Default, Deserialize)]
struct Counts {
    #[serde(rename = "message")]
    _message: Option<IgnoredAny>,
    #[serde(rename = "logprobs")]
    _logprobs: Option<IgnoredAny>,
    #[serde(flatten)]
    counts: Map<String, Value>,
}

impl Counts {
    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).and_then(tolerant::count).unwrap_or_default()
    }

    /// Returns the metadata event, if the server sent counts.
    fn into_event(mut self) -> Option<StreamEvent> {
        let usage = Usage::new(self.count("prompt_eval_count"), self.count("eval_count"));
        let mut metrics = ModelMetrics::default();
        metrics.latency_ms = self.count("total_duration") / 1_000_000;
        self.counts.retain(|_, count| count.is_number());
        if self.counts.is_empty() && usage == Usage::default() {
            return None;
        }
        Some(StreamEvent::metadata(usage, metrics).with_provider_usage(Value::Object(self.counts)))
    }
}

/// Reader of a response. Unknown fields are ignored.
pub(super) struct ChatReader {
    began: bool,
    /// Zero-based index of the next block.
    next: usize,
    /// The open block of text or reasoning.
    open: Option<(BlockKind, usize)>,
    /// True after the first message.
    has_message: bool,
    calls: bool,
    complete: bool,
    limit: ContentLimit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    Text,
    Reasoning,
}

impl ChatReader {
    /// Creates a reader that accepts at most `limit` bytes of content.
    pub(super) fn new(limit: usize) -> Self {
        let limit = ContentLimit::new(limit);
        Self { began: false, next: 0, open: None, has_message: false, calls: false, complete: false, limit }
    }

    /// Reads one document.
    fn document(&mut self, document: &str, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let chunk: Chunk = serde_json::from_str(document).map_err(invalid_chunk)?;
        if let Some(error) = chunk.error {
            let status = chunk.status.and_then(|status| u16::try_from(status.as_u64()?).ok());
            return Err(stream_error(&error, status).into());
        }
        if !self.began {
            self.began = true;
            out.push_back(StreamEvent::start_from(PROVIDER));
        }
        if let Some(message) = chunk.message {
            self.has_message = true;
            self.message(message, out)?;
        }
        if chunk.done == Some(true) {
            let reason = chunk.done_reason.unwrap_or_default();
            if let Some(kind) = ModelErrorKind::from_stop_reason(&reason) {
                return Err((ErrorResponse { code: Some(reason), ..ErrorResponse::default() }, kind).into());
            }
            self.finish(&reason, document, out);
        }
        Ok(())
    }

    fn message(&mut self, message: WireMessage, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let is_present = |text: &String| !text.is_empty();
        if let Some(reasoning) = message.thinking.filter(is_present) {
            self.limit.grow(reasoning.len())?;
            let block = self.block(BlockKind::Reasoning, out);
            out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Text(reasoning)));
        }
        if let Some(text) = message.content.filter(is_present) {
            self.limit.grow(text.len())?;
            let block = self.block(BlockKind::Text, out);
            out.push_back(StreamEvent::text(block, text));
        }
        for call in message.tool_calls {
            self.call(call, out)?;
        }
        Ok(())
    }

    /// Reads a tool call. The server never splits one.
    fn call(&mut self, call: Call, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let id = call.id.unwrap_or_default();
        let (name, arguments) = call.function.map_or((None, None), |function| (function.name, function.arguments));
        let name = name.unwrap_or_default();
        // Some models write the arguments as a string of JSON, and not every version of the server parses it.
        let arguments = arguments.as_deref().map(tolerant::written_arguments).unwrap_or_default();
        self.limit.grow(size_of::<StreamEvent>() + id.len() + name.len() + arguments.len())?;
        self.close(out);
        self.calls = true;
        let block = self.new_block();
        out.push_back(StreamEvent::tool_use(block, ToolUseStart::new(id, name)));
        if !arguments.is_empty() {
            out.push_back(StreamEvent::tool_input(block, arguments));
        }
        out.push_back(StreamEvent::block_stop(block));
        Ok(())
    }

    /// Ends the open block and adds the stop and metadata events.
    fn finish(&mut self, done_reason: &str, document: &str, out: &mut VecDeque<StreamEvent>) {
        self.complete = true;
        self.close(out);
        out.push_back(StreamEvent::stop(match done_reason {
            reason if let Some(stop_reason) = stop_reasons::limit_or_filter(reason) => stop_reason,
            _ if self.calls => StopReason::ToolUse,
            // `load` and `unload` have no content: they report that the model was loaded or unloaded.
            _ => StopReason::EndTurn,
        }));
        // `document` has parsed the text as JSON before, so this can't fail for broken JSON.
        out.extend(serde_json::from_str::<Counts>(document).unwrap_or_default().into_event());
    }

    /// Returns the open block if it is of this kind, or opens a new one.
    fn block(&mut self, kind: BlockKind, out: &mut VecDeque<StreamEvent>) -> usize {
        if let Some((open, block)) = self.open
            && open == kind
        {
            return block;
        }
        self.close(out);
        let block = self.new_block();
        self.open = Some((kind, block));
        block
    }

    fn close(&mut self, out: &mut VecDeque<StreamEvent>) {
        if let Some((_, block)) = self.open.take() {
            out.push_back(StreamEvent::block_stop(block));
        }
    }

    fn new_block(&mut self) -> usize {
        let block = self.next;
        self.next += 1;
        block
    }
}

fn invalid_chunk(error: serde_json::Error) -> ModelError {
    ModelError::Protocol {
        what: "a chunk of the response is not a valid Ollama chat response".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    }
}

impl ResponseReader for ChatReader {
    const FRAMING: Framing = Framing::JsonLines;

    fn read(&mut self, event: Event<'_>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        match event.data.trim() {
            "" => Ok(()),
            line => self.document(line, out),
        }
    }

    fn end(&mut self, _out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if self.complete {
            return Ok(());
        }
        let what = "the response ended without `done`; the connection was cut";
        Err(ModelError::transport(what).into())
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn whole(mut self, body: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        // Some gateways label a stream as one document.
        for document in serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>() {
            let document = document.map_err(invalid_chunk)?.get();
            self.document(document, out)?;
            // A single document is the whole response, even without `done`.
            let is_alone = document.len() == body.trim_ascii().len();
            if !self.complete && self.has_message && is_alone {
                self.finish("", document, out);
            }
            if self.complete {
                break;
            }
        }
        self.end(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use strands_core::models::{Turn, TurnBuilder};

    use super::*;
    use crate::http::complete_response;

    fn line(reader: &mut ChatReader, line: &Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        reader.read(Event::of(&line.to_string()), out)
    }

    fn turn(lines: &[Value]) -> Result<Turn, ModelError> {
        let (mut reader, mut out) = (ChatReader::new(1 << 20), VecDeque::new());
        for each in lines {
            line(&mut reader, each, &mut out).unwrap();
        }
        reader.end(&mut out).map_err(|error| match error {
            ReadError::Failed(error) => error,
            refused @ ReadError::ErrorResponse(_) => panic!("{refused:?}"),
        })?;
        let mut turn = TurnBuilder::new(usize::MAX);
        out.iter().for_each(|event| turn.push(event).unwrap());
        turn.finish()
    }

    fn chunk(message: Value) -> Value {
        json!({"model": "qwen3:8b", "message": message, "done": false, "newer": [{}]})
    }

    #[test]
    fn reads_counts_and_durations_of_the_last_document() {
        let turn = turn(&[
            chunk(json!({"role": "assistant", "content": "", "thinking": "hm"})),
            chunk(json!({"role": "assistant", "content": "Yes."})),
            json!({"message": {"content": ""}, "done": true, "done_reason": "stop", "total_duration": 7_577_982_042_u64,
                "prompt_eval_count": 26, "eval_count": 47, "cached_count": 3, "created_at": "now", "logprobs": [1]}),
        ])
        .unwrap();
        assert_eq!(turn.message.text(), "Yes.");
        assert_eq!(turn.stop_reason, StopReason::EndTurn);
        assert_eq!((turn.usage, turn.metrics.latency_ms), (Usage::new(26, 47), 7_577));
        let metadata = turn.message.metadata.unwrap();
        assert_eq!(metadata.provider.as_deref(), Some("ollama"));
        assert_eq!(
            metadata.provider_usage.unwrap(),
            json!({"total_duration": 7_577_982_042_u64, "prompt_eval_count": 26, "eval_count": 47, "cached_count": 3})
        );
    }

    #[test]
    fn rejects_a_response_without_done() {
        let error = turn(&[chunk(json!({"content": "Yes"}))]).unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }

    #[test]
    fn reads_calls_without_ids() {
        let call = |function: Value| json!({"message": {"tool_calls": [{"function": function}]}});
        let turn = turn(&[
            call(json!({"index": 0, "name": "add", "arguments": {"y": 2, "x": 1.0}})),
            call(json!({"name": "add", "arguments": "{\"x\":1}"})),
            call(json!({"name": "add", "arguments": null})),
            json!({"done": true, "done_reason": "stop"}),
        ])
        .unwrap();
        assert_eq!(turn.stop_reason, StopReason::ToolUse);
        let inputs: Vec<_> = turn.message.tool_uses().map(|call| call.input.to_string()).collect();
        assert_eq!(inputs, [r#"{"y":2,"x":1.0}"#, r#"{"x":1}"#, "{}"]);
        assert!(turn.message.tool_uses().all(|call| !call.tool_use_id.is_empty()));
    }

    #[test]
    fn maps_stop_reasons() {
        for (reason, expected) in [
            (json!("stop"), StopReason::EndTurn),
            (json!("length"), StopReason::MaxTokens),
            (json!("load"), StopReason::EndTurn),
            (json!("unload"), StopReason::EndTurn),
            (Value::Null, StopReason::EndTurn),
        ] {
            assert_eq!(turn(&[json!({"done": true, "done_reason": reason})]).unwrap().stop_reason, expected);
        }
    }

    #[test]
    fn reads_errors_in_the_stream() {
        let (mut reader, mut out) = (ChatReader::new(64), VecDeque::new());
        line(&mut reader, &chunk(json!({"content": "Yes"})), &mut out).unwrap();
        let error = line(&mut reader, &json!({"error": "slow down", "status": 429}), &mut out).unwrap_err();
        assert!(matches!(&error, ReadError::ErrorResponse(refused) if refused.0.status == Some(429)), "{error:?}");
        let error = line(&mut reader, &json!({"error": "slow down", "status": "what"}), &mut out).unwrap_err();
        assert!(matches!(&error, ReadError::ErrorResponse(refused) if refused.0.status.is_none()), "{error:?}");
    }

    #[test]
    fn reads_a_stream_labelled_as_a_document() {
        let body = concat!(
            "{\"message\":{\"content\":\"Y\"},\"done\":false}\n",
            "{\"message\":{\"content\":\"es\"},\"done\":true}\n",
            "{\"never\": \"read"
        );
        let mut out = VecDeque::new();
        ChatReader::new(64).whole(body.as_bytes(), &mut out).unwrap();
        let mut turn = TurnBuilder::new(usize::MAX);
        out.iter().for_each(|event| turn.push(event).unwrap());
        assert_eq!(turn.finish().unwrap().message.text(), "Yes");
    }

    #[test]
    fn rejects_a_response_beyond_the_limit() {
        let (mut reader, mut out) = (ChatReader::new(1024), VecDeque::new());
        let call = chunk(json!({"tool_calls": [{}]}));
        let error = (0..1024).find_map(|_| line(&mut reader, &call, &mut out).err()).unwrap();
        assert!(
            matches!(error, ReadError::Failed(ModelError::ResponseTooLarge { limit: Some(1024), .. })),
            "{error:?}"
        );
    }

    fn any_chunk() -> impl Strategy<Value = Value> {
        let words = || prop::option::of("[a-z ü]{0,4}");
        let arguments =
            prop_oneof![Just(Value::Null), Just(json!({"a": [1]})), Just(json!("{\"a\":1}")), Just(json!(7))];
        let call = (words(), words(), arguments)
            .prop_map(|(id, name, arguments)| json!({"id": id, "function": {"name": name, "arguments": arguments}}));
        (words(), words(), prop::collection::vec(call, 0..3))
            .prop_map(|(content, thinking, tool_calls)| {
                json!({"message": {"content": content, "thinking": thinking, "tool_calls": tool_calls}})
            })
            .boxed()
            .prop_union(Just(json!({"message": null, "done": false})).boxed())
    }

    proptest! {
        #[test]
        fn any_chunks_make_a_response(chunks in prop::collection::vec(any_chunk(), 0..12)) {
            let (mut reader, mut out) = (ChatReader::new(1 << 20), VecDeque::new());
            for chunk in &chunks {
                line(&mut reader, chunk, &mut out).unwrap();
            }
            line(&mut reader, &json!({"done": true, "done_reason": "stop"}), &mut out).unwrap();
            prop_assert!(reader.is_complete());

            complete_response(&out);
        }

        #[test]
        fn arbitrary_text_does_not_panic(data in ".{0,64}") {
            let mut out = VecDeque::new();
            let _ = ChatReader::new(64).read(Event::of(&data), &mut out);
            let _ = ChatReader::new(64).whole(data.as_bytes(), &mut out);
        }
    }
}
