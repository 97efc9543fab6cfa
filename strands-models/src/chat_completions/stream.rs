//! The answer of Chat Completions: chunks of a stream, or one document that reads like a chunk with everything in it.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value};
use sse_stream::Sse;
use strands_core::message::{Citation, ProviderContent};
use strands_core::model::{
    ErrorDetails, ModelError, ReasoningDelta, RefusalKind, StopReason, StreamEvent, ToolUseStart,
};

use super::chunk::{CallPiece, Choice, Chunk, Delta, Said};
use super::dialect::Dialect;
use super::error::refused;
use super::thoughts::Details;
use super::usage::last_events;
use crate::http::{AnswerReader, ContentLimit, Framing, ReadError, Refusal};

/// Reads an answer. What is newer than this version is passed over.
pub(super) struct ChatReader {
    dialect: Arc<Dialect>,
    began: bool,
    /// The index of the next block.
    next: usize,
    /// The block of text or thoughts that is being written.
    open: Option<(Section, usize)>,
    calls: Vec<Call>,
    /// The block whose signature holds the details of all thoughts.
    detailed: Option<usize>,
    details: Details,
    refused: bool,
    finish_reason: Option<String>,
    usage: Option<Box<Value>>,
    complete: bool,
    content: ContentLimit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Text,
    Thoughts,
}

struct Call {
    /// The provider's index.
    place: usize,
    id: String,
    block: usize,
    /// Arguments that came before the tool's name.
    early: Option<String>,
}

impl ChatReader {
    /// No answer may have more than `limit` bytes of content.
    pub(super) fn new(dialect: Arc<Dialect>, limit: usize) -> Self {
        Self {
            dialect,
            began: false,
            next: 0,
            open: None,
            calls: Vec::new(),
            detailed: None,
            details: Details::default(),
            refused: false,
            finish_reason: None,
            usage: None,
            complete: false,
            content: ContentLimit::new(limit),
        }
    }

    fn chunk(&mut self, json: &str, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let chunk: Chunk = serde_json::from_str(json).map_err(malformed)?;
        if let Some(error) = chunk.error {
            return Err(refused(&error, self.dialect.sort).into());
        }
        if chunk.is_error {
            return Err(refused(&serde_json::from_str(json).map_err(malformed)?, self.dialect.sort).into());
        }
        if !self.began {
            self.began = true;
            out.push_back(StreamEvent::start_from(self.dialect.provider.clone()));
        }
        if let Some(choice) = chunk.choice {
            self.choice(choice, out)?;
        }
        if chunk.usage.is_some() {
            self.usage = chunk.usage;
        }
        if let (Some(Value::Object(usage)), Some(timings)) = (self.usage.as_deref_mut(), chunk.timings) {
            usage.insert("timings".to_owned(), *timings);
        }
        Ok(())
    }

    fn choice(&mut self, choice: Choice, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if let Some(error) = choice.error {
            return Err(refused(&error, self.dialect.sort).into());
        }
        if let Some(delta) = choice.delta {
            self.delta(delta, out)?;
        }
        // Some gateways have a word without letters in every chunk.
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish_reason = Some(reason);
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let words = |text: &String| !text.is_empty();
        if let Some(details) = delta.reasoning_details.filter(|details| !details.is_empty()) {
            self.detail(details, out)?;
        }
        if let Some(thought) = delta.reasoning_content.filter(words).or(delta.reasoning.filter(words)) {
            self.thought(thought, out)?;
        }
        match delta.content {
            Said::Nothing => {}
            Said::Text(text) => self.text(text, out)?,
            Said::Parts(parts) => parts.into_iter().try_for_each(|part| self.part(part, out))?,
        }
        if let Some(refusal) = delta.refusal.filter(words) {
            self.refused = true;
            self.text(refusal, out)?;
        }
        for piece in delta.tool_calls.into_iter().flatten() {
            self.call(piece, out)?;
        }
        for citation in delta.annotations.iter().flatten().filter_map(citation) {
            self.cite(citation, out)?;
        }
        Ok(())
    }

    fn text(&mut self, text: String, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(text.len())?;
        let block = self.block(Section::Text, out);
        out.push_back(StreamEvent::text(block, text));
        Ok(())
    }

