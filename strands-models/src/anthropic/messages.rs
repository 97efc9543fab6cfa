//! Conversation at the end of a request's body. Each message is serialized once, and again only if it has a cache point or
//! depends on the rest of the request, so that a request begins with the bytes of the previous one.

use std::borrow::Cow;

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use strands_core::message::{ContentBlock, Message, Role};
use strands_core::models::{MessageSerializer, ModelError, ModelRequest, outgoing_content, placeholder};

use super::PROVIDER;
use super::blocks::{OutgoingBlock, is_reasoning, is_sent};
use super::request::Text;
use super::request_plan::RequestPlan;
use crate::http::{self, Conversation};

/// Appends the conversation to the other fields of a body.
///
/// # Errors
///
/// Returns [`ModelError::InvalidRequest`] if the content can't be serialized as JSON.
pub(super) fn append(
    body: &mut Vec<u8>,
    request: &ModelRequest<'_>,
    plan: &RequestPlan,
    serializer: MessageSerializer,
) -> Result<(), ModelError> {
    let (settled, rest) = request.messages.split_at_checked(plan.settled(request.messages.len())).unwrap_or_default();
    let settled_conversation = Conversation { messages: settled, serialized: request.serialized, serializer };
    settled_conversation.append(body, "messages", None::<&Text<'_>>, |bytes, message| {
        serde_json::to_writer(bytes, &[OutgoingMessage::new(message, None, plan)])
    })?;
    if rest.is_empty() {
        return Ok(());
    }
    // Reopens the list.
    body.truncate(body.len().saturating_sub(2));
    for (at, message) in rest.iter().enumerate() {
        let number = settled.len() + at;
        if number > 0 {
            body.push(b',');
        }
        let message = OutgoingMessage {
            instruction: plan.instruction_in(number),
            ..OutgoingMessage::new(message, Some(number), plan)
        };
        body.extend_from_slice(&http::body(&message)?);
    }
    body.extend_from_slice(b"]}");
    Ok(())
}

/// A message to send.
struct OutgoingMessage<'a> {
    message: &'a Message,
    /// Index in the conversation, for messages that may have cache points.
    number: Option<usize>,
    /// Text to append.
    instruction: Option<&'a str>,
    plan: &'a RequestPlan,
}

impl<'a> OutgoingMessage<'a> {
    fn new(message: &'a Message, number: Option<usize>, plan: &'a RequestPlan) -> Self {
        Self { message, number, instruction: None, plan }
    }
}

impl Serialize for OutgoingMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("OutgoingMessage", 2)?;
        fields.serialize_field("role", &self.message.role)?;
        fields.serialize_field("content", &Content(self))?;
        fields.end()
    }
}

struct Content<'a>(&'a OutgoingMessage<'a>);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut blocks = serializer.serialize_seq(None)?;
        let has_content = match self.0.message.role {
            Role::User => self.0.user(&mut blocks)?,
            Role::Assistant => self.0.assistant(&mut blocks)?,
        };
        let appended = self.0.instruction.or((!has_content).then_some(placeholder::BLANK_TEXT));
        if let Some(text) = appended {
            blocks.serialize_element(&Text::new(text, None))?;
        }
        blocks.end()
    }
}

impl OutgoingMessage<'_> {
    /// Serializes a user message. Tool results come first, as the API requires. Returns false for an empty message.
    fn user<S: SerializeSeq>(&self, blocks: &mut S) -> Result<bool, S::Error> {
        let sent: Vec<_> = outgoing_content(self.message, PROVIDER).filter(|block| is_sent(block)).collect();
        for results in [true, false] {
            for block in sent.iter().filter(|block| matches!(***block, ContentBlock::ToolResult(_)) == results) {
                blocks.serialize_element(&self.outgoing(self.position(block), block))?;
            }
        }
        Ok(!sent.is_empty())
    }

    /// Serializes an assistant message without reasoning at its end, which the API rejects. Returns false for an empty
    /// message.
    fn assistant<S: SerializeSeq>(&self, blocks: &mut S) -> Result<bool, S::Error> {
        let mut pending: Vec<Cow<'_, ContentBlock>> = Vec::new();
        let mut has_content = false;
        for block in outgoing_content(self.message, PROVIDER).filter(|block| is_sent(block)) {
            if is_reasoning(&block) {
                if self.plan.with_reasoning {
                    pending.push(block);
                }
                continue;
            }
            for reasoning in pending.drain(..) {
                blocks.serialize_element(&self.outgoing(None, &reasoning))?;
            }
            blocks.serialize_element(&self.outgoing(self.position(&block), &block))?;
            has_content = true;
        }
        Ok(has_content)
    }

    /// Returns the index of a block in the message, for messages that may have cache points.
    fn position(&self, block: &ContentBlock) -> Option<usize> {
        self.number.filter(|number| self.plan.cache_points.are_in(*number))?;
        self.message.content.iter().position(|own| match (block, own) {
            // A block that is converted for sending is another value.
            (ContentBlock::ToolResult(sent), ContentBlock::ToolResult(own)) => sent.tool_use_id == own.tool_use_id,
            _ => std::ptr::eq(own, block),
        })
    }

    fn outgoing<'b>(&self, at: Option<usize>, block: &'b ContentBlock) -> OutgoingBlock<'b> {
        let mark = self.number.zip(at).and_then(|(number, at)| self.plan.cache_points.of_block(number, at));
        OutgoingBlock { block, mark, documents: self.plan.documents.unwrap_or_default() }
    }
}

/// Returns the content of a paused response to send back: all blocks, including the last one of any type.
pub(super) fn continued_blocks(message: &Message) -> impl Iterator<Item = OutgoingBlock<'_>> {
    let blocks = message.content.iter().filter(|block| is_sent(block));
    blocks.map(|block| OutgoingBlock { block, mark: None, documents: u64::MAX })
}
