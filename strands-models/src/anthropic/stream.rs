//! The answer of Messages: events of a stream by their types, or one document that has all blocks in it.

use std::borrow::Cow;
use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sse_stream::Sse;
use strands_core::message::{Citation, ProviderContent};
use strands_core::metrics::ModelMetrics;
use strands_core::models::{
    ErrorDetails, ModelError, ModelErrorKind, ReasoningDelta, StopReason, StreamEvent, ToolUseStart,
};

use super::PROVIDER;
use super::citations::citation;
use super::error::refused;
use super::events::{
    Block, BlockEnded, BlockPiece, BlockStarted, Document, KNOWN_PIECES, MessageChanged, MessageStarted, OwnPiece,
    Piece, Stopped, Typed,
};
use super::own::OwnBlock;
use super::usage::{update, usage};
use crate::http::{
    ContentLimit, ErrorResponse, Framing, ReadError, ResponseReader, StreamedArguments, stop_reasons, tolerant,
};

/// Reads an answer. What is newer than this version is kept where it has a place, and passed over where it has none.
pub(super) struct MessagesReader {
    began: bool,
    /// Blocks that are being written.
    open: Vec<Open>,
    /// The index of the next block.
    next: usize,
    /// An index of the provider's that no block has had.
    places: usize,
    called: bool,
    usage: Map<String, Value>,
    stopped: Stopped,
    complete: bool,
    bytes: ContentLimit,
}

struct Open {
    /// The provider's index.
    place: usize,
    block: usize,
    what: What,
}

enum What {
    Text,
    Thinking,
    Call(Box<CallInput>),
    Own(Box<OwnBlock>),
    /// All of it was there when it began.
    Whole,
}

/// The arguments of a call.
struct CallInput {
    /// Those that it began with, until others come.
    begun: Option<String>,
    streamed: StreamedArguments,
}

