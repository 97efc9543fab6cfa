//! The conversation as Gemini reads it: contents of parts.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::message::{ContentBlock, Message, ReasoningContent, Role, ToolUse};
use strands_core::models::outgoing_content;

use super::PROVIDER;
use super::known::Traits;
use super::media::{FileData, InlineData, Kind, Medium, audio_mime, document_mime, image_mime, video_mime};
use super::results::{FunctionResponse, results};
use super::signed_media;
use super::signed_text::{self, Signed};

/// Stands for the signature of a call that Gemini did not make, where it refuses calls without one ([documented][doc]).
///
/// [doc]: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
const UNSIGNED: &str = "skip_thought_signature_validator";

/// What a message is sent as: a list of one content, or of none where nothing is left of it, since one without parts is
/// refused.
pub(super) struct Sent<'a> {
    pub(super) message: &'a Message,
    /// The conversation, which has the names of the calls that the message answers. It is no part of what is sent: a call
    /// keeps its name whatever becomes of the conversation.
    pub(super) messages: &'a [Arc<Message>],
    pub(super) traits: Traits,
}

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { message, messages, traits } = *self;
        let role = if message.role == Role::Assistant { "model" } else { "user" };
        // What most of a long conversation is.
        if let [ContentBlock::Text(text)] = message.content.as_slice()
            && !text.text.trim().is_empty()
        {
            return serializer.collect_seq([Content { role, parts: [OnlyText { text: &text.text }] }]);
        }
        let blocks: Vec<_> = outgoing_content(message, PROVIDER).collect();
        let parts = match message.role {
            Role::Assistant => said(&blocks, traits),
            Role::User => heard(&blocks, before(message, messages), traits),
        };
        serializer.collect_seq((!parts.is_empty()).then_some(Content { role, parts }))
    }
}

/// The conversation before a message that answers calls.
fn before<'a>(message: &Message, messages: &'a [Arc<Message>]) -> &'a [Arc<Message>] {
    if message.tool_results().next().is_none() {
        return &[];
    }
    // It is mostly the last one.
    let at = messages.iter().rposition(|other| std::ptr::eq(&**other, message));
    at.and_then(|at| messages.get(..at)).unwrap_or(messages)
}

#[derive(Serialize)]
struct Content<P> {
    role: &'static str,
    parts: P,
}

#[derive(Serialize)]
struct OnlyText<'a> {
    text: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Part<'a> {
    Known(Box<KnownPart<'a>>),
    /// A part as Gemini sent it.
    Own(&'a Value),
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KnownPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<InlineData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<FileData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    args: &'a Value,
}

impl<'a> KnownPart<'a> {
    fn into_part(self) -> Part<'a> {
        Part::Known(Box::new(self))
    }
}

impl<'a> Part<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        KnownPart { text: Some(text.into()), ..KnownPart::default() }.into_part()
    }

    fn signed_text((text, signature): (&'a str, Option<&'a str>)) -> Self {
        KnownPart { text: Some(text.into()), thought_signature: signature, ..KnownPart::default() }.into_part()
    }

    /// A medium with its signature.
    fn signed(mut self, signature: Option<&'a str>) -> Self {
        if let Self::Known(known) = &mut self
            && known.inline_data.is_some()
        {
            known.thought_signature = signature;
        }
        self
    }

    pub(super) fn medium(medium: Medium<'a>) -> Self {
        match medium {
            Medium::Inline(data) => KnownPart { inline_data: Some(data), ..KnownPart::default() },
            Medium::File(data) => KnownPart { file_data: Some(data), ..KnownPart::default() },
        }
        .into_part()
    }

    pub(super) fn response(response: FunctionResponse<'a>) -> Self {
        KnownPart { function_response: Some(response), ..KnownPart::default() }.into_part()
    }

    fn thought(reasoning: &'a ReasoningContent) -> Option<Self> {
        // Nobody can read what is encrypted for another.
        let thought = reasoning.reasoning_text.as_ref()?;
        let signature = thought.signature.as_deref().filter(|signature| is_signature(signature));
        if thought.text.is_empty() && signature.is_none() {
            return None;
        }
        let text = Some(Cow::Borrowed(thought.text.as_str()));
        Some(KnownPart { text, thought: true, thought_signature: signature, ..KnownPart::default() }.into_part())
    }

    fn call(call: &'a ToolUse) -> Self {
        static NO_ARGUMENTS: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));

        // A call whose arguments were no JSON object never ran, and Gemini takes nothing else.
        let args = if call.input.is_object() { &call.input } else { &*NO_ARGUMENTS };
        let signature = call.reasoning_signature.as_deref().filter(|signature| is_signature(signature));
        let call = FunctionCall { id: &call.tool_use_id, name: &call.name, args };
        KnownPart { function_call: Some(call), thought_signature: signature, ..KnownPart::default() }.into_part()
    }

    /// A medium, or what is said in its place.
    fn medium_or_note(medium: Option<Medium<'a>>, kind: Kind) -> Self {
        medium.map_or_else(|| Self::text(kind.stored_elsewhere()), Self::medium)
    }

    /// A block that anybody may have said, apart from text.
    fn of_block(block: &'a ContentBlock) -> Option<Self> {
        Some(match block {
            ContentBlock::Image(image) => {
                Self::medium_or_note(Medium::new(image_mime(&image.format), &image.source), Kind::Image)
            }
            ContentBlock::Document(document) => {
                let mime = document_mime(document.format.as_ref());
                Self::medium_or_note(Medium::new(mime, &document.source), Kind::Document)
            }
            ContentBlock::Video(video) => {
                Self::medium_or_note(Medium::new(video_mime(&video.format), &video.source), Kind::Video)
            }
            ContentBlock::Audio(audio) => {
                Self::medium_or_note(Medium::new(audio_mime(&audio.format), &audio.source), Kind::Audio)
            }
            ContentBlock::GuardContent(guarded) => match (&guarded.text, &guarded.image) {
                (Some(text), _) => Self::text(text.text.as_str()),
                (None, Some(image)) => {
                    Self::medium_or_note(Medium::new(image_mime(&image.format), &image.source), Kind::Image)
                }
                (None, None) => return None,
            },
            _ => return None,
        })
    }
}

