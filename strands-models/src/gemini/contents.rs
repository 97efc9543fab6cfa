//! Messages in Gemini's form: contents that consist of parts.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::message::{ContentBlock, Message, ReasoningContent, Role, ToolUse};
use strands_core::models::outgoing_content;

use super::PROVIDER;
use super::media::{FileData, InlineData, MediaKind, Medium, audio_mime, document_mime, image_mime, video_mime};
use super::media_signatures;
use super::model_catalog::Traits;
use super::text_signatures::{self, TextSignature};
use super::tool_results::{FunctionResponse, append_tool_results};

/// Placeholder signature for calls of other models, since Gemini rejects calls without a signature ([documented][doc]).
///
/// [doc]: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
const UNSIGNED: &str = "skip_thought_signature_validator";

/// A message as a list of one content, or an empty list for a message without parts, which Gemini rejects.
pub(super) struct OutgoingMessage<'a> {
    pub(super) message: &'a Message,
    /// The conversation, for the tool names of the results' calls. Serialized messages stay valid when it changes: a call
    /// keeps its name.
    pub(super) messages: &'a [Arc<Message>],
    pub(super) traits: Traits,
}

impl Serialize for OutgoingMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { message, messages, traits } = *self;
        let role = if message.role == Role::Assistant { "model" } else { "user" };
        // Fast path: most messages of a long conversation are one text.
        if let [ContentBlock::Text(text)] = message.content.as_slice()
            && !text.text.trim().is_empty()
        {
            return serializer.collect_seq([Content { role, parts: [OnlyText { text: &text.text }] }]);
        }
        let blocks: Vec<_> = outgoing_content(message, PROVIDER).collect();
        let parts = match message.role {
            Role::Assistant => assistant_parts(&blocks, traits),
            Role::User => user_parts(&blocks, preceding(message, messages), traits),
        };
        serializer.collect_seq((!parts.is_empty()).then_some(Content { role, parts }))
    }
}

/// Returns the messages before a message with tool results.
fn preceding<'a>(message: &Message, messages: &'a [Arc<Message>]) -> &'a [Arc<Message>] {
    if message.tool_results().next().is_none() {
        return &[];
    }
    // The search starts at the end: the message is usually the last one.
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
    /// A part of another kind, unchanged.
    Other(&'a Value),
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

    /// Sets the signature of inline media.
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

    fn reasoning(reasoning: &'a ReasoningContent) -> Option<Self> {
        // Encrypted reasoning is unreadable for Gemini, so only the text is sent.
        let content = reasoning.reasoning_text.as_ref()?;
        let signature = content.signature.as_deref().filter(|signature| is_signature(signature));
        if content.text.is_empty() && signature.is_none() {
            return None;
        }
        let text = Some(Cow::Borrowed(content.text.as_str()));
        Some(KnownPart { text, thought: true, thought_signature: signature, ..KnownPart::default() }.into_part())
    }

    fn call(call: &'a ToolUse) -> Self {
        static NO_ARGUMENTS: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));

        // Gemini accepts only objects, and a call with other arguments never ran.
        let args = if call.input.is_object() { &call.input } else { &*NO_ARGUMENTS };
        let signature = call.reasoning_signature.as_deref().filter(|signature| is_signature(signature));
        let call = FunctionCall { id: &call.tool_use_id, name: &call.name, args };
        KnownPart { function_call: Some(call), thought_signature: signature, ..KnownPart::default() }.into_part()
    }

    /// The medium, or a note for a medium that can't be sent.
    fn medium_or_note(medium: Option<Medium<'a>>, kind: MediaKind) -> Self {
        medium.map_or_else(|| Self::text(kind.stored_elsewhere()), Self::medium)
    }

    /// Converts media and guarded content of either role.
    fn of_block(block: &'a ContentBlock) -> Option<Self> {
        Some(match block {
            ContentBlock::Image(image) => {
                Self::medium_or_note(Medium::new(image_mime(&image.format), &image.source), MediaKind::Image)
            }
            ContentBlock::Document(document) => {
                let mime = document_mime(document.format.as_ref());
                Self::medium_or_note(Medium::new(mime, &document.source), MediaKind::Document)
            }
            ContentBlock::Video(video) => {
                Self::medium_or_note(Medium::new(video_mime(&video.format), &video.source), MediaKind::Video)
            }
            ContentBlock::Audio(audio) => {
                Self::medium_or_note(Medium::new(audio_mime(&audio.format), &audio.source), MediaKind::Audio)
            }
            ContentBlock::GuardContent(guarded) => match (&guarded.text, &guarded.image) {
                (Some(text), _) => Self::text(text.text.as_str()),
                (None, Some(image)) => {
                    Self::medium_or_note(Medium::new(image_mime(&image.format), &image.source), MediaKind::Image)
                }
                (None, None) => return None,
            },
            _ => return None,
        })
    }
}