impl MessagesReader {
    /// No answer may have more than `limit` bytes of content.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            began: false,
            open: Vec::new(),
            next: 0,
            places: 0,
            called: false,
            usage: Map::new(),
            stopped: Stopped::default(),
            complete: false,
            bytes: ContentLimit::new(limit),
        }
    }

    fn event(&mut self, kind: &str, data: &str, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        match kind {
            "content_block_delta" => self.piece(data, out),
            "content_block_start" => {
                let started: BlockStarted<'_> = parse(data)?;
                let place = started.index.unwrap_or(self.places);
                self.start(place, started.content_block.get(), out)
            }
            "content_block_stop" => {
                let ended: BlockEnded = parse(data)?;
                let place = self.place(ended.index);
                self.close(Some(place), out);
                Ok(())
            }
            "message_start" => {
                let started: MessageStarted = parse(data)?;
                self.begin(out);
                self.used(started.message.usage, out);
                Ok(())
            }
            "message_delta" => {
                let changed: MessageChanged = parse(data)?;
                self.used(changed.usage, out);
                self.stopped.update(changed.delta);
                Ok(())
            }
            "message_stop" => self.finish(true, out),
            "error" => Err(refused(&serde_json::from_str(data).unwrap_or_default()).into()),
            _ => Ok(()),
        }
    }

    /// Some counts come with the beginning, the others at the end, and the response may break off before that.
    fn used(&mut self, counts: Option<Map<String, Value>>, out: &mut VecDeque<StreamEvent>) {
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

    /// The place that an event means: without an index that of the last block.
    fn place(&self, index: Option<usize>) -> usize {
        index.unwrap_or_else(|| self.open.last().map_or(self.places, |open| open.place))
    }

    fn start(&mut self, place: usize, json: &str, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.begin(out);
        self.close(Some(place), out);
        let kind = parse::<Typed<'_>>(json)?.r#type;
        self.bytes.grow(size_of::<Open>())?;
        self.places = self.places.max(place.saturating_add(1));
        let block = self.next;
        self.next += 1;
        let what = match &*kind {
            "text" => {
                let begun: Block<'_> = parse(json)?;
                self.text(block, begun.text.unwrap_or_default(), out)?;
                for original in begun.citations {
                    self.citation(block, original, out)?;
                }
                What::Text
            }
            "thinking" => {
                let begun: Block<'_> = parse(json)?;
                self.thought(block, begun.thinking.map(ReasoningDelta::Text), out)?;
                self.thought(block, begun.signature.map(ReasoningDelta::Signature), out)?;
                What::Thinking
            }
            "tool_use" => {
                let begun: Block<'_> = parse(json)?;
                let (id, name) = (begun.id.unwrap_or_default(), begun.name.unwrap_or_default());
                self.bytes.grow(id.len() + name.len())?;
                out.push_back(StreamEvent::tool_use(block, ToolUseStart::new(id, name)));
                self.called = true;
                What::Call(Box::new(CallInput {
                    begun: begun.input.map(tolerant::written_arguments).filter(|input| input != "{}"),
                    streamed: StreamedArguments::default(),
                }))
            }
            "redacted_thinking" => {
                let data = parse::<Block<'_>>(json)?.data.unwrap_or_default();
                self.bytes.grow(data.len())?;
                out.push_back(redacted(block, data));
                What::Whole
            }
            _ => {
                self.bytes.grow(json.len())?;
                What::Own(Box::new(OwnBlock::new(parse(json)?)))
            }
        };
        self.open.push(Open { place, block, what });
        Ok(())
    }

    fn piece(&mut self, data: &str, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let BlockPiece { index, delta } = match parse(data) {
            Ok(piece) => piece,
            Err(error) => return self.own_piece(data, Some(error)),
        };
        let place = self.place(index);
        let Some(open) = self.open.iter_mut().rev().find(|open| open.place == place) else {
            return self.begin_with(place, data, &delta, out);
        };
        let block = open.block;
        match (&*delta.r#type, &mut open.what) {
            ("text_delta", What::Text) => self.text(block, delta.text.unwrap_or_default(), out),
            ("citations_delta", What::Text) => match delta.citation {
                Some(original) => self.citation(block, original, out),
                None => Ok(()),
            },
            ("thinking_delta", What::Thinking) => self.thought(block, delta.thinking.map(ReasoningDelta::Text), out),
            ("signature_delta", What::Thinking) => {
                self.thought(block, delta.signature.map(ReasoningDelta::Signature), out)
            }
            ("input_json_delta", What::Call(input)) => {
                let piece = delta.partial_json.unwrap_or_default();
                self.bytes.grow(piece.len())?;
                if let Some(certain) = input.streamed.push(&piece) {
                    // What comes in pieces takes the place of what was there.
                    input.begun = None;
                    out.push_back(StreamEvent::tool_input(block, certain));
                }
                Ok(())
            }
            (_, What::Own(_)) => self.own_piece(data, None),
            _ => Ok(()),
        }
    }

    /// A piece of a block of the provider's own, or one that could not be read, which is no failure where its kind is
    /// not known.
    fn own_piece(&mut self, data: &str, unread: Option<ModelError>) -> Result<(), ReadError> {
        let OwnPiece { index, delta } = parse(data)?;
        let place = self.place(index);
        let open = self.open.iter_mut().rev().find(|open| open.place == place);
        let kind = delta.get("type").and_then(Value::as_str).unwrap_or_default();
        match (open.map(|open| &mut open.what), unread) {
            (Some(What::Own(own)), _) => {
                self.bytes.grow(data.len())?;
                own.push(delta);
                Ok(())
            }
            (_, Some(error)) if KNOWN_PIECES.contains(&kind) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// A piece of text or thought of a block that was not announced.
    fn begin_with(
        &mut self,
        place: usize,
        data: &str,
        delta: &Piece<'_>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let kind = match &*delta.r#type {
            "text_delta" => r#"{"type":"text"}"#,
            "thinking_delta" => r#"{"type":"thinking"}"#,
            _ => return Ok(()),
        };
        self.start(place, kind, out)?;
        self.piece(data, out)
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
        // It is kept twice: in our words, and as it came.
        self.bytes.grow(size_of::<Citation>() + texts.map(str::len).sum::<usize>() * 2)?;
        out.push_back(StreamEvent::citation(block, citation(original)));
        Ok(())
    }

    fn thought(
        &mut self,
        block: usize,
        delta: Option<ReasoningDelta>,
        out: &mut VecDeque<StreamEvent>,
    ) -> Result<(), ReadError> {
        let Some(delta) = delta else {
            return Ok(());
        };
        let (ReasoningDelta::Text(words) | ReasoningDelta::Signature(words)) = &delta else {
            return Ok(());
        };
        if !words.is_empty() {
            self.bytes.grow(words.len())?;
            out.push_back(StreamEvent::reasoning(block, delta));
        }
        Ok(())
    }

    /// Ends the block at this place, or all of them.
    fn close(&mut self, place: Option<usize>, out: &mut VecDeque<StreamEvent>) {
        for open in self.open.extract_if(.., |open| place.is_none_or(|place| open.place == place)) {
            match open.what {
                What::Call(mut input) => {
                    if let Some(input) = input.begun.or_else(|| input.streamed.end()) {
                        out.push_back(StreamEvent::tool_input(open.block, input));
                    }
                }
                What::Own(own) => out.push_back(StreamEvent::provider_content(open.block, own.finish())),
                _ => {}
            }
            out.push_back(StreamEvent::block_stop(open.block));
        }
    }

    /// The last events. A server that says that it is at the end (`is_whole`) need not say why.
    fn finish(&mut self, is_whole: bool, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let reason = match self.stopped.stop_reason.take().filter(|reason| !stop_reasons::is_none(reason)) {
            Some(reason) => reason,
            None if is_whole && self.called => "tool_use".to_owned(),
            None if is_whole && self.next > 0 => "end_turn".to_owned(),
            None if is_whole => {
                return Err(ModelError::transport("the response has no content and no stop reason").into());
            }
            None => {
                return Err(ModelError::transport(
                    "the response ended before the message did: neither a stop reason nor `message_stop` came; the \
                     connection was cut",
                )
                .into());
            }
        };
        if let Some(kind) = ModelErrorKind::of_stop_reason(&reason) {
            return Err((ErrorResponse { code: Some(reason), ..ErrorResponse::default() }, kind).into());
        }
        self.begin(out);
        self.complete = true;
        self.close(None, out);
        let Stopped { stop_sequence, stop_details, container, .. } = std::mem::take(&mut self.stopped);
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

/// Our words are Anthropic's but for one; those of Chat Completions come from gateways.
fn stop_reason(reason: &str) -> StopReason {
    match reason {
        "stop" => StopReason::EndTurn,
        "tool_calls" => StopReason::ToolUse,
        reason => stop_reasons::limit_or_filter(reason).unwrap_or_else(|| StopReason::from(reason)),
    }
}

/// Encrypted thoughts are base64, of which only the strict form reads back as the same text. Any other is kept as it is.
fn redacted(block: usize, data: String) -> StreamEvent {
    match STANDARD.decode(&data) {
        Ok(bytes) if !bytes.is_empty() => StreamEvent::reasoning(block, ReasoningDelta::RedactedContent(bytes.into())),
        _ => {
            let content = serde_json::json!({"type": "redacted_thinking", "data": data});
            StreamEvent::provider_content(block, ProviderContent::new(PROVIDER, content))
        }
    }
}

/// The blocks of a document: a list of them, one alone, or its text.
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
        what: "a piece of the answer is not what Messages sends".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    })
}

