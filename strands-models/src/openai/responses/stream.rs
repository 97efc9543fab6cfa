//! The answer of Responses: events of a stream by their types, or one document with all items in it.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sse_stream::Sse;
use strands_core::message::{Citation, ProviderContent};
use strands_core::model::{
    ErrorDetails, ModelError, ReasoningDelta, RefusalKind, StopReason, StreamEvent, ToolUseStart,
};

use super::{kept, thoughts};
use crate::chat_completions::{last_events, refused};
use crate::http::{AnswerReader, ContentLimit, Framing, ReadError, Refusal};

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    output_index: usize,
    /// The part of the item: of a message's content, or of a thought's summary.
    #[serde(default, alias = "content_index", alias = "summary_index")]
    part: usize,
    #[serde(default)]
    delta: String,
}

#[derive(Deserialize)]
struct WholeItem {
    #[serde(default)]
    output_index: usize,
    item: Value,
}

#[derive(Deserialize)]
struct Annotated {
    #[serde(default)]
    output_index: usize,
    #[serde(default)]
    content_index: usize,
    annotation: Value,
}

#[derive(Deserialize)]
struct Ended {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    output: Vec<Value>,
    error: Option<Value>,
    incomplete_details: Option<Value>,
    usage: Option<Value>,
}

/// Reads an answer. What is newer than this version is passed over.
pub(super) struct ResponsesReader {
    /// Who answers.
    provider: Cow<'static, str>,
    /// Whether the provider keeps the answer.
    stateful: bool,
    began: bool,
    /// Blocks that are being written.
    open: Vec<Open>,
    next: usize,
    /// Whether tools were called, and whether the model refused.
    called: bool,
    refused: bool,
    complete: bool,
    content: ContentLimit,
}

struct Open {
    /// The provider's index of the item.
    item: usize,
    /// The part of the item that is written, or was last.
    part: usize,
    what: What,
    block: usize,
    /// Nothing of it has come yet.
    empty: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Text,
    Thoughts,
    Call,
}

impl ResponsesReader {
    /// No answer may have more than `limit` bytes of content.
    pub(super) fn new(provider: Cow<'static, str>, stateful: bool, limit: usize) -> Self {
        Self {
            provider,
            stateful,
            began: false,
            open: Vec::new(),
            next: 0,
            called: false,
            refused: false,
            complete: false,
            content: ContentLimit::new(limit),
        }
    }

