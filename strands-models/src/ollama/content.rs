//! Content as Ollama takes it: one text and a list of images for each message. What it does not take leaves a note in its
//! place, so that a conversation can move here from a model that took more.

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

/// What is said in one message.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) text: Option<Cow<'a, str>>,
    pub(super) images: Vec<Image>,
}

impl<'a> Said<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_none() && self.images.is_empty()
    }

    /// A block of a user's or a model's. Tool calls, their results, thoughts and cache points are none.
    pub(super) fn block(&mut self, block: &'a ContentBlock) {
        match block {
            ContentBlock::Text(text) => self.line(Cow::Borrowed(&text.text)),
            ContentBlock::Image(image) => self.image(image),
            ContentBlock::Document(document) => self.document(document),
            ContentBlock::Video(_) => self.note(NO_VIDEO),
            ContentBlock::Audio(_) => self.note("[A sound that can't be played to this model.]"),
            ContentBlock::GuardContent(guarded) => match (&guarded.text, &guarded.image) {
                (Some(text), _) => self.line(Cow::Borrowed(&text.text)),
                (None, Some(image)) => self.image(image),
                (None, None) => {}
            },
            ContentBlock::Citations(cited) => {
                self.line(Cow::Owned(cited.content.iter().map(|part| part.text.as_str()).collect()));
            }
            _ => {}
        }
    }

    /// A line of text.
    pub(super) fn line(&mut self, line: Cow<'a, str>) {
        match &mut self.text {
            None => self.text = Some(line),
            Some(text) => {
                let text = text.to_mut();
                text.push('\n');
                text.push_str(&line);
            }
        }
    }

    fn note(&mut self, note: &'static str) {
        self.line(Cow::Borrowed(note));
    }

    fn image(&mut self, image: &ImageBlock) {
        match &image.source {
            MediaSource::Bytes(bytes) => self.images.push(Image(bytes.clone())),
            _ => self.note("[An image that can't be shown to this model: it is stored elsewhere.]"),
        }
    }

    fn document(&mut self, document: &DocumentBlock) {
        let Some(bytes) = document.source.bytes() else {
            return self.note("[A document that can't be shown to this model: it is stored elsewhere.]");
        };
        match str::from_utf8(bytes) {
            Ok(text) if is_text(document.format.as_ref()) => {
                let context = document.context.as_deref().map(|context| format!(" ({context})")).unwrap_or_default();
                self.line(Cow::Owned(format!("Document \"{}\"{context}:\n{text}", document.name)));
            }
            _ => self.line(Cow::Owned(format!(
                "[The document \"{}\", which can't be shown to this model: it is no text.]",
                document.name
            ))),
        }
    }

    /// What a tool has answered. There is no field for a failure, so the words say it.
    pub(super) fn by_tool(result: &'a ToolResult) -> Self {
        let mut said = Self::default();
        for content in &result.content {
            match content {
                ToolResultContent::Text(text) => said.line(Cow::Borrowed(text)),
                ToolResultContent::Json(json) => said.line(Cow::Owned(json.to_string())),
                ToolResultContent::Image(image) => said.image(image),
                ToolResultContent::Document(document) => said.document(document),
                ToolResultContent::Video(_) => said.note(NO_VIDEO),
                ToolResultContent::Unknown(fields) if !fields.is_empty() => {
                    said.line(Cow::Owned(Value::Object(fields.clone()).to_string()));
                }
                _ => {}
            }
        }
        let text = said.text.get_or_insert(Cow::Borrowed(""));
        if result.is_error() {
            let says_so = text.trim_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
            if text.is_empty() {
                *text = Cow::Borrowed(placeholder::EMPTY_ERROR);
            } else if !says_so {
                *text = Cow::Owned(format!("Error: {text}"));
            }
        }
        said
    }
}

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

/// An image, which is sent as base64; the server sees its format by itself.
#[derive(Debug)]
pub(super) struct Image(Bytes);

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(&self.0, &STANDARD))
    }
}

/// The system prompt as one text. The server caches by itself, so cache points say nothing to it.
pub(super) fn system_text(system: &[SystemBlock]) -> Option<Cow<'_, str>> {
    let mut said = Said::default();
    for block in system {
        if let SystemBlock::Text(text) = block
            && !text.trim().is_empty()
        {
            said.line(Cow::Borrowed(text.as_str()));
        }
    }
    said.text
}