    fn thought(&mut self, thought: String, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(thought.len())?;
        let block = self.block(Section::Thoughts, out);
        out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Text(thought)));
        Ok(())
    }

    /// A part of the content, in an answer that is a list of parts.
    fn part(&mut self, part: Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let word = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match part.get("type").and_then(Value::as_str) {
            Some("text") => match word(&part, "text") {
                text if text.is_empty() => Ok(()),
                text => self.text(text, out),
            },
            Some("thinking") => {
                for piece in part.get("thinking").and_then(Value::as_array).into_iter().flatten() {
                    match word(piece, "text") {
                        text if text.is_empty() => {}
                        text => self.thought(text, out)?,
                    }
                }
                let signature = word(&part, "signature");
                if !signature.is_empty() {
                    self.content.grow(signature.len())?;
                    let block = self.block(Section::Thoughts, out);
                    out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Signature(signature)));
                    // It is one thought's, and another one has its own.
                    self.close(out);
                }
                Ok(())
            }
            Some("reference") => {
                let mut citation = Citation::default();
                citation.location = Some(serde_json::json!({"reference": {"ids": part.get("reference_ids")}}));
                self.cite(citation, out)
            }
            // What the server gets back as it was.
            Some(_) => {
                self.content.grow(part.to_string().len())?;
                self.close(out);
                let block = self.new_block();
                let own = ProviderContent::new(self.dialect.provider.clone(), part);
                out.extend([StreamEvent::provider_content(block, own), StreamEvent::block_stop(block)]);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn cite(&mut self, citation: Citation, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(size_of::<Citation>())?;
        let block = self.block(Section::Text, out);
        out.push_back(StreamEvent::citation(block, citation));
        Ok(())
    }

    /// Details of thoughts may go on until the end of the answer, so their block stays open as long.
    fn detail(&mut self, details: Vec<Map<String, Value>>, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if self.detailed.is_none() {
            let block = self.block(Section::Thoughts, out);
            self.detailed = Some(block);
            // The block has its place in the answer from now on.
            out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Text(String::new())));
        }
        for piece in details {
            let texts = piece.values().filter_map(Value::as_str).map(str::len).sum::<usize>();
            self.content.grow(size_of::<Map<String, Value>>() + texts)?;
            self.details.push(piece);
        }
        Ok(())
    }

    /// The block of this kind that is being written; another kind ends the one before.
    fn block(&mut self, kind: Section, out: &mut VecDeque<StreamEvent>) -> usize {
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

    fn new_block(&mut self) -> usize {
        let block = self.next;
        self.next += 1;
        block
    }

    fn close(&mut self, out: &mut VecDeque<StreamEvent>) {
        if let Some((_, block)) = self.open.take()
            && self.detailed != Some(block)
        {
            out.push_back(StreamEvent::block_stop(block));
        }
    }

    /// A piece of a call: the first has id and name, the others the arguments, told apart by the provider's index. Some
    /// servers give no index, or the same to all.
    fn call(&mut self, piece: CallPiece, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        // Mistral's client fills in the word.
        let id = piece.id.filter(|id| id != "null").unwrap_or_default();
        let (name, arguments) = piece.function.map_or((None, None), |function| (function.name, function.arguments));
        let name = name.unwrap_or_default();
        let known = match piece.index {
            Some(place) => self.calls.iter().rposition(|call| call.place == place),
            None if name.is_empty() => self.calls.len().checked_sub(1),
            None => None,
        };
        let is_same = |call: &Call| name.is_empty() || id.is_empty() || call.id.is_empty() || call.id == id;
        let known = known.filter(|at| self.calls.get(*at).is_some_and(is_same));
        let at = match known {
            Some(at) => at,
            None => {
                self.close(out);
                let place = piece.index.unwrap_or(self.calls.len());
                let block = self.new_block();
                self.content.grow(size_of::<Call>())?;
                self.calls.push(Call { place, id: String::new(), block, early: Some(String::new()) });
                self.calls.len() - 1
            }
        };
        self.content.grow(id.len() + name.len() + arguments.as_ref().map_or(0, String::len))?;
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(());
        };
        if call.id.is_empty() {
            call.id = id;
        }
        let arguments = arguments.unwrap_or_default();
        match &mut call.early {
            Some(early) if name.is_empty() => early.push_str(&arguments),
            early => {
                let early = early.take();
                if early.is_some() {
                    out.push_back(StreamEvent::tool_use(call.block, ToolUseStart::new(call.id.clone(), name)));
                }
                for piece in early.into_iter().chain([arguments]).filter(|piece| !piece.is_empty()) {
                    out.push_back(StreamEvent::tool_input(call.block, piece));
                }
            }
        }
        Ok(())
    }

    /// The last events.
    fn finish(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let Some(finish_reason) = self.finish_reason.take() else {
            return Err(ModelError::transport("the answer ended before its finish reason").into());
        };
        let stop_reason = match finish_reason.as_str() {
            reason if let Some(kind) = RefusalKind::of_stop_reason(reason) => {
                return Err((Refusal { code: Some(finish_reason), ..Refusal::default() }, kind).into());
            }
            "length" | "model_length" => StopReason::MaxTokens,
            "content_filter" | "content_filtered" | "sensitive" | "safety" => StopReason::ContentFiltered,
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
        for call in &mut self.calls {
            // A call without a name is one of a tool that does not exist, which the model is told.
            if let Some(early) = call.early.take() {
                out.push_back(StreamEvent::tool_use(call.block, ToolUseStart::new(call.id.clone(), "")));
                out.push_back(StreamEvent::tool_input(call.block, early));
            }
            out.push_back(StreamEvent::block_stop(call.block));
        }
        out.extend(last_events(stop_reason, self.usage.take().map(|usage| *usage)));
        Ok(())
    }
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> ModelError {
    ModelError::Protocol {
        what: "a piece of the answer is not what Chat Completions sends".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    }
}

/// A place on the web that the text comes from.
fn citation(annotation: &Value) -> Option<Citation> {
    let cited = annotation.get("url_citation")?;
    let mut citation = Citation::default();
    citation.title = cited.get("title").and_then(Value::as_str).map(str::to_owned);
    citation.location = Some(serde_json::json!({"web": {"url": cited.get("url")?}}));
    Some(citation)
}

impl AnswerReader for ChatReader {
    const FRAMING: Framing = Framing::ServerSentEvents;

    fn read(&mut self, event: &Sse, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        match event.data.as_deref().map(str::trim) {
            None | Some("") => Ok(()),
            Some("[DONE]") => self.finish(out),
            Some(data) => self.chunk(data, out),
        }
    }

    fn end(&mut self, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        // Some servers end without saying `[DONE]`.
        self.finish(out)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn whole(mut self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.chunk(str::from_utf8(document).map_err(malformed)?, out)?;
        self.finish(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::chat_completions::ReasoningReplay;
    use crate::http::whole_answer;

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
    fn a_reason_without_a_word_is_none() {
        let mut reader = reader(64);
        let mut out = VecDeque::new();
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": ""}]}).to_string();
        reader.read(&Sse::default().data(chunk), &mut out).unwrap();
        let cut = reader.end(&mut out).unwrap_err();
        assert!(matches!(&cut, ReadError::Failed(ModelError::Transport { .. })), "{cut:?}");
    }

    #[test]
    fn an_error_that_is_not_in_a_field_is_one() {
        // vLLM and Mistral.
        let error =
            json!({"object": "error", "message": "prompt has 9 tokens, maximum context length is 8", "code": 400});
        for whole in [true, false] {
            let mut out = VecDeque::new();
            let read = match whole {
                true => reader(64).whole(error.to_string().as_bytes(), &mut out),
                false => reader(64).read(&Sse::default().data(error.to_string()), &mut out),
            };
            let refused = read.unwrap_err();
            assert!(
                matches!(&refused, ReadError::Refused(refused) if refused.1 == RefusalKind::ContextOverflow),
                "{refused:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_makes_an_answer(deltas in prop::collection::vec(delta(), 0..12)) {
            let mut reader = reader(1 << 20);
            let mut out = VecDeque::new();
            for delta in &deltas {
                let chunk = json!({"choices": [{"index": 0, "delta": delta}]}).to_string();
                reader.read(&Sse::default().data(chunk), &mut out).unwrap();
            }
            let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string();
            reader.read(&Sse::default().data(last), &mut out).unwrap();
            reader.read(&Sse::default().data("[DONE]"), &mut out).unwrap();
            prop_assert!(reader.is_complete());

            whole_answer(&out);
        }

        #[test]
        fn no_bytes_panic(data in ".{0,64}") {
            let mut out = VecDeque::new();
            let _ = reader(64).read(&Sse::default().data(data.clone()), &mut out);
            let _ = reader(64).whole(data.as_bytes(), &mut out);
        }
    }
}
