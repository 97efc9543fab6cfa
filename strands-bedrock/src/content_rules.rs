//! Content that Bedrock rejects, and the content that is sent in its place. Without these rules, a rejected tool result or
//! prompt would stay in the history and fail every later request.

use std::borrow::Cow;

use strands_core::message::{ContentBlock, Message, Role, SystemBlock, ToolResult, ToolResultContent};
use strands_core::models::placeholder;

use crate::PROVIDER;
use crate::turns::{OutBlock, is_result_sent};

/// Returns the content of a message in a form that Bedrock accepts: not empty, with text next to documents, and with cache
/// points only in allowed positions.
pub(crate) fn allowed<'a>(role: Role, mut content: Vec<OutBlock<'a>>) -> Vec<OutBlock<'a>> {
    if content.iter().all(OutBlock::is_cache_point) {
        content.insert(0, OutBlock::FixedText(placeholder::BLANK_TEXT));
    }
    let has = |is: fn(&ContentBlock) -> bool| content.iter().filter_map(OutBlock::block).any(is);
    if role == Role::User
        && has(|block| matches!(block, ContentBlock::Document(_)))
        && !has(|block| matches!(block, ContentBlock::Text(_)))
    {
        content.insert(0, OutBlock::FixedText(placeholder::DOCUMENT));
    }
    with_allowed_cache_points(content)
}

/// Moves cache points to allowed positions. A point may not be the first block, and may not follow another point or a
/// document other than a PDF. It moves toward the start of the message, or is removed.
fn with_allowed_cache_points(content: Vec<OutBlock<'_>>) -> Vec<OutBlock<'_>> {
    if !content.iter().any(OutBlock::is_cache_point) {
        return content;
    }
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

/// Returns a block as it is sent. Media in assistant messages are sent only if a model on Bedrock generated them.
pub(crate) fn outgoing_block<'a>(message: &Message, block: Cow<'a, ContentBlock>) -> OutBlock<'a> {
    let is_from_bedrock = message.metadata.as_ref().and_then(|metadata| metadata.provider.as_deref()) == Some(PROVIDER);
    match &*block {
        ContentBlock::Image(_) | ContentBlock::Document(_) | ContentBlock::Video(_) | ContentBlock::Audio(_)
            if message.role == Role::Assistant && !is_from_bedrock =>
        {
            OutBlock::FixedText(placeholder::MODEL_MEDIA)
        }
        _ => OutBlock::of(block),
    }
}

/// Note in place of audio in a tool result.
const NO_AUDIO: &str = "[An audio clip that can't be played to this model.]";

/// Returns the parts of a tool result that are sent. A placeholder text is added if no part is left, or if there is a document
/// without text.
pub(crate) fn result_parts(result: &ToolResult) -> Vec<Cow<'_, ToolResultContent>> {
    let part = |part| match part {
        // Bedrock accepts audio of users only.
        &ToolResultContent::Audio(_) => Cow::Owned(NO_AUDIO.into()),
        part => Cow::Borrowed(part),
    };
    let mut parts: Vec<_> = result.content.iter().filter(|part| is_result_sent(part)).map(part).collect();
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

/// Returns the blocks of a system prompt that are sent: text that is not blank, and cache points after it.
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
