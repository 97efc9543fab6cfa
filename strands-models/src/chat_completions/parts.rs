//! Parts of messages in Chat Completions. They are serialized without an intermediate copy, since each request contains
//! the conversation.

use std::borrow::Cow;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use strands_core::message::{ContentBlock, Message, ReasoningContent, ToolUse};
use strands_core::models::{outgoing_content, placeholder};

use super::content::{AudioForm, Displayed, Part, arguments};
use super::dialect::Dialect;
use super::reasoning::ReasoningReplay;

/// Returns the part of a block. Provider content is a part only for its own provider.
fn part<'a>(block: &'a ContentBlock, dialect: &Dialect) -> Option<Part<'a>> {
    match block {
        ContentBlock::Provider(own) if own.provider == dialect.provider => Some(Part::Own(&own.content)),
        block => Part::of_block(block, &dialect.media),
    }
}

pub(super) fn is_part(block: &ContentBlock, dialect: &Dialect) -> bool {
    part(block, dialect).is_some()
}

/// Returns true for an image that is sent among the images of a message, not among its parts.
pub(super) fn is_image(block: &ContentBlock) -> bool {
    Part::of_image(block).is_some()
}

/// Returns true for a response of this server.
pub(super) fn is_own(message: &Message, dialect: &Dialect) -> bool {
    message.metadata.as_ref().and_then(|known| known.provider.as_deref()) == Some(&dialect.provider)
}

pub(super) struct UserParts<'a>(pub(super) &'a [Cow<'a, ContentBlock>], pub(super) &'a Dialect);

impl Serialize for UserParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(outgoing, dialect) = self;
        let mut parts = outgoing.iter().filter_map(|block| part(block, dialect));
        // The older form of one text, which all servers accept, is shorter.
        if let (Some(Part::Text(only)), None) = (parts.next(), parts.next()) {
            return serializer.serialize_str(&only);
        }
        let parts = outgoing.iter().filter_map(|block| part(block, dialect));
        serializer.collect_seq(parts.map(|part| PartJson(part, dialect)))
    }
}

pub(super) struct AssistantParts<'a>(pub(super) &'a Message, pub(super) &'a Dialect);

impl Serialize for AssistantParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(message, dialect) = self;
        let thinks = has_thinking(message, dialect);
        if !thinks {
            let own = is_own(message, dialect);
            let mut outgoing = outgoing_content(message, &dialect.provider)
                .filter(|block| is_part(block, dialect) && !(own && is_image(block)));
            if let (Some(only), None) = (outgoing.next(), outgoing.next())
                && let Some(Part::Text(only)) = part(&only, dialect)
            {
                return serializer.serialize_str(&only);
            }
        }
        let mut parts = serializer.serialize_seq(None)?;
        for block in outgoing_content(message, &dialect.provider) {
            if let ContentBlock::Reasoning(thought) = &*block {
                if let Some(thought) = thinking(thought).filter(|_| thinks) {
                    parts.serialize_element(&thought)?;
                }
                continue;
            }
            if is_own(message, dialect) && is_image(&block) {
                continue;
            }
            let part = match part(&block, dialect) {
                None => continue,
                Some(part @ (Part::Text(_) | Part::Own(_))) => part,
                Some(_) => Part::Text(Cow::Borrowed(placeholder::MODEL_MEDIA)),
            };
            parts.serialize_element(&PartJson(part, dialect))?;
        }
        parts.end()
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "thinking")]
struct Thinking<'a> {
    thinking: [ThinkingText<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "text")]
struct ThinkingText<'a> {
    text: &'a str,
}

fn thinking(thought: &ReasoningContent) -> Option<Thinking<'_>> {
    let thought = thought.reasoning_text.as_ref()?;
    Some(Thinking { thinking: [ThinkingText { text: &thought.text }], signature: thought.signature.as_deref() })
}

/// Returns true if reasoning is sent back in the content. Reasoning of a message without a provider is another model's.
pub(super) fn has_thinking(message: &Message, dialect: &Dialect) -> bool {
    dialect.replay == ReasoningReplay::Parts
        && is_own(message, dialect)
        && message
            .content
            .iter()
            .any(|block| matches!(block, ContentBlock::Reasoning(thought) if thought.reasoning_text.is_some()))
}

pub(super) struct Calls<'a>(pub(super) &'a Message, pub(super) &'a Dialect);

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(message, dialect) = self;
        let mut calls = serializer.serialize_seq(None)?;
        for block in outgoing_content(message, &dialect.provider) {
            if let ContentBlock::ToolUse(call) = &*block {
                calls.serialize_element(&CallJson(call, dialect))?;
            }
        }
        calls.end()
    }
}

/// Part in the JSON of the server.
pub(super) struct PartJson<'a>(pub(super) Part<'a>, pub(super) &'a Dialect);

impl Serialize for PartJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        enum Wire<'a> {
            Text { text: &'a str },
            ImageUrl { image_url: ImageUrl<'a> },
            File { file: File<'a> },
            DocumentUrl { document_url: Displayed<'a>, document_name: &'a str },
            InputAudio { input_audio: Audio<'a> },
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum ImageUrl<'a> {
            Object { url: Displayed<'a>, detail: &'static str },
            Url(Displayed<'a>),
        }
        #[derive(Serialize)]
        struct File<'a> {
            file_data: Displayed<'a>,
            filename: &'a str,
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Audio<'a> {
            Named { data: Displayed<'a>, format: &'a str },
            Bare(Displayed<'a>),
        }
        let Self(part, dialect) = self;
        let media = &dialect.media;
        match part {
            Part::Text(text) => Wire::Text { text },
            Part::Image(url) if media.image_objects => {
                Wire::ImageUrl { image_url: ImageUrl::Object { url: Displayed(url), detail: "auto" } }
            }
            Part::Image(url) => Wire::ImageUrl { image_url: ImageUrl::Url(Displayed(url)) },
            Part::Link(url) => Wire::ImageUrl { image_url: ImageUrl::Object { url: Displayed(url), detail: "auto" } },
            Part::File { name, data } if media.documents == super::DocumentForm::Urls => {
                Wire::DocumentUrl { document_url: Displayed(data), document_name: name }
            }
            Part::File { name, data } => Wire::File { file: File { file_data: Displayed(data), filename: name } },
            Part::Audio(format, bytes) => {
                let data = Base64Display::new(bytes, &STANDARD);
                let input_audio = match media.audio {
                    AudioForm::Named => Audio::Named { data: Displayed(&data), format },
                    AudioForm::Bare => Audio::Bare(Displayed(&data)),
                };
                return Wire::InputAudio { input_audio }.serialize(serializer);
            }
            Part::Own(content) => return content.serialize(serializer),
        }
        .serialize(serializer)
    }
}

struct CallJson<'a>(&'a ToolUse, &'a Dialect);

impl Serialize for CallJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            id: Cow<'a, str>,
            r#type: &'static str,
            function: Function<'a>,
        }
        #[derive(Serialize)]
        struct Function<'a> {
            name: &'a str,
            arguments: String,
        }
        let Self(call, dialect) = self;
        let function = Function { name: &call.name, arguments: arguments(&call.input) };
        Wire { id: dialect.call_id(&call.tool_use_id), r#type: "function", function }.serialize(serializer)
    }
}
