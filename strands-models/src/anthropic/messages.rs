//! The conversation at the end of a request's body. A message is written once, and anew only where it is marked or where
//! what is written of it hangs on the rest: a request that goes on from an earlier one begins with its bytes.

use std::borrow::Cow;

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use strands_core::message::{ContentBlock, Message, Role};
use strands_core::models::{MessageSerializer, ModelError, ModelRequest, outgoing_content, placeholder};

use super::PROVIDER;
use super::blocks::{Outgoing, is_sent, is_thought};
use super::plan::Plan;
use super::request::Text;
use crate::http::{self, Conversation};

/// Puts the conversation behind the other fields of a body.
///
/// # Errors
///
/// [`ModelError::InvalidRequest`] for content that has no JSON.
pub(super) fn append(
    body: &mut Vec<u8>,
    request: &ModelRequest<'_>,
    plan: &Plan,
    serializer: MessageSerializer,
) -> Result<(), ModelError> {
    let (settled, rest) = request.messages.split_at_checked(plan.settled(request.messages.len())).unwrap_or_default();
    let settled_conversation = Conversation { messages: settled, serialized: request.serialized, serializer };
    settled_conversation.append(body, "messages", None::<&Text<'_>>, |bytes, message| {
        serde_json::to_writer(bytes, &[Said::new(message, None, plan)])
    })?;
    if rest.is_empty() {
        return Ok(());
    }
    // The list is opened again.
    body.truncate(body.len().saturating_sub(2));
    for (at, message) in rest.iter().enumerate() {
        let number = settled.len() + at;
        if number > 0 {
            body.push(b',');
        }
        let said = Said { instruction: plan.instruction_in(number), ..Said::new(message, Some(number), plan) };
        body.extend_from_slice(&http::body(&said)?);
    }
    body.extend_from_slice(b"]}");
    Ok(())
}

/// A message as it is sent.
struct Said<'a> {
    message: &'a Message,
    /// Its place in the conversation, where something may be marked in it.
    number: Option<usize>,
    /// What is said at its end.
    instruction: Option<&'a str>,
    plan: &'a Plan,
}

impl<'a> Said<'a> {
    fn new(message: &'a Message, number: Option<usize>, plan: &'a Plan) -> Self {
        Self { message, number, instruction: None, plan }
    }
}

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut said = serializer.serialize_struct("Said", 2)?;
        said.serialize_field("role", &self.message.role)?;
        said.serialize_field("content", &Content(self))?;
        said.end()
    }
}

struct Content<'a>(&'a Said<'a>);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut blocks = serializer.serialize_seq(None)?;
        let is_said = match self.0.message.role {
            Role::User => self.0.user(&mut blocks)?,
            Role::Assistant => self.0.assistant(&mut blocks)?,
        };
        let more = self.0.instruction.or((!is_said).then_some(placeholder::BLANK_TEXT));
        if let Some(more) = more {
            blocks.serialize_element(&Text::new(more, None))?;
        }
        blocks.end()
    }
}

impl Said<'_> {
    /// What a user said: the results of tools come first, as they must. True if there was something.
    fn user<S: SerializeSeq>(&self, blocks: &mut S) -> Result<bool, S::Error> {
        let heard: Vec<_> = outgoing_content(self.message, PROVIDER).filter(|block| is_sent(block)).collect();
        for results in [true, false] {
            for block in heard.iter().filter(|block| matches!(***block, ContentBlock::ToolResult(_)) == results) {
                blocks.serialize_element(&self.outgoing(self.place(block), block))?;
            }
        }
        Ok(!heard.is_empty())
    }

    /// What the model said, without thoughts that led to nothing: no message may end with them. True if there was
    /// something.
    fn assistant<S: SerializeSeq>(&self, blocks: &mut S) -> Result<bool, S::Error> {
        let mut held: Vec<Cow<'_, ContentBlock>> = Vec::new();
        let mut said = false;
        for block in outgoing_content(self.message, PROVIDER).filter(|block| is_sent(block)) {
            if is_thought(&block) {
                if self.plan.with_thoughts {
                    held.push(block);
                }
                continue;
            }
            for thought in held.drain(..) {
                blocks.serialize_element(&self.outgoing(None, &thought))?;
            }
            blocks.serialize_element(&self.outgoing(self.place(&block), &block))?;
            said = true;
        }
        Ok(said)
    }

    /// The place of a block in the message, where something may be marked in it.
    fn place(&self, block: &ContentBlock) -> Option<usize> {
        self.number.filter(|number| self.plan.marks.are_in(*number))?;
        self.message.content.iter().position(|own| match (block, own) {
            // One that is sent otherwise than it was said is another block.
            (ContentBlock::ToolResult(sent), ContentBlock::ToolResult(own)) => sent.tool_use_id == own.tool_use_id,
            _ => std::ptr::eq(own, block),
        })
    }

    fn outgoing<'b>(&self, at: Option<usize>, block: &'b ContentBlock) -> Outgoing<'b> {
        let mark = self.number.zip(at).and_then(|(number, at)| self.plan.marks.of_block(number, at));
        Outgoing { block, mark, documents: self.plan.documents.unwrap_or_default() }
    }
}

/// The content of an answer that has paused, as it goes back to be continued: all of it, whatever it ends with.
pub(super) fn given_back(message: &Message) -> impl Iterator<Item = Outgoing<'_>> {
    let blocks = message.content.iter().filter(|block| is_sent(block));
    blocks.map(|block| Outgoing { block, mark: None, documents: u64::MAX })
}