/// What a text block says, with or without citations.
fn text_of(block: &ContentBlock) -> Option<Cow<'_, str>> {
    match block {
        ContentBlock::Text(text) => Some(Cow::Borrowed(&text.text)),
        ContentBlock::Citations(cited) => Some(match cited.content.as_slice() {
            [only] => Cow::Borrowed(only.text.as_str()),
            parts => Cow::Owned(parts.iter().map(|part| part.text.as_str()).collect()),
        }),
        _ => None,
    }
}

/// What the user said, and what tools answered.
fn heard<'a>(blocks: &'a [Cow<'a, ContentBlock>], before: &'a [Arc<Message>], traits: Traits) -> Vec<Part<'a>> {
    let mut parts = Vec::with_capacity(blocks.len());
    let answers = blocks.iter().filter_map(|block| match &**block {
        ContentBlock::ToolResult(result) => Some(result),
        _ => None,
    });
    // Gemini wants as many answers as there were calls, one behind the other.
    results(answers, before, traits.nested_media(), &mut parts);
    for block in blocks {
        match text_of(block) {
            Some(text) if text.is_empty() => {}
            Some(text) => parts.push(Part::text(text)),
            None => parts.extend(Part::of_block(block)),
        }
    }
    parts
}

/// What the model said.
fn said<'a>(blocks: &'a [Cow<'a, ContentBlock>], traits: Traits) -> Vec<Part<'a>> {
    let mut parts = Vec::with_capacity(blocks.len());
    let mut rest = blocks.iter().peekable();
    while let Some(block) = rest.next() {
        if let Some(text) = text_of(block) {
            let mut signatures = Vec::new();
            while let Some(signed) = rest.peek().and_then(|next| signature_of(next)) {
                signatures.push(signed);
                rest.next();
            }
            match text {
                Cow::Borrowed(text) => {
                    parts.extend(signed_text::parts(text, &signatures).into_iter().map(Part::signed_text));
                }
                // Only a history of another's has text in several pieces, and nobody has signed that.
                Cow::Owned(text) => parts.push(Part::text(text)),
            }
            continue;
        }
        match &**block {
            ContentBlock::Reasoning(reasoning) => parts.extend(Part::thought(reasoning)),
            ContentBlock::ToolUse(call) => parts.push(Part::call(call)),
            // Its medium is gone.
            ContentBlock::Provider(own) if signed_media::signature(&own.content).is_some() => {}
            ContentBlock::Provider(own) => match Signed::read(&own.content) {
                // Its text is gone.
                Some(signed) => parts.extend(signed_text::parts("", &[signed]).into_iter().map(Part::signed_text)),
                None => parts.push(Part::Own(&own.content)),
            },
            block => {
                let signature = rest.peek().and_then(|next| media_signature_of(next));
                if signature.is_some() {
                    rest.next();
                }
                parts.extend(Part::of_block(block).map(|part| part.signed(signature)));
            }
        }
    }
    if traits.signs_calls {
        sign(&mut parts);
    }
    parts
}

/// The signature that stands behind its text.
fn signature_of(block: &ContentBlock) -> Option<Signed<'_>> {
    match block {
        ContentBlock::Provider(own) => Signed::read(&own.content),
        _ => None,
    }
}

/// The signature that stands behind its medium.
fn media_signature_of(block: &ContentBlock) -> Option<&str> {
    match block {
        ContentBlock::Provider(own) => signed_media::signature(&own.content),
        _ => None,
    }
}

/// Calls of one step of which none is signed were made by somebody else: the first of them is marked so.
fn sign(parts: &mut [Part<'_>]) {
    let calls = parts.iter_mut().filter_map(|part| match part {
        Part::Known(known) if known.function_call.is_some() => Some(known),
        _ => None,
    });
    let mut calls: Vec<_> = calls.collect();
    if calls.iter().all(|call| call.thought_signature.is_none())
        && let Some(first) = calls.first_mut()
    {
        first.thought_signature = Some(UNSIGNED);
    }
}

/// True for what has the form of a signature. Anything else makes Gemini refuse the whole conversation, and a history
/// whose provider nobody has named may have the signatures of others.
fn is_signature(signature: &str) -> bool {
    let text = signature.trim_end_matches('=');
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    !text.is_empty() && signature.len() - text.len() <= 2 && text.bytes().all(in_alphabet)
}