/// Returns the text of a text block or a block with citations.
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

/// Converts the blocks of a user message: tool results first, then the rest.
fn user_parts<'a>(blocks: &'a [Cow<'a, ContentBlock>], preceding: &'a [Arc<Message>], traits: Traits) -> Vec<Part<'a>> {
    let mut parts = Vec::with_capacity(blocks.len());
    let results = blocks.iter().filter_map(|block| match &**block {
        ContentBlock::ToolResult(result) => Some(result),
        _ => None,
    });
    // Gemini requires one response per call, all in a row.
    append_tool_results(results, preceding, traits.nested_media(), &mut parts);
    for block in blocks {
        match text_of(block) {
            Some(text) if text.is_empty() => {}
            Some(text) => parts.push(Part::text(text)),
            None => parts.extend(Part::of_block(block)),
        }
    }
    parts
}

/// Converts the blocks of an assistant message.
fn assistant_parts<'a>(blocks: &'a [Cow<'a, ContentBlock>], traits: Traits) -> Vec<Part<'a>> {
    let mut parts = Vec::with_capacity(blocks.len());
    let mut rest = blocks.iter().peekable();
    while let Some(block) = rest.next() {
        if let Some(text) = text_of(block) {
            let mut signatures = Vec::new();
            while let Some(signed) = rest.peek().and_then(|next| text_signature(next)) {
                signatures.push(signed);
                rest.next();
            }
            match text {
                Cow::Borrowed(text) => {
                    parts.extend(text_signatures::split_text(text, &signatures).into_iter().map(Part::signed_text));
                }
                // Only other providers make text of several citations, and it has no signatures.
                Cow::Owned(text) => parts.push(Part::text(text)),
            }
            continue;
        }
        match &**block {
            ContentBlock::Reasoning(reasoning) => parts.extend(Part::reasoning(reasoning)),
            ContentBlock::ToolUse(call) => parts.push(Part::call(call)),
            // The signature of a medium that is no longer in the message.
            ContentBlock::Provider(provider) if media_signatures::signature(&provider.content).is_some() => {}
            ContentBlock::Provider(provider) => match TextSignature::read(&provider.content) {
                // The signature of a text that is no longer in the message.
                Some(signed) => {
                    parts.extend(text_signatures::split_text("", &[signed]).into_iter().map(Part::signed_text));
                }
                None => parts.push(Part::Other(&provider.content)),
            },
            block => {
                let signature = rest.peek().and_then(|next| media_signature(next));
                if signature.is_some() {
                    rest.next();
                }
                parts.extend(Part::of_block(block).map(|part| part.signed(signature)));
            }
        }
    }
    if traits.signs_calls {
        mark_unsigned_calls(&mut parts);
    }
    parts
}

/// Returns the signature in a block after its text.
fn text_signature(block: &ContentBlock) -> Option<TextSignature<'_>> {
    match block {
        ContentBlock::Provider(provider) => TextSignature::read(&provider.content),
        _ => None,
    }
}

/// Returns the signature in a block after its medium.
fn media_signature(block: &ContentBlock) -> Option<&str> {
    match block {
        ContentBlock::Provider(provider) => media_signatures::signature(&provider.content),
        _ => None,
    }
}

/// Adds the placeholder signature to the first call if none is signed, which means that another model made them.
fn mark_unsigned_calls(parts: &mut [Part<'_>]) {
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

/// True for text in the form of a signature (base64). Gemini rejects the conversation for any other, and a history without
/// a provider name may have signatures of other providers.
fn is_signature(signature: &str) -> bool {
    let text = signature.trim_end_matches('=');
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    !text.is_empty() && signature.len() - text.len() <= 2 && text.bytes().all(in_alphabet)
}
