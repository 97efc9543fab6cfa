//! Fuzz targets: any bytes as a response, read with framing, a provider's stream reader and a turn builder, and checks that
//! hold for any bytes.
//!
//! Compiled only with `--cfg fuzzing`, and not part of the public API.
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

/// Maximum content of a response in bytes, by the first two bits of an input.
const LIMITS: [usize; 4] = [1 << 20, 16 << 10, 1 << 10, 64];

/// Runs an input. Its first byte has the limit, a bit for a document, and the number of chunk lengths before the response.
fn run<R: ResponseReader>(input: &[u8], reader: impl Fn(usize) -> R) {
    let Some((control, rest)) = input.split_first() else {
        return;
    };
    let limit = LIMITS[usize::from(control & 3)];
    if control & 4 != 0 {
        let (events, error) = http::document(rest, reader(limit));
        return check(&events, error, limit);
    }
    let (lengths, response) = rest.split_at(usize::from(control >> 3).min(rest.len()));
    let (events, error) = all(http::stream([Bytes::copy_from_slice(response)], reader(limit), limit));
    if !lengths.is_empty() {
        let (again, other) = all(http::stream(chunks(response, lengths), reader(limit), limit));
        assert_eq!(events, again, "events do not depend on the chunks");
        assert_eq!(error.as_ref().map(ToString::to_string), other.map(|error| error.to_string()));
    }
    check(&events, error, limit);
}

/// Returns chunks of these lengths, repeated as needed.
fn chunks(response: &[u8], lengths: &[u8]) -> Vec<Bytes> {
    let mut rest = Bytes::copy_from_slice(response);
    let mut chunks = Vec::new();
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        // A chunk may be empty, but not all of them.
        if *length == 0 {
            chunks.push(Bytes::new());
        }
        chunks.push(rest.split_to(usize::from(*length).clamp(1, rest.len())));
    }
    chunks
}

/// Returns the events up to the end or the error. No event may follow an error.
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
                assert!(!block.ended, "{content_block_index} has an event after its end");
                assert_eq!(*block.kind.get_or_insert(kind(delta)), kind(delta), "{content_block_index} changes");
            }
            StreamEvent::ContentBlockStop { content_block_index } => {
                // An empty block has only an end.
                let block = blocks.entry(*content_block_index).or_default();
                assert!(!block.ended, "{content_block_index} ends twice");
                block.ended = true;
            }
            StreamEvent::MessageStop { .. } => stopped = true,
            _ => {}
        }
    }
    // Serializing JSON again may add escapes.
    let most = limit.saturating_mul(8).saturating_add(4096);
    assert!(content <= most, "{content} bytes where {limit} are allowed");
    assert!(blocks.len() <= most / 16, "{} blocks where {limit} bytes are allowed", blocks.len());
    if let Some(error) = error {
        // Formatting must not panic.
        let _ = format!("{error} {error:?}");
        return;
    }
    assert!(stopped, "a response without an end counts as complete");
    assert!(blocks.values().all(|block| block.ended), "a block has no end");
    if let Err(error) = turn.finish() {
        assert!(matches!(error, ModelError::Protocol { .. }), "{error:?}");
    }
}

fn kind(delta: &BlockDelta) -> &'static str {
    match delta {
        BlockDelta::Text(_) | BlockDelta::Citation(_) => "text",
        BlockDelta::ToolUse(_) => "call",
        BlockDelta::ReasoningContent(_) => "reasoning",
        BlockDelta::Provider(_) => "provider",
        BlockDelta::Media(_) => "media",
        _ => "another",
    }
}

/// Returns the size of the provider's content in an event.
fn size(event: &StreamEvent) -> usize {
    match event {
        StreamEvent::ContentBlockStart { start, .. } => {
            start.tool_use.as_ref().map_or(0, |start| start.tool_use_id.len() + start.name.len())
        }
        StreamEvent::ContentBlockDelta { delta, .. } => match delta {
            BlockDelta::Text(text) => text.len(),
            BlockDelta::ToolUse(delta) => delta.input.len(),
            BlockDelta::ReasoningContent(ReasoningDelta::Text(text) | ReasoningDelta::Signature(text)) => text.len(),
            BlockDelta::ReasoningContent(ReasoningDelta::RedactedContent(bytes)) => bytes.len(),
            BlockDelta::Citation(citation) => citation.title.as_ref().map_or(0, String::len),
            BlockDelta::Provider(content) => content.content.to_string().len(),
            BlockDelta::Media(content) => serde_json::to_vec(content).map_or(0, |json| json.len()),
            _ => 0,
        },
        _ => 0,
    }
}
