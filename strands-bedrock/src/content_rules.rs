//! Content of messages that Bedrock refuses, and the content that is sent in its place. A refused result or prompt would stay
//! in the history, and every later request would be refused.

use std::borrow::Cow;

use strands_core::message::{ContentBlock, Message, Role, SystemBlock, ToolResult, ToolResultContent};
use strands_core::models::placeholder;

use crate::PROVIDER;
use crate::turns::{OutBlock, is_result_sent};

/// The content of a message as Bedrock takes it: something that is said, a text beside documents, cache points where they
/// may be.
pub(crate) fn allowed<'a>(role: Role, mut content: Vec<OutBlock<'a>>) -> Vec<OutBlock<'a>> {
    if content.iter().all(OutBlock::is_cache_point) {
        content.insert(0, OutBlock::Words(placeholder::BLANK_TEXT));
    }
    let has = |is: fn(&ContentBlock) -> bool| content.iter().filter_map(OutBlock::block).any(is);
    if role == Role::User
        && has(|block| matches!(block, ContentBlock::Document(_)))
        && !has(|block| matches!(block, ContentBlock::Text(_)))
    {
        content.insert(0, OutBlock::Words(placeholder::DOCUMENT));
    }
    with_points_in_place(content)
}

/// A cache point may neither begin a message, nor follow another one or a document that is no PDF: it goes back to where it
/// may be, or is left out.
fn with_points_in_place(content: Vec<OutBlock<'_>>) -> Vec<OutBlock<'_>> {
    let mut placed: Vec<OutBlock<'_>> = Vec::with_capacity(content.len());
    for block in content {
        if !block.is_cache_point() {
            placed.push(block);
            continue;
        }
        let at = placed.iter().rposition(|before| !before.is_non_pdf_document()).map(|at| at + 1);
        if let Some(at) = at.filter(|at| placed.get(at - 1).is_some_and(|before| !before.is_cache_point())) {
            placed.insert(at, block);
        }
    }
    placed
}

/// A block of an assistant message. Only media that Bedrock's own model made go back as such.
pub(crate) fn said<'a>(message: &Message, block: Cow<'a, ContentBlock>) -> OutBlock<'a> {
    let is_own = message.metadata.as_ref().and_then(|known| known.provider.as_deref()) == Some(PROVIDER);
    match &*block {
        ContentBlock::Image(_) | ContentBlock::Document(_) | ContentBlock::Video(_) | ContentBlock::Audio(_)
            if message.role == Role::Assistant && !is_own =>
        {
            OutBlock::Words(placeholder::MODEL_MEDIA)
        }
        _ => OutBlock::of(block),
    }
}

/// The parts of a tool result that are sent, with a text where nothing is left, or where a document has no text beside it.
pub(crate) fn result_parts(result: &ToolResult) -> Vec<Cow<'_, ToolResultContent>> {
    let mut parts: Vec<_> = result.content.iter().filter(|part| is_result_sent(part)).map(Cow::Borrowed).collect();
    let has = |is: fn(&ToolResultContent) -> bool| parts.iter().any(|part| is(part));
    let added = if parts.is_empty() {
        Some(placeholder::of_result(result))
    } else if has(|part| matches!(part, ToolResultContent::Document(_)))
        && !has(|part| matches!(part, ToolResultContent::Text(_) | ToolResultContent::Json(_)))
    {
        Some(placeholder::DOCUMENT)
    } else {
        None
    };
    if let Some(added) = added {
        parts.insert(0, Cow::Owned(added.into()));
    }
    parts
}

/// The pieces of a system prompt that are sent: text that is not blank, and cache points behind it.
pub(crate) fn system(blocks: &[SystemBlock]) -> impl Iterator<Item = &SystemBlock> {
    let mut may_be_cached = false;
    blocks.iter().filter(move |block| {
        let is_sent = match block {
            SystemBlock::Text(text) => !text.trim().is_empty(),
            _ => may_be_cached,
        };
        if is_sent {
            may_be_cached = matches!(block, SystemBlock::Text(_));
        }
        is_sent
    })
}