impl ResponseReader for MessagesReader {
    const FRAMING: Framing = Framing::ServerSentEvents;

    fn read(&mut self, event: &Sse, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let data = event.data.as_deref().map(str::trim).unwrap_or_default();
        if data.is_empty() {
            return Ok(());
        }
        match event.event.as_deref().filter(|name| !name.is_empty() && *name != "message") {
            Some(kind) => self.event(kind, data, out),
            None => {
                let typed: Typed<'_> = parse(data)?;
                self.event(&typed.r#type, data, out)
            }
        }
    }

    fn end(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        // Some servers end without saying `message_stop`.
        self.finish(false, out)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn whole(mut self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let document = std::str::from_utf8(document).map_err(|error| ModelError::Protocol {
            what: "the answer is not text".to_owned(),
            details: ErrorDetails::new().with_source(error).boxed(),
        })?;
        let answer: Document<'_> = parse(document)?;
        let is_message = || parse::<Typed<'_>>(document).is_ok_and(|typed| typed.r#type == "message");
        let content = match answer.content {
            Some(content) => blocks(content)?,
            None if is_message() => Vec::new(),
            None => {
                return self
                    .event(&parse::<Typed<'_>>(document)?.r#type, document, out)
                    .and_then(|()| self.finish(false, out));
            }
        };
        self.begin(out);
        for (place, block) in content.iter().enumerate() {
            self.start(place, block, out)?;
            self.close(Some(place), out);
        }
        update(&mut self.usage, answer.usage.unwrap_or_default());
        self.stopped = answer.stopped;
        self.finish(true, out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use strands_core::message::ContentBlock;
    use strands_core::models::{Turn, TurnBuilder};

    use super::*;
    use crate::http::complete_response;

    fn read(events: &[Value]) -> Result<VecDeque<StreamEvent>, ReadError> {
        let mut reader = MessagesReader::new(1 << 20);
        let mut out = VecDeque::new();
        for event in events {
            let kind = event["type"].as_str().unwrap_or_default();
            reader.read(&Sse::default().event(kind).data(event.to_string()), &mut out)?;
        }
        reader.end(&mut out)?;
        Ok(out)
    }

    fn turn(events: &[Value]) -> Turn {
        let mut turn = TurnBuilder::new(usize::MAX);
        for event in read(events).unwrap() {
            turn.push(&event).unwrap();
        }
        turn.finish().unwrap()
    }

    fn start(index: usize, block: Value) -> Value {
        json!({"type": "content_block_start", "index": index, "content_block": block})
    }

    fn delta(index: usize, delta: Value) -> Value {
        json!({"type": "content_block_delta", "index": index, "delta": delta})
    }

    fn ended(index: usize) -> Value {
        json!({"type": "content_block_stop", "index": index})
    }

    fn stop(reason: &str) -> Value {
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}})
    }

    #[test]
    fn thoughts_come_with_their_signature_and_what_is_encrypted_as_it_was() {
        let turn = turn(&[
            json!({"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}}),
            start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
            start(1, json!({"type": "redacted_thinking", "data": "AAEC"})),
            // The last letter has bits that mean nothing, and would not come back.
            start(2, json!({"type": "redacted_thinking", "data": "AB=="})),
            start(3, json!({"type": "text", "text": ""})),
            delta(3, json!({"type": "text_delta", "text": "so"})),
            stop("end_turn"),
            json!({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}}),
        ]);
        let content = serde_json::to_value(&turn.message.content).unwrap();
        assert_eq!(content[0], json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}));
        assert_eq!(content[1]["reasoningContent"]["redactedContent"]["data"], "AAEC");
        assert_eq!(
            turn.message.content[2],
            ContentBlock::provider(PROVIDER, json!({"type": "redacted_thinking", "data": "AB=="}))
        );
        assert_eq!(content[3], json!({"text": "so"}));
        assert_eq!((turn.usage.input_tokens, turn.usage.output_tokens, turn.usage.total_tokens), (3, 7, 10));
    }

    #[test]
    fn arguments_may_be_there_from_the_beginning() {
        let call = |input: Value| start(0, json!({"type": "tool_use", "id": "t", "name": "f", "input": input}));
        let input = |events: &[Value]| turn(events).message.tool_uses().next().unwrap().input.clone();
        assert_eq!(input(&[call(json!({"a": 1})), stop("tool_use")]), json!({"a": 1}));
        assert_eq!(input(&[call(json!({})), stop("tool_use")]), json!({}));
        let pieces = ["{\"a\"", ": 2}"].map(|text| delta(0, json!({"type": "input_json_delta", "partial_json": text})));
        assert_eq!(input(&[&[call(json!({}))], &pieces[..], &[stop("tool_use")]].concat()), json!({"a": 2}));
    }

    #[test]
    fn what_is_newer_than_this_version_is_no_failure() {
        let turn = turn(&[
            json!({"type": "newer_event", "x": 1}),
            start(0, json!({"type": "newer_block", "text": {"not": "text"}})),
            delta(0, json!({"type": "newer_delta", "text": ["neither"]})),
            ended(0),
            delta(9, json!({"type": "newer_delta", "text": 1})),
            start(1, json!({"type": "text", "text": "hi"})),
            delta(1, json!({"type": "newer_delta", "text": 1})),
            stop("newer_reason"),
        ]);
        assert_eq!(turn.stop_reason.as_str(), "newer_reason");
        assert_eq!(
            turn.message.content[0],
            ContentBlock::provider(PROVIDER, json!({"type": "newer_block", "text": ["neither"]}))
        );
        assert_eq!(turn.message.text(), "hi");
    }

    #[test]
    fn a_refusal_says_why() {
        let details = json!({"type": "refusal", "category": "bio"});
        let turn = turn(&[
            json!({"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details, "stop_sequence": null}}),
        ]);
        assert_eq!(turn.stop_reason, StopReason::ContentFiltered);
        assert_eq!(turn.response_fields, Some(json!({"stop_details": details})));
    }

    #[test]
    fn an_error_in_the_middle_is_one() {
        let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        let Err(ReadError::ErrorResponse(refused)) =
            read(&[start(0, json!({"type": "text", "text": "hi"})), error.clone()])
        else {
            panic!("no refusal");
        };
        assert_eq!(refused.1, ModelErrorKind::Overloaded);
        let whole = MessagesReader::new(64).whole(error.to_string().as_bytes(), &mut VecDeque::new());
        assert!(matches!(whole, Err(ReadError::ErrorResponse(_))), "{whole:?}");
    }

    #[test]
    fn an_answer_without_its_stop_reason_is_broken() {
        assert!(matches!(
            read(&[start(0, json!({"type": "text", "text": "hi"}))]),
            Err(ReadError::Failed(ModelError::Transport { .. }))
        ));
    }

    fn event() -> impl Strategy<Value = Value> {
        let words = "[a-z ü]{0,4}";
        let block = prop_oneof![
            words.prop_map(|text| json!({"type": "text", "text": text})),
            words.prop_map(|text| json!({"type": "thinking", "thinking": text, "signature": ""})),
            words.prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
            words.prop_map(|id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}})),
            words.prop_map(|id| json!({"type": "server_tool_use", "id": id, "input": {}})),
        ];
        let piece = prop_oneof![
            words.prop_map(|text| json!({"type": "text_delta", "text": text})),
            words.prop_map(|text| json!({"type": "thinking_delta", "thinking": text})),
            words.prop_map(|text| json!({"type": "signature_delta", "signature": text})),
            words.prop_map(|text| json!({"type": "input_json_delta", "partial_json": text})),
            words.prop_map(|text| json!({"type": "citations_delta", "citation": {"cited_text": text}})),
            Just(json!({"type": "newer_delta"})),
        ];
        prop_oneof![
            (0..3_usize, block).prop_map(|(at, block)| start(at, block)),
            (0..3_usize, piece).prop_map(|(at, piece)| delta(at, piece)),
            (0..3_usize).prop_map(ended),
            Just(json!({"type": "ping"})),
        ]
    }

    proptest! {
        #[test]
        fn whatever_comes_makes_an_answer(mut events in prop::collection::vec(event(), 0..12)) {
            events.extend([stop("end_turn"), json!({"type": "message_stop"})]);
            let mut reader = MessagesReader::new(1 << 20);
            let mut out = VecDeque::new();
            for event in &events {
                reader.read(&Sse::default().data(event.to_string()), &mut out).unwrap();
            }
            prop_assert!(reader.is_complete());
            complete_response(&out);
        }

        #[test]
        fn no_bytes_panic(kind in "(content_block_(start|delta|stop)|message_(start|delta)|error)?", data in ".{0,64}") {
            let mut out = VecDeque::new();
            let _ = MessagesReader::new(64).read(&Sse::default().event(kind).data(data.clone()), &mut out);
            let _ = MessagesReader::new(64).whole(data.as_bytes(), &mut out);
        }
    }
}
