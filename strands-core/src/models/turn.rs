//! From events to a message: the one place where a model's answer is put together.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    BlockDelta, ErrorDetails, ModelError, ModelErrorKind, ReasoningDelta, StopReason, StreamEvent, ToolUseStart,
};
use crate::message::{
    CallIds, Citation, CitationText, CitationsContent, ContentBlock, MediaSource, Message, MessageMetadata,
    ProviderContent, ReasoningContent, Role, ToolUse, random_call_id,
};
use crate::usage::{ModelMetrics, Usage};
use crate::{depth, lenient_json};

/// Puts a model's answer together from its events.
///
/// Blocks are told apart by their index, so a provider may interleave them. What an answer may hold is bounded.
#[derive(Debug)]
pub struct TurnBuilder {
    blocks: Vec<(usize, Partial)>,
    call_ids: CallIds,
    /// The ids of the calls in the conversation before.
    earlier_call_ids: Option<Arc<CallIds>>,
    /// The first index that no block has had: a new block need not be looked for among all others.
    unused: usize,
    stop_reason: Option<StopReason>,
    response_fields: Option<Value>,
    usage: Usage,
    /// Tokens of models that have failed before this one responded.
    failed_usage: Usage,
    metrics: ModelMetrics,
    trace: Option<Value>,
    provider: Option<String>,
    provider_usage: Option<Value>,
    redact_user: Option<String>,
    redact_assistant: Option<String>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
enum Partial {
    Text { text: String, citations: Vec<Citation> },
    ToolUse { start: ToolUseStart, input: String },
    Reasoning { text: String, signature: String, redacted: Vec<u8> },
    Provider(Box<ProviderContent>),
    Media(Box<ContentBlock>),
}

/// A model's whole answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Turn {
    /// What it said, with usage and timings in its metadata.
    pub message: Message,
    /// Why it stopped. [`StopReason::ToolUse`] exactly when the message has tool calls.
    pub stop_reason: StopReason,
    /// Its cost, with that of models of a [`Fallback`](super::Fallback) that failed before.
    pub usage: Usage,
    /// How long it took.
    pub metrics: ModelMetrics,
    /// What a guardrail did, as the provider reports it.
    pub trace: Option<Value>,
    /// Fields of the provider's own that were asked for.
    pub response_fields: Option<Value>,
    /// What a guardrail wants the user's message to become.
    pub redact_user: Option<String>,
}

impl Turn {
    /// An answer that no model gave.
    pub(crate) fn said(message: Message) -> Self {
        Self {
            message,
            stop_reason: StopReason::EndTurn,
            usage: Usage::default(),
            metrics: ModelMetrics::default(),
            trace: None,
            response_fields: None,
            redact_user: None,
        }
    }

    /// Fills in the timings that the provider did not report.
    pub(crate) fn measured(&mut self, took: Duration, first_content: Option<Duration>) {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if self.metrics.latency_ms == 0 {
            self.metrics.latency_ms = milliseconds(took);
        }
        if self.metrics.time_to_first_byte_ms.is_none() {
            self.metrics.time_to_first_byte_ms = first_content.map(milliseconds).filter(|measured| *measured > 0);
        }
        if let Some(metadata) = &mut self.message.metadata {
            metadata.metrics = Some(self.metrics);
        }
    }
}

