//! Checks of messages that an invocation adds to the conversation.

use super::checking::{Blocked, Checks};
use super::results::check_result_content;
use crate::message::{ContentBlock, Message};

/// Checks the texts of messages, and changes them.
pub(super) async fn check_messages(checks: &mut Checks<'_>, messages: &mut [Message]) -> Result<(), Blocked> {
    for block in messages.iter_mut().flat_map(|message| &mut message.content) {
        check_block(checks, block).await?;
    }
    Ok(())
}

async fn check_block(checks: &mut Checks<'_>, block: &mut ContentBlock) -> Result<(), Blocked> {
    match block {
        ContentBlock::Text(block) => {
            checks.text(&mut block.text).await?;
        }
        ContentBlock::GuardContent(content) => {
            if let Some(guarded) = &mut content.text {
                checks.text(&mut guarded.text).await?;
            }
        }
        ContentBlock::Citations(cited) => {
            for part in &mut cited.content {
                checks.text(&mut part.text).await?;
            }
            for citation in &mut cited.citations {
                checks.citation(citation).await?;
            }
        }
        ContentBlock::ToolUse(call) => {
            checks.json(&mut call.input).await?;
        }
        ContentBlock::ToolResult(result) => check_result_content(checks, &mut result.content).await?,
        ContentBlock::Reasoning(reasoning) => {
            if let Some(text) = &mut reasoning.reasoning_text
                && checks.text(&mut text.text).await?
            {
                text.signature = None;
            }
        }
        ContentBlock::Provider(content) => {
            checks.json(&mut content.content).await?;
        }
        ContentBlock::Unknown(fields) => {
            checks.fields(fields).await?;
        }
        ContentBlock::Image(_)
        | ContentBlock::Document(_)
        | ContentBlock::Video(_)
        | ContentBlock::Audio(_)
        | ContentBlock::CachePoint(_) => {}
    }
    Ok(())
}

/// Replaces the content of blocked messages. Calls and results stay in pairs.
pub(super) fn replace_messages(messages: &mut [Message], replacement: &str) {
    for message in messages {
        message.content.retain(|block| matches!(block, ContentBlock::ToolUse(_) | ContentBlock::ToolResult(_)));
        for block in &mut message.content {
            match block {
                ContentBlock::ToolUse(call) => call.input = serde_json::json!({}),
                ContentBlock::ToolResult(result) => result.content = vec![replacement.into()],
                _ => {}
            }
        }
        if message.content.is_empty() {
            message.content.push(ContentBlock::text(replacement));
        }
    }
}
