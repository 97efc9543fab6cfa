//! Content of a message in Ollama's form: one text and a list of images. Content of other kinds is replaced with a note, so
//! that a conversation with another model can continue here.

use std::borrow::Cow;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;
use strands_core::message::{
    ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, MediaSource, SystemBlock, ToolResult, ToolResultContent,
};
use strands_core::models::placeholder;

/// Text and images of one message.
#[derive(Debug, Default)]
pub(super) struct MessageContent<'a> {
    pub(super) text: Option<Cow<'a, str>>,
    pub(super) images: Vec<Image>,
}

impl<'a> MessageContent<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_none() && self.images.is_empty()
    }

    /// Adds a block of a user or assistant message. Tool calls, tool results, reasoning and cache points are skipped.
    pub(super) fn push_block(&mut self, block: &'a ContentBlock) {
        match block {
            ContentBlock::Text(text) => self.push_line(Cow::Borrowed(&text.text)),
            ContentBlock::Image(image) => self.push_image(image),
            ContentBlock::Document(document) => self.push_document(document),
            ContentBlock::Video(_) => self.push_note(NO_VIDEO),
            ContentBlock::Audio(_) => self.push_note(NO_AUDIO),
            ContentBlock::GuardContent(guarded) => match (&guarded.text, &guarded.image) {
                (Some(text), _) => self.push_line(Cow::Borrowed(&text.text)),
                (None, Some(image)) => self.push_image(image),
                (None, None) => {}
            },
            ContentBlock::Citations(cited) => {
                self.push_line(Cow::Owned(cited.content.iter().map(|part| part.text.as_str()).collect()));
            }
            _ => {}
        }
    }

    /// Adds a line of text.
    pub(super) fn push_line(&mut self, line: Cow<'a, str>) {
        match &mut self.text {
            None => self.text = Some(line),
            Some(text) => {
                let text = text.to_mut();
                text.push('\n');
                text.push_str(&line);
            }
        }
    }

    fn push_note(&mut self, note: &'static str) {
        self.push_line(Cow::Borrowed(note));
    }

    fn push_image(&mut self, image: &ImageBlock) {
        match &image.source {
            MediaSource::Bytes(bytes) => self.images.push(Image(bytes.clone())),
            _ => self.push_note("[An image that can't be shown to this model: it is stored elsewhere.]"),
        }
    }

    fn push_document(&mut self, document: &DocumentBlock) {
        let Some(bytes) = document.source.bytes() else {
            return self.push_note("[A document that can't be shown to this model: it is stored elsewhere.]");
        };
        match str::from_utf8(bytes) {
            Ok(text) if is_text(document.format.as_ref()) => {
                let context = document.context.as_deref().map(|context| format!(" ({context})")).unwrap_or_default();
                self.push_line(Cow::Owned(format!("Document \"{}\"{context}:\n{text}", document.name)));
            }
            _ => self.push_line(Cow::Owned(format!(
                "[The document \"{}\", which can't be shown to this model: it is not text.]",
                document.name
            ))),
        }
    }

    /// The content of a tool result. The protocol has no field for the status, so the text of a failure begins with
    /// "Error".
    pub(super) fn of_tool_result(result: &'a ToolResult) -> Self {
        let mut content = Self::default();
        for item in &result.content {
            match item {
                ToolResultContent::Text(text) => content.push_line(Cow::Borrowed(text)),
                ToolResultContent::Json(json) => content.push_line(Cow::Owned(json.to_string())),
                ToolResultContent::Image(image) => content.push_image(image),
                ToolResultContent::Document(document) => content.push_document(document),
                ToolResultContent::Video(_) => content.push_note(NO_VIDEO),
                ToolResultContent::Audio(_) => content.push_note(NO_AUDIO),
                ToolResultContent::Unknown(fields) if !fields.is_empty() => {
                    content.push_line(Cow::Owned(Value::Object(fields.clone()).to_string()));
                }
                _ => {}
            }
        }
        let text = content.text.get_or_insert(Cow::Borrowed(""));
        if result.is_error() {
            let is_marked = text.trim_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
            if text.is_empty() {
                *text = Cow::Borrowed(placeholder::EMPTY_ERROR);
            } else if !is_marked {
                *text = Cow::Owned(format!("Error: {text}"));
            }
        }
        content
    }
}

const NO_AUDIO: &str = "[An audio clip that can't be played to this model.]";
const NO_VIDEO: &str = "[A video that can't be shown to this model.]";

fn is_text(format: Option<&DocumentFormat>) -> bool {
    !matches!(
        format,
        Some(
            DocumentFormat::Pdf
                | DocumentFormat::Doc
                | DocumentFormat::Docx
                | DocumentFormat::Xls
                | DocumentFormat::Xlsx
        )
    )
}

/// An image, sent as base64. The server detects its format.
#[derive(Debug)]
pub(super) struct Image(Bytes);

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(&self.0, &STANDARD))
    }
}

/// The system prompt as one text. Cache points are skipped: the server caches prompts automatically.
pub(super) fn system_text(system: &[SystemBlock]) -> Option<Cow<'_, str>> {
    let mut content = MessageContent::default();
    for block in system {
        if let SystemBlock::Text(text) = block
            && !text.trim().is_empty()
        {
            content.push_line(Cow::Borrowed(text.as_str()));
        }
    }
    content.text
}