impl TurnBuilder {
    /// An answer of which at most `max_bytes` of content are held.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            blocks: Vec::new(),
            call_ids: CallIds::default(),
            earlier_call_ids: None,
            unused: 0,
            stop_reason: None,
            response_fields: None,
            usage: Usage::default(),
            failed_usage: Usage::default(),
            metrics: ModelMetrics::default(),
            trace: None,
            provider: None,
            provider_usage: None,
            redact_user: None,
            redact_assistant: None,
            bytes: 0,
            max_bytes,
        }
    }

    /// Gives no call an id that one of the conversation before has.
    pub(crate) fn after(mut self, call_ids: &Arc<CallIds>) -> Self {
        self.earlier_call_ids = Some(Arc::clone(call_ids));
        self
    }

    /// Takes in one event.
    ///
    /// # Errors
    ///
    /// [`ModelError::Protocol`] for arguments of a tool call that never began, [`ModelError::ResponseTooLarge`] when the
    /// answer outgrows its bound.
    pub fn push(&mut self, event: &StreamEvent) -> Result<(), ModelError> {
        match event {
            StreamEvent::ContentBlockStop { .. } => {}
            StreamEvent::Fallback { usage, .. } => self.failed_usage.add(*usage),
            StreamEvent::MessageStart { provider, .. } => self.provider = provider.as_deref().map(str::to_owned),
            StreamEvent::ContentBlockStart { content_block_index, start } => {
                if let Some(start) = &start.tool_use {
                    self.grow(size_of::<Partial>() + start.name.len() + start.tool_use_id.len())?;
                    let mut start = start.clone();
                    self.make_unique(&mut start.tool_use_id);
                    self.begin(*content_block_index, Partial::ToolUse { start, input: String::new() });
                }
            }
            StreamEvent::ContentBlockDelta { content_block_index, delta } => self.delta(*content_block_index, delta)?,
            StreamEvent::MessageStop { stop_reason, additional_model_response_fields } => {
                self.stop_reason = Some(stop_reason.clone());
                self.response_fields = additional_model_response_fields.as_deref().cloned();
            }
            StreamEvent::Metadata { usage, metrics, trace, provider_usage } => {
                self.usage = *usage;
                self.metrics = *metrics;
                self.trace = trace.as_deref().cloned();
                self.provider_usage = provider_usage.as_deref().filter(|usage| depth::check(usage).is_ok()).cloned();
            }
            StreamEvent::RedactContent { redact_user_content_message, redact_assistant_content_message } => {
                if let Some(replacement) = redact_user_content_message {
                    self.redact_user = Some(replacement.clone());
                }
                if let Some(replacement) = redact_assistant_content_message {
                    self.redact_assistant = Some(replacement.clone());
                }
            }
        }
        Ok(())
    }

    /// A call without an id gets one, and a repeated id is made unique: each call is answered by its own result.
    fn make_unique(&mut self, id: &mut String) {
        if id.is_empty() {
            *id = random_call_id();
        }
        if let Some(unique) = self.call_ids.take(id, self.earlier_call_ids.as_deref()) {
            *id = unique;
        }
    }

    /// The id of the newest call, which the provider may have named otherwise.
    pub(crate) fn newest_call_id(&self) -> Option<&str> {
        self.blocks.iter().rev().find_map(|(_, partial)| match partial {
            Partial::ToolUse { start, .. } => Some(start.tool_use_id.as_str()),
            _ => None,
        })
    }

    fn delta(&mut self, index: usize, delta: &BlockDelta) -> Result<(), ModelError> {
        match delta {
            BlockDelta::Text(piece) => {
                self.grow(piece.len())?;
                // The common case, once for each piece of a response: the block that is being written.
                if let Some((last, Partial::Text { text, .. })) = self.blocks.last_mut()
                    && *last == index
                {
                    text.push_str(piece);
                } else if let Partial::Text { text, .. } = self.block(index, Kind::Text) {
                    text.push_str(piece);
                }
            }
            BlockDelta::Citation(citation) => {
                let quoted: usize = citation.source_content.iter().map(|part| part.text.len()).sum();
                self.grow(size_of::<Citation>() + quoted + citation.title.as_ref().map_or(0, String::len))?;
                if let Partial::Text { citations, .. } = self.block(index, Kind::Text) {
                    citations.push(Citation::clone(citation));
                }
            }
            BlockDelta::Provider(content) => {
                self.grow(size_of::<Partial>() + content.provider.len() + json_size(&content.content))?;
                if let Err(too_deep) = depth::check(&content.content) {
                    return Err(ModelError::protocol(format!("block {index} of the provider's own {too_deep}")));
                }
                self.begin(index, Partial::Provider(content.clone()));
            }
            BlockDelta::Media(medium) => {
                let Some(bytes) = media_size(medium) else {
                    return Err(ModelError::protocol(format!("block {index} is announced as media but is none")));
                };
                self.grow(size_of::<Partial>() + size_of::<ContentBlock>() + bytes)?;
                self.begin(index, Partial::Media(medium.clone()));
            }
            BlockDelta::ReasoningContent(piece) => {
                self.grow(match piece {
                    ReasoningDelta::Text(piece) | ReasoningDelta::Signature(piece) => piece.len(),
                    ReasoningDelta::RedactedContent(piece) => piece.len(),
                })?;
                if let Partial::Reasoning { text, signature, redacted } = self.block(index, Kind::Reasoning) {
                    match piece {
                        ReasoningDelta::Text(piece) => text.push_str(piece),
                        ReasoningDelta::Signature(piece) => signature.push_str(piece),
                        ReasoningDelta::RedactedContent(piece) => redacted.extend_from_slice(piece),
                    }
                }
            }
            BlockDelta::ToolUse(piece) => {
                self.grow(piece.input.len())?;
                let open = self.blocks.iter_mut().rev().find_map(|(at, partial)| match partial {
                    Partial::ToolUse { input, .. } if *at == index => Some(input),
                    _ => None,
                });
                let Some(input) = open else {
                    return Err(ModelError::protocol(format!(
                        "block {index} has tool arguments but no tool call began there"
                    )));
                };
                input.push_str(&piece.input);
            }
        }
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Result<(), ModelError> {
        self.bytes = self.bytes.saturating_add(by);
        if self.bytes > self.max_bytes {
            return Err(ModelError::ResponseTooLarge { limit: Some(self.max_bytes), details: Box::default() });
        }
        Ok(())
    }

    fn begin(&mut self, index: usize, partial: Partial) {
        self.unused = self.unused.max(index.saturating_add(1));
        self.blocks.push((index, partial));
    }

    /// The open block of this kind at `index`. Text and reasoning begin with their first delta.
    fn block(&mut self, index: usize, kind: Kind) -> &mut Partial {
        let known = if index < self.unused { self.blocks.as_slice() } else { &[] };
        let found = known.iter().rposition(|(at, partial)| *at == index && kind.fits(partial));
        let position = found.unwrap_or(self.blocks.len());
        if found.is_none() {
            // Blocks without content are bounded, too.
            self.bytes = self.bytes.saturating_add(size_of::<Partial>());
            self.begin(index, kind.begin());
        }
        // The position is that of a block found or pushed just now.
        #[expect(clippy::indexing_slicing)]
        &mut self.blocks[position].1
    }

    /// True once any content has arrived: from here on a retry would repeat what was already shown.
    pub fn has_content(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// True once the model has said why it stopped.
    pub(crate) fn is_complete(&self) -> bool {
        self.stop_reason.is_some()
    }

    /// What a guardrail wants the user's message to become.
    pub(crate) fn redact_user(&self) -> Option<&str> {
        self.redact_user.as_deref()
    }

    /// What the answer has cost as far as the provider has said.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = self.usage;
        usage.add(self.failed_usage);
        usage
    }

    /// The whole answer.
    ///
    /// # Errors
    ///
    /// [`ModelError::Transport`] when the stream ended before it said why the model stopped; the error that the stop reason
    /// [names](super::ModelErrorKind::of_stop_reason), such as a context window that is full; [`ModelError::Protocol`] when the model is said to call tools but calls none and says nothing.
    pub fn finish(self) -> Result<Turn, ModelError> {
        let usage = self.usage();
        let Some(stop_reason) = self.stop_reason else {
            return Err(ModelError::transport("the stream ended before its stop event"));
        };
        if let StopReason::Other(reason) = &stop_reason
            && let Some(kind) = ModelErrorKind::of_stop_reason(reason)
        {
            return Err(kind.into_error(None, ErrorDetails::new().with_code(reason.as_str())));
        }
        let mut content: Vec<ContentBlock> =
            self.blocks.into_iter().filter_map(|(_, partial)| partial.finish()).collect();
        // Before the stop reason is looked at: a call that a guardrail took away is not made.
        if let Some(replacement) = self.redact_assistant {
            content = vec![ContentBlock::text(replacement)];
        }
        let stop_reason = settle(stop_reason, &mut content)?;
        let mut message = Message::new(Role::Assistant, content);
        message.metadata = Some(MessageMetadata {
            usage: Some(self.usage),
            metrics: Some(self.metrics),
            provider: self.provider,
            provider_usage: self.provider_usage,
            ..MessageMetadata::default()
        });
        Ok(Turn {
            message,
            stop_reason,
            usage,
            metrics: self.metrics,
            trace: self.trace,
            response_fields: self.response_fields,
            redact_user: self.redact_user,
        })
    }

    /// Content of a response that was cut short, and its cost: text and media. Reasoning without its signature and calls
    /// without all their arguments are of no use to anybody.
    pub fn into_partial(self) -> (Message, Usage) {
        let usage = self.usage();
        if let Some(replacement) = self.redact_assistant {
            return (Message::assistant(replacement), usage);
        }
        let text = self.blocks.into_iter().filter_map(|(_, partial)| match partial {
            Partial::Text { text, .. } if !text.trim().is_empty() => Some(ContentBlock::text(text)),
            Partial::Media(medium) => Some(*medium),
            _ => None,
        });
        (Message::new(Role::Assistant, text), usage)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Reasoning,
}

impl Kind {
    fn fits(self, partial: &Partial) -> bool {
        matches!((self, partial), (Self::Text, Partial::Text { .. }) | (Self::Reasoning, Partial::Reasoning { .. }))
    }

    fn begin(self) -> Partial {
        match self {
            Self::Text => Partial::Text { text: String::new(), citations: Vec::new() },
            Self::Reasoning => {
                Partial::Reasoning { text: String::new(), signature: String::new(), redacted: Vec::new() }
            }
        }
    }
}

impl Partial {
    fn finish(self) -> Option<ContentBlock> {
        match self {
            Self::Text { text, citations } if citations.is_empty() => {
                (!text.is_empty()).then(|| ContentBlock::text(text))
            }
            Self::Text { text, citations } => Some(ContentBlock::Citations(CitationsContent {
                citations,
                content: vec![CitationText::new(text)],
                ..CitationsContent::default()
            })),
            Self::Reasoning { text, signature, redacted } => {
                let mut reasoning = if text.is_empty() && signature.is_empty() {
                    ReasoningContent::default()
                } else {
                    ReasoningContent::text(text, (!signature.is_empty()).then_some(signature))
                };
                reasoning.redacted_content = (!redacted.is_empty()).then(|| redacted.into());
                (reasoning != ReasoningContent::default()).then_some(ContentBlock::Reasoning(reasoning))
            }
            Self::Provider(content) => Some(ContentBlock::Provider(*content)),
            Self::Media(medium) => Some(*medium),
            Self::ToolUse { start, input } => {
                let mut call = ToolUse::new(start.tool_use_id, start.name, parse_input(input));
                call.reasoning_signature = start.reasoning_signature;
                Some(ContentBlock::ToolUse(call))
            }
        }
    }
}

/// Size of a medium in bytes; `None` for other content.
fn media_size(block: &ContentBlock) -> Option<usize> {
    let source = match block {
        ContentBlock::Image(image) => &image.source,
        ContentBlock::Video(video) => &video.source,
        ContentBlock::Audio(audio) => &audio.source,
        ContentBlock::Document(document) => &document.source,
        _ => return None,
    };
    Some(match source {
        MediaSource::Bytes(bytes) => bytes.len(),
        MediaSource::Location(location) => location.uri.as_ref().map_or(0, String::len),
        MediaSource::Unknown(fields) => fields.iter().map(|(name, value)| name.len() + json_size(value)).sum(),
    })
}

/// About how many bytes a value holds.
fn json_size(value: &Value) -> usize {
    let inside: usize = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(json_size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + json_size(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + inside
}

/// No text and `null` mean no arguments. Text that is not JSON, or nests too deep to be stored, is kept as it is, for the
/// loop to refuse, and so is a JSON string with its quotes: the two can be told apart.
fn parse_input(input: String) -> Value {
    if input.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match lenient_json::from_str(&input) {
        Ok(Value::Null) => Value::Object(Map::new()),
        Ok(Value::String(text)) if !text.trim().is_empty() => Value::String(input),
        Ok(value) if depth::check(&value).is_ok() => value,
        Ok(_) | Err(_) => Value::String(input),
    }
}

/// Makes the stop reason and the content agree: tools run exactly when there are calls and the model meant to make them.
fn settle(stop_reason: StopReason, content: &mut [ContentBlock]) -> Result<StopReason, ModelError> {
    let calls = content.iter().any(|block| matches!(block, ContentBlock::ToolUse(_)));
    match stop_reason {
        StopReason::ToolUse if !calls && content.is_empty() => {
            Err(ModelError::protocol("the model stopped to use tools but named none"))
        }
        StopReason::ToolUse if !calls => Ok(StopReason::EndTurn),
        StopReason::ToolUse | StopReason::EndTurn | StopReason::StopSequence if calls => Ok(StopReason::ToolUse),
        stopped if calls => {
            for block in content {
                if let ContentBlock::ToolUse(call) = block {
                    *block = ContentBlock::text(unfinished(&call.name, &stopped));
                }
            }
            Ok(stopped)
        }
        stopped => Ok(stopped),
    }
}

/// What stands in history for a call that the model did not get to finish.
fn unfinished(tool: &str, stopped: &StopReason) -> String {
    let tool = if tool.is_empty() { "<unknown>" } else { tool };
    match stopped {
        // The words of Strands, which histories of both sides hold.
        StopReason::MaxTokens => {
            format!("The selected tool {tool}'s tool use was incomplete due to maximum token limits being reached.")
        }
        stopped => {
            format!("The selected tool {tool} was not run because the turn ended with {stopped}.")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::models::ModelErrorKind;

    fn turn(events: impl IntoIterator<Item = StreamEvent>) -> Result<Turn, ModelError> {
        let mut builder = TurnBuilder::new(1024);
        for event in events {
            builder.push(&event)?;
        }
        builder.finish()
    }

    fn call(index: usize, id: &str, input: &str) -> [StreamEvent; 3] {
        [
            StreamEvent::tool_use(index, ToolUseStart::new(id, "look")),
            StreamEvent::tool_input(index, input),
            StreamEvent::block_stop(index),
        ]
    }

    #[test]
    fn interleaved_blocks_are_told_apart_by_index() {
        let turn = turn([
            StreamEvent::start(),
            StreamEvent::tool_use(1, ToolUseStart::new("a", "look")),
            StreamEvent::tool_use(2, ToolUseStart::new("b", "look")),
            StreamEvent::tool_input(2, r#"{"at":"#),
            StreamEvent::tool_input(1, r#"{"at":1}"#),
            StreamEvent::tool_input(2, "2}"),
            StreamEvent::stop(StopReason::ToolUse),
        ])
        .unwrap();
        let inputs: Vec<_> = turn.message.tool_uses().map(|call| call.input.clone()).collect();
        assert_eq!(inputs, [json!({"at": 1}), json!({"at": 2})]);
    }

    #[test]
    fn a_stream_without_its_stop_event_is_an_error() {
        let error = turn([StreamEvent::start(), StreamEvent::text(0, "half")]).unwrap_err();
        assert!(matches!(error, ModelError::Transport { .. }), "{error:?}");
        assert!(error.is_retryable());
    }

    #[test]
    fn stopping_for_tools_without_any_is_an_error_unless_something_was_said() {
        assert!(matches!(turn([StreamEvent::stop(StopReason::ToolUse)]), Err(ModelError::Protocol { .. })));
        let said = turn([StreamEvent::text(0, "hi"), StreamEvent::stop(StopReason::ToolUse)]).unwrap();
        assert_eq!(said.stop_reason, StopReason::EndTurn);
    }

    #[test]
    fn bad_arguments_are_kept_for_the_loop_to_refuse() {
        let mut events = call(0, "a", "{\"at\": ").to_vec();
        events.push(StreamEvent::stop(StopReason::EndTurn));
        let turn = turn(events).unwrap();
        assert_eq!(turn.stop_reason, StopReason::ToolUse);
        assert_eq!(turn.message.tool_uses().next().unwrap().input, json!("{\"at\": "));
    }

    #[test]
    fn calls_without_an_id_or_with_a_repeated_one_get_their_own() {
        use std::collections::HashSet;

        let mut events: Vec<_> = ["", "a", "a"].iter().enumerate().flat_map(|(at, id)| call(at, id, "")).collect();
        events.push(StreamEvent::stop(StopReason::ToolUse));
        let ids: HashSet<_> = turn(events).unwrap().message.tool_uses().map(|call| call.tool_use_id.clone()).collect();
        assert_eq!(ids.len(), 3);
        assert!(ids.contains("a") && ids.contains("a_2") && !ids.contains(""), "{ids:?}");
    }

    #[test]
    fn calls_cut_by_max_tokens_become_a_note() {
        let mut events = call(0, "a", "{\"at\"").to_vec();
        events.push(StreamEvent::stop(StopReason::MaxTokens));
        let turn = turn(events).unwrap();
        assert_eq!(turn.stop_reason, StopReason::MaxTokens);
        assert_eq!(
            turn.message.text(),
            "The selected tool look's tool use was incomplete due to maximum token limits being reached."
        );
    }

    #[test]
    fn empty_blocks_are_bounded_too() {
        let endless = (0..).map(|index| StreamEvent::text(index, ""));
        assert!(matches!(turn(endless), Err(ModelError::ResponseTooLarge { .. })));
        let endless = (0..).map(|index| StreamEvent::tool_use(index, ToolUseStart::new("", "")));
        assert!(matches!(turn(endless), Err(ModelError::ResponseTooLarge { .. })));
    }

    #[test]
    fn a_call_that_a_guardrail_took_away_is_not_made() {
        let redacted = StreamEvent::RedactContent {
            redact_user_content_message: None,
            redact_assistant_content_message: Some("[gone]".into()),
        };
        let mut events = call(0, "a", "{}").to_vec();
        events.extend([redacted, StreamEvent::stop(StopReason::ToolUse)]);
        let turn = turn(events).unwrap();
        assert_eq!((turn.message.text().as_str(), turn.stop_reason), ("[gone]", StopReason::EndTurn));
    }

    #[test]
    fn an_answer_is_bounded() {
        let endless = std::iter::repeat_with(|| StreamEvent::text(0, "x".repeat(100)));
        assert!(matches!(turn(endless), Err(ModelError::ResponseTooLarge { limit: Some(1024), .. })));
    }

    #[test]
    fn reasoning_keeps_its_signature_and_its_encrypted_part() {
        let turn = turn([
            StreamEvent::reasoning(0, ReasoningDelta::Text("hm".into())),
            StreamEvent::reasoning(0, ReasoningDelta::Signature("sig".into())),
            StreamEvent::block_stop(0),
            StreamEvent::reasoning(1, ReasoningDelta::RedactedContent(vec![1, 2].into())),
            StreamEvent::text(2, "so"),
            StreamEvent::stop(StopReason::EndTurn),
        ])
        .unwrap();
        assert_eq!(
            turn.message.content,
            [
                ContentBlock::Reasoning(ReasoningContent::text("hm", Some("sig".into()))),
                ContentBlock::Reasoning(ReasoningContent::redacted(vec![1, 2])),
                ContentBlock::text("so"),
            ]
        );
    }

    #[test]
    fn what_only_the_provider_understands_keeps_its_place_and_its_name() {
        let own = ProviderContent::new("a", json!({"type": "search", "query": "rain"}));
        let events = [
            StreamEvent::start_from("a"),
            StreamEvent::text(0, "Let me look."),
            StreamEvent::provider_content(1, own.clone()),
            StreamEvent::text(2, "It rains."),
            StreamEvent::stop(StopReason::EndTurn),
            StreamEvent::metadata(Usage::new(1, 2), ModelMetrics::default()).with_provider_usage(json!({"in": 1})),
        ];
        let said = turn(events).unwrap().message;
        assert_eq!(said.content[1], ContentBlock::Provider(own));
        assert_eq!(said.text(), "Let me look.\nIt rains.");
        let known = said.metadata.as_ref().unwrap();
        assert_eq!((known.provider.as_deref(), &known.provider_usage), (Some("a"), &Some(json!({"in": 1}))));

        let large = ProviderContent::new("a", json!({"found": ["x".repeat(2048)]}));
        let error = turn([StreamEvent::provider_content(0, large)]).unwrap_err();
        assert!(matches!(error, ModelError::ResponseTooLarge { limit: Some(1024), .. }), "{error:?}");
    }

    #[test]
    fn stop_reasons_that_are_errors_are_no_response() {
        for (reason, kind) in [
            ("model_context_window_exceeded", ModelErrorKind::ContextOverflow),
            ("malformed_tool_use", ModelErrorKind::MalformedOutput),
            ("aborted", ModelErrorKind::Transport),
        ] {
            let error = turn([StreamEvent::text(0, "half"), StreamEvent::stop(StopReason::from(reason))]).unwrap_err();
            assert_eq!((error.kind(), error.details().code()), (kind, Some(reason)));
        }
        let paused = turn([StreamEvent::text(0, "half"), StreamEvent::stop(StopReason::from("pause_turn"))]).unwrap();
        assert_eq!(paused.stop_reason.as_str(), "pause_turn");
    }

    #[test]
    fn half_characters_in_arguments_become_replacement_characters() {
        let call = |pieces: &[&str]| {
            let begun = StreamEvent::tool_use(0, ToolUseStart::new("a", "f"));
            let pieces = pieces.iter().map(|piece| StreamEvent::tool_input(0, *piece));
            let events = [begun].into_iter().chain(pieces).chain([StreamEvent::stop(StopReason::ToolUse)]);
            turn(events).unwrap().message.tool_uses().next().unwrap().input.clone()
        };
        assert_eq!(call(&[r#"{"a":"\ud83d"#, r#"\ude00"}"#]), json!({"a": "😀"}));
        assert_eq!(call(&[r#"{"a":"\ud83d"#, r#"x"}"#]), json!({"a": "\u{fffd}x"}));
    }
}
