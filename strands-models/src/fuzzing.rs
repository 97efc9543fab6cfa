//! What the fuzz targets run: any bytes as an answer, through framing, a provider's reader and the turn that is put
//! together of its events, and what has to be true of them whatever the bytes are.
//!
//! It is compiled with `--cfg fuzzing` alone and is no part of the interface.
#![allow(clippy::panic, missing_docs, reason = "what fails here is what the fuzzer looks for")]

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use strands_core::models::{BlockDelta, ModelError, ModelStream, ReasoningDelta, StreamEvent, TurnBuilder};

use crate::http::{ResponseReader, fuzzing as http};

pub fn anthropic(input: &[u8]) {
    run(input, crate::anthropic::reader);
}

pub fn chat_completions(input: &[u8]) {
    run(input, crate::chat_completions::reader);
}

pub fn gemini(input: &[u8]) {
    run(input, crate::gemini::reader);
}

pub fn ollama(input: &[u8]) {
    run(input, crate::ollama::reader);
}

pub fn openai_responses(input: &[u8]) {
    run(input, crate::openai::reader);
}

/// How many bytes of content an answer may have, by the first two bits of an input.
const LIMITS: [usize; 4] = [1 << 20, 16 << 10, 1 << 10, 64];

/// The first byte of an input says how the rest is read: its limit, whether it is a document, and how many lengths of
/// pieces follow before the answer itself.
fn run<R: ResponseReader>(input: &[u8], reader: impl Fn(usize) -> R) {
    let Some((control, rest)) = input.split_first() else {
        return;
    };
    let limit = LIMITS[usize::from(control & 3)];
    if control & 4 != 0 {
        let (events, error) = http::document(rest, reader(limit));
        return check(&events, error, limit);
    }
    let (lengths, answer) = rest.split_at(usize::from(control >> 3).min(rest.len()));
    let (events, error) = all(http::stream([Bytes::copy_from_slice(answer)], reader(limit), limit));
    if !lengths.is_empty() {
        let (again, other) = all(http::stream(pieces(answer, lengths), reader(limit), limit));
        assert_eq!(events, again, "the pieces that an answer comes in change nothing");
        assert_eq!(error.as_ref().map(ToString::to_string), other.map(|error| error.to_string()));
    }
    check(&events, error, limit);
}

/// Pieces of these lengths, again and again.
fn pieces(answer: &[u8], lengths: &[u8]) -> Vec<Bytes> {
    let mut rest = Bytes::copy_from_slice(answer);
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        // A piece may be empty, but not each of them.
        if *length == 0 {
            pieces.push(Bytes::new());
        }
        pieces.push(rest.split_to(usize::from(*length).clamp(1, rest.len())));
    }
    pieces
}

/// The events up to the end or the error, after which nothing may follow.
fn all(stream: ModelStream) -> (Vec<StreamEvent>, Option<ModelError>) {
    let items: Vec<_> = stream.collect().now_or_never().expect("nothing is waited for");
    let mut events = Vec::with_capacity(items.len());
    let mut failed = None;
    for item in items {
        assert!(failed.is_none(), "{item:?} follows an error");
        match item {
            Ok(event) => events.push(event),
            Err(error) => failed = Some(error),
        }
    }
    (events, failed)
}

#[derive(Default)]
struct Block {
    kind: Option<&'static str>,
    ended: bool,
}

fn check(events: &[StreamEvent], error: Option<ModelError>, limit: usize) {
    let mut blocks: HashMap<usize, Block> = HashMap::new();
    let mut turn = TurnBuilder::new(usize::MAX);
    let (mut stopped, mut content) = (false, 0);
    for (at, event) in events.iter().enumerate() {
        assert_eq!(at == 0, matches!(event, StreamEvent::MessageStart { provider: Some(_), .. }), "{event:?} at {at}");
        assert!(!stopped || matches!(event, StreamEvent::Metadata { .. }), "{event:?} after the stop");
        turn.push(event).expect("a reader's own events fit together");
        content += size(event);
        match event {
            StreamEvent::ContentBlockStart { content_block_index: block, .. } => {
                assert!(
                    blocks.insert(*block, Block { kind: Some("call"), ended: false }).is_none(),
                    "{block} begins again"
                );
            }
            StreamEvent::ContentBlockDelta { content_block_index, delta } => {
                let block = blocks.entry(*content_block_index).or_default();
                assert!(!block.ended, "{content_block_index} goes on after its end");
                assert_eq!(*block.kind.get_or_insert(kind(delta)), kind(delta), "{content_block_index} changes");
            }
            StreamEvent::ContentBlockStop { content_block_index } => {
                // A block in which nothing was said has an end and nothing else.
                let block = blocks.entry(*content_block_index).or_default();
                assert!(!block.ended, "{content_block_index} ends twice");
                block.ended = true;
            }
            StreamEvent::MessageStop { .. } => stopped = true,
            _ => {}
        }
    }
    // JSON that is written again may escape more than it did before.
    let most = limit.saturating_mul(8).saturating_add(4096);
    assert!(content <= most, "{content} bytes where {limit} are allowed");
    assert!(blocks.len() <= most / 16, "{} blocks where {limit} bytes are allowed", blocks.len());
    if let Some(error) = error {
        // What is shown and logged.
        let _ = format!("{error} {error:?}");
        return;
    }
    assert!(stopped, "an answer without an end passed for a whole one");
    assert!(blocks.values().all(|block| block.ended), "a block has no end");
    if let Err(error) = turn.finish() {
        assert!(matches!(error, ModelError::Protocol { .. }), "{error:?}");
    }
}

fn kind(delta: &BlockDelta) -> &'static str {
    match delta {
        BlockDelta::Text(_) | BlockDelta::Citation(_) => "text",
        BlockDelta::ToolUse(_) => "call",
        BlockDelta::ReasoningContent(_) => "thoughts",
        BlockDelta::Provider(_) => "provider",
        BlockDelta::Media(_) => "media",
        _ => "another",
    }
}

/// How much of the provider's content an event holds.
fn size(event: &StreamEvent) -> usize {
    match event {
        StreamEvent::ContentBlockStart { start, .. } => {
            start.tool_use.as_ref().map_or(0, |start| start.tool_use_id.len() + start.name.len())
        }
        StreamEvent::ContentBlockDelta { delta, .. } => match delta {
            BlockDelta::Text(text) => text.len(),
            BlockDelta::ToolUse(piece) => piece.input.len(),
            BlockDelta::ReasoningContent(ReasoningDelta::Text(piece) | ReasoningDelta::Signature(piece)) => piece.len(),
            BlockDelta::ReasoningContent(ReasoningDelta::RedactedContent(piece)) => piece.len(),
            BlockDelta::Citation(citation) => citation.title.as_ref().map_or(0, String::len),
            BlockDelta::Provider(content) => content.content.to_string().len(),
            BlockDelta::Media(content) => serde_json::to_vec(content).map_or(0, |json| json.len()),
            _ => 0,
        },
        _ => 0,
    }
}