    fn event(&mut self, kind: &str, data: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        match kind {
            "response.output_text.delta" => self.text(parse(data)?, out),
            "response.refusal.delta" => {
                self.refused = true;
                self.text(parse(data)?, out)
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.thought(parse(data)?, out)
            }
            "response.function_call_arguments.delta" => self.arguments(parse(data)?, out),
            "response.output_text.annotation.added" => self.annotation(&parse(data)?, out),
            "response.output_item.added" => {
                let added: WholeItem = parse(data)?;
                self.item_added(added.output_index, &added.item, out)
            }
            "response.output_item.done" => {
                let done: WholeItem = parse(data)?;
                self.item_done(done.output_index, &done.item, out)
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                self.finish(parse::<Ended>(data)?.response, out)
            }
            "error" => {
                let event: Value = parse(data)?;
                Err(refusal(event.get("error").filter(|error| error.is_object()).unwrap_or(&event)))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, out: &mut VecDeque<StreamEvent>) {
        if !std::mem::replace(&mut self.began, true) {
            out.push_back(StreamEvent::start_from(self.provider.clone()));
        }
    }

    fn text(&mut self, piece: Piece, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if piece.delta.is_empty() {
            return Ok(());
        }
        self.content.grow(piece.delta.len())?;
        let open = self.open(piece.output_index, What::Text, Some(piece.part))?;
        out.push_back(StreamEvent::text(open.block, piece.delta));
        Ok(())
    }

    fn thought(&mut self, mut piece: Piece, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if piece.delta.is_empty() {
            return Ok(());
        }
        self.content.grow(piece.delta.len())?;
        let open = self.open(piece.output_index, What::Thoughts, None)?;
        // A summary has parts, and a block has none.
        if !std::mem::replace(&mut open.empty, false) && open.part != piece.part {
            piece.delta.insert_str(0, "\n\n");
        }
        open.part = piece.part;
        out.push_back(StreamEvent::reasoning(open.block, ReasoningDelta::Text(piece.delta)));
        Ok(())
    }

    fn arguments(&mut self, piece: Piece, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(piece.delta.len())?;
        let open = self.open.iter_mut().find(|open| open.item == piece.output_index && open.what == What::Call);
        // Arguments of calls that are none of ours.
        let Some(open) = open else {
            return Ok(());
        };
        if !piece.delta.is_empty() {
            open.empty = false;
            out.push_back(StreamEvent::tool_input(open.block, piece.delta));
        }
        Ok(())
    }

    fn annotation(&mut self, annotated: &Annotated, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        if let Some(citation) = citation(&annotated.annotation) {
            self.content.grow(size_of::<Citation>())?;
            let open = self.open(annotated.output_index, What::Text, Some(annotated.content_index))?;
            out.push_back(StreamEvent::citation(open.block, citation));
        }
        Ok(())
    }

    fn item_added(&mut self, at: usize, item: &Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let begun = self.open.iter().any(|open| open.item == at && open.what == What::Call);
        match word(item, "type") {
            // A call that is announced again is the same one.
            "function_call" if begun => {}
            "function_call" => {
                let (id, name) = (word(item, "call_id"), word(item, "name"));
                self.content.grow(id.len() + name.len())?;
                self.called = true;
                let open = self.open(at, What::Call, None)?;
                out.push_back(StreamEvent::tool_use(open.block, ToolUseStart::new(id, name)));
            }
            "reasoning" => {
                // The block has its place in the answer from now on.
                let open = self.open(at, What::Thoughts, None)?;
                out.push_back(StreamEvent::reasoning(open.block, ReasoningDelta::Text(String::new())));
            }
            // A message begins with its first words, and what the provider's own tools do comes as a whole.
            _ => {}
        }
        Ok(())
    }

    /// An item is whole. What did not come in pieces is taken from here.
    fn item_done(&mut self, at: usize, item: &Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let known = |what: What, open: &[Open]| open.iter().any(|open| open.item == at && open.what == what);
        match word(item, "type") {
            "function_call" => {
                if !known(What::Call, &self.open) {
                    self.item_added(at, item, out)?;
                }
                let open = self.open(at, What::Call, None)?;
                if open.empty {
                    let delta = word(item, "arguments").to_owned();
                    self.arguments(Piece { output_index: at, part: 0, delta }, out)?;
                }
            }
            "reasoning" => {
                let open = self.open(at, What::Thoughts, None)?;
                let (block, empty) = (open.block, open.empty);
                if empty {
                    self.whole_thought(at, item, out)?;
                }
                if let Some(signature) = thoughts::signature(item) {
                    self.content.grow(signature.len())?;
                    out.push_back(StreamEvent::reasoning(block, ReasoningDelta::Signature(signature)));
                }
            }
            "message" if known(What::Text, &self.open) => {}
            "message" => self.whole_message(at, item, out)?,
            "" => {}
            // What the provider's own tools did, and whatever is newer than this version.
            _ => self.own(ProviderContent::new(self.provider.clone(), item.clone()), out)?,
        }
        self.close(|open| open.item == at, out);
        Ok(())
    }

    fn own(&mut self, content: ProviderContent, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        self.content.grow(content.content.to_string().len())?;
        let block = self.next;
        self.next += 1;
        out.extend([StreamEvent::provider_content(block, content), StreamEvent::block_stop(block)]);
        Ok(())
    }

    fn whole_thought(&mut self, at: usize, item: &Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let summary = list(item, "summary");
        let parts = if summary.is_empty() { list(item, "content") } else { summary };
        for (part, said) in parts.iter().enumerate() {
            let delta = word(said, "text").to_owned();
            self.thought(Piece { output_index: at, part, delta }, out)?;
        }
        Ok(())
    }

    fn whole_message(&mut self, at: usize, item: &Value, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        for (part, said) in list(item, "content").iter().enumerate() {
            let refusal = word(said, "refusal");
            self.refused |= !refusal.is_empty();
            let delta = if refusal.is_empty() { word(said, "text") } else { refusal }.to_owned();
            self.text(Piece { output_index: at, part, delta }, out)?;
            for annotation in list(said, "annotations") {
                let annotation = annotation.clone();
                self.annotation(&Annotated { output_index: at, content_index: part, annotation }, out)?;
            }
        }
        Ok(())
    }

    /// The block of this item, and of this part of it where parts are blocks.
    fn open(&mut self, item: usize, what: What, part: Option<usize>) -> Result<&mut Open, ModelError> {
        let found = self
            .open
            .iter()
            .rposition(|open| open.item == item && open.what == what && part.is_none_or(|part| open.part == part));
        let at = match found {
            Some(at) => at,
            None => {
                self.content.grow(size_of::<Open>())?;
                let block = self.next;
                self.next += 1;
                self.open.push(Open { item, part: part.unwrap_or_default(), what, block, empty: true });
                self.open.len() - 1
            }
        };
        // The position is that of a block found or pushed just now.
        #[expect(clippy::indexing_slicing)]
        Ok(&mut self.open[at])
    }

    fn close(&mut self, which: impl Fn(&Open) -> bool, out: &mut VecDeque<StreamEvent>) {
        self.open.retain(|open| {
            let ends = which(open);
            if ends {
                out.push_back(StreamEvent::block_stop(open.block));
            }
            !ends
        });
    }

    /// The last events.
    fn finish(&mut self, response: Response, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let error = response.error.filter(|error| !error.is_null());
        let reason = response.incomplete_details.as_ref().map(|details| word(details, "reason").to_owned());
        let stop_reason = match response.status.as_str() {
            "incomplete" if reason.as_deref() == Some("content_filter") => StopReason::ContentFiltered,
            "incomplete" => StopReason::MaxTokens,
            "completed" if self.called => StopReason::ToolUse,
            "completed" if self.refused => StopReason::ContentFiltered,
            "completed" => StopReason::EndTurn,
            status => return Err(unfinished(status, error)),
        };
        self.complete = true;
        self.close(|_| true, out);
        // A response that was cut short is no good beginning: it may hold calls that nobody answers.
        if self.stateful && response.status == "completed" && !response.id.is_empty() {
            self.own(kept::block(&self.provider, &response.id), out)?;
        }
        out.extend(last_events(stop_reason, response.usage.filter(|usage| !usage.is_null())));
        Ok(())
    }
}

/// A response that the provider does not end, or not yet.
fn unfinished(status: &str, error: Option<Value>) -> ReadError {
    if let Some(error) = error {
        return refusal(&error);
    }
    let (kind, advice) = match status {
        "queued" | "in_progress" => {
            let advice = "the provider answers in the background, where nobody asks for it: leave `background` out";
            (RefusalKind::InvalidRequest, Some(advice))
        }
        status => (RefusalKind::of_stop_reason(status).unwrap_or(RefusalKind::Protocol), None),
    };
    let body = format!("the response has the status `{status}`");
    (Refusal { code: Some(status.to_owned()), body, advice, ..Refusal::default() }, kind).into()
}

fn refusal(error: &Value) -> ReadError {
    refused(error, |_, _| None).into()
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(json).map_err(|error| ModelError::Protocol {
        what: "a piece of the answer is not what Responses sends".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    })
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A place that the text comes from: on the web, or a file that was given to the provider.
fn citation(annotation: &Value) -> Option<Citation> {
    let mut citation = Citation::default();
    match word(annotation, "type") {
        "url_citation" => {
            citation.location = Some(serde_json::json!({"web": {"url": annotation.get("url")?}}));
            citation.title = annotation.get("title").and_then(Value::as_str).map(str::to_owned);
        }
        "file_citation" => citation.title = Some(annotation.get("filename")?.as_str()?.to_owned()),
        _ => return None,
    }
    Some(citation)
}

impl AnswerReader for ResponsesReader {
    const FRAMING: Framing = Framing::ServerSentEvents;

    fn read(&mut self, event: &Sse, out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        #[derive(Deserialize)]
        struct Typed<'a> {
            #[serde(borrow)]
            r#type: Cow<'a, str>,
        }
        let data = event.data.as_deref().map(str::trim).unwrap_or_default();
        // Nothing of this protocol, but of servers that speak both.
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        self.begin(out);
        match event.event.as_deref().filter(|name| !name.is_empty() && *name != "message") {
            Some(kind) => self.event(kind, data.as_bytes(), out),
            None => {
                let typed: Typed<'_> = serde_json::from_str(data).map_err(|error| ModelError::Protocol {
                    what: "a piece of the answer does not say its type".to_owned(),
                    details: ErrorDetails::new().with_source(error).boxed(),
                })?;
                self.event(&typed.r#type, data.as_bytes(), out)
            }
        }
    }

    fn end(&mut self, _: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        Err(ModelError::transport("the answer ended before its last event").into())
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn whole(mut self, document: &[u8], out: &mut VecDeque<StreamEvent>) -> Result<(), ReadError> {
        let mut response: Response = parse(document)?;
        self.begin(out);
        for (at, item) in std::mem::take(&mut response.output).into_iter().enumerate() {
            self.item_done(at, &item, out)?;
        }
        self.finish(response, out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::whole_answer;

    fn reader(limit: usize) -> ResponsesReader {
        ResponsesReader::new(Cow::Borrowed("openai"), true, limit)
    }

    fn event() -> impl Strategy<Value = Value> {
        let words = "[a-z ü]{0,4}";
        let kind = prop::sample::select(vec![
            "response.output_text.delta",
            "response.refusal.delta",
            "response.reasoning_summary_text.delta",
            "response.function_call_arguments.delta",
            "response.something.new",
        ]);
        let item = prop_oneof![
            words.prop_map(|text| json!({"type": "function_call", "call_id": text, "name": "f", "arguments": "{}"})),
            words.prop_map(|text| json!({"type": "reasoning", "summary": [{"text": text}], "encrypted_content": "x"})),
            words.prop_map(|text| json!({"type": "message", "content": [{"text": text}, {"refusal": text}]})),
            Just(json!({"type": "web_search_call"})),
            Just(json!(null)),
        ];
        let whole = prop::sample::select(vec!["response.output_item.added", "response.output_item.done"]);
        prop_oneof![
            (kind, 0..3_usize, 0..2_usize, words).prop_map(|(kind, at, part, delta)| {
                json!({"type": kind, "output_index": at, "content_index": part, "delta": delta})
            }),
            (whole, 0..3_usize, item)
                .prop_map(|(kind, at, item)| json!({"type": kind, "output_index": at, "item": item})),
        ]
    }

    #[test]
    fn a_call_that_is_announced_again_is_the_same_one() {
        let (mut reader, mut out) = (reader(1 << 20), VecDeque::new());
        let added = json!({"type": "response.output_item.added", "output_index": 0,
            "item": {"type": "function_call", "call_id": "a", "name": "f"}});
        for event in [added.clone(), added] {
            reader.read(&Sse::default().data(event.to_string()), &mut out).unwrap();
        }
        let begun = out.iter().filter(|event| matches!(event, StreamEvent::ContentBlockStart { .. }));
        assert_eq!(begun.count(), 1);
    }

    proptest! {
        #[test]
        fn whatever_comes_makes_an_answer(events in prop::collection::vec(event(), 0..12)) {
            let mut reader = reader(1 << 20);
            let mut out = VecDeque::new();
            for event in &events {
                reader.read(&Sse::default().data(event.to_string()), &mut out).unwrap();
            }
            let last = json!({"type": "response.completed", "response": {"id": "r", "status": "completed"}}).to_string();
            reader.read(&Sse::default().data(last), &mut out).unwrap();
            prop_assert!(reader.is_complete());

            whole_answer(&out);
        }

        #[test]
        fn no_bytes_panic(data in ".{0,64}") {
            let mut out = VecDeque::new();
            let _ = reader(64).read(&Sse::default().event("error").data(data.clone()), &mut out);
            let _ = reader(64).whole(data.as_bytes(), &mut out);
        }
    }
}
