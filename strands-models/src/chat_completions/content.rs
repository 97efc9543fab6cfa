//! Content of messages: text, images, files and audio. A note replaces content that a server does not accept, so that a
//! conversation can move there from another model.

use std::borrow::Cow;
use std::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;
use strands_core::message::{
    AudioFormat, ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, MediaSource, SystemBlock, ToolResult,
    ToolResultContent,
};
use strands_core::models::placeholder;

/// Media that a server accepts besides text and images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Media {
    pub(crate) documents: DocumentForm,
    pub(crate) audio: AudioForm,
    /// True if an image is an object with its URL, instead of the URL.
    pub(crate) image_objects: bool,
}

impl Media {
    /// Media that OpenAI accepts.
    pub(crate) const OPENAI: Self =
        Self { documents: DocumentForm::Files, audio: AudioForm::Named, image_objects: true };
}

/// Form of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentForm {
    /// A file with a name.
    Files,
    /// A data URL, except for text documents.
    Urls,
    /// Only text documents.
    Text,
}

/// Form of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AudioForm {
    /// Bytes in one of two formats, with the name of the format.
    Named,
    /// Bytes in any format.
    Bare,
}

/// Part of a message or of a tool result.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    Text(Cow<'a, str>),
    Image(DataUrl<'a>),
    /// An image by its URL.
    Link(&'a str),
    File {
        name: Cow<'a, str>,
        data: DataUrl<'a>,
    },
    /// Format and bytes.
    Audio(&'a str, &'a Bytes),
    /// Provider content of the server itself.
    Own(&'a Value),
}

impl<'a> Part<'a> {
    fn note(note: &'static str) -> Self {
        Self::Text(Cow::Borrowed(note))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the part of a block. Tool calls, tool results, reasoning, cache points and provider content have none.
    pub(crate) fn of_block(block: &'a ContentBlock, media: &Media) -> Option<Self> {
        Some(match block {
            ContentBlock::Text(text) => Self::Text(Cow::Borrowed(&text.text)),
            ContentBlock::Image(image) => Self::image(image),
            ContentBlock::Document(document) => Self::document(document, media),
            ContentBlock::Video(_) => Self::note("[A video that can't be shown to this model.]"),
            ContentBlock::Audio(audio) => match audio.source.bytes() {
                Some(bytes)
                    if media.audio == AudioForm::Bare
                        || matches!(audio.format, AudioFormat::Mp3 | AudioFormat::Wav) =>
                {
                    Self::Audio(audio.format.as_str(), bytes)
                }
                _ => Self::note(NO_AUDIO),
            },
            ContentBlock::GuardContent(guarded) => match (&guarded.text, &guarded.image) {
                (Some(text), _) => Self::Text(Cow::Borrowed(&text.text)),
                (None, Some(image)) => Self::image(image),
                (None, None) => return None,
            },
            ContentBlock::Citations(cited) => {
                Self::Text(Cow::Owned(cited.content.iter().map(|part| part.text.as_str()).collect()))
            }
            _ => return None,
        })
    }

    /// Returns the part of an image with bytes or a URL.
    pub(crate) fn of_image(block: &'a ContentBlock) -> Option<Self> {
        let ContentBlock::Image(image) = block else { return None };
        match &image.source {
            MediaSource::Bytes(bytes) if !bytes.is_empty() => Some(Self::image(image)),
            MediaSource::Location(place) if place.kind == "url" => Some(Self::Link(place.uri.as_deref()?)),
            _ => None,
        }
    }

    fn of_result(content: &'a ToolResultContent, media: &Media) -> Option<Self> {
        Some(match content {
            ToolResultContent::Text(text) => Self::Text(Cow::Borrowed(text)),
            ToolResultContent::Json(json) => Self::Text(Cow::Owned(json.to_string())),
            ToolResultContent::Image(image) => Self::image(image),
            ToolResultContent::Document(document) => Self::document(document, media),
            ToolResultContent::Video(_) => Self::note("[A video that can't be shown to this model.]"),
            // A model that reads no audio would reject this request and all later ones.
            ToolResultContent::Audio(_) => Self::note(NO_AUDIO),
            ToolResultContent::Unknown(fields) if !fields.is_empty() => {
                Self::Text(Cow::Owned(Value::Object(fields.clone()).to_string()))
            }
            _ => return None,
        })
    }

    fn image(image: &'a ImageBlock) -> Self {
        match &image.source {
            MediaSource::Bytes(bytes) => Self::Image(DataUrl { mime: format!("image/{}", image.format).into(), bytes }),
            _ => Self::note("[An image that can't be shown to this model: it is stored elsewhere.]"),
        }
    }

    fn document(document: &'a DocumentBlock, media: &Media) -> Self {
        let MediaSource::Bytes(bytes) = &document.source else {
            return Self::note("[A document that can't be shown to this model: it is stored elsewhere.]");
        };
        if media.documents != DocumentForm::Files
            && let Some(text) = text_of(document, bytes)
        {
            let name = file_name(document);
            return Self::Text(Cow::Owned(format!("<document name=\"{name}\">\n{text}\n</document>")));
        }
        if media.documents == DocumentForm::Text {
            return Self::note("[A document that can't be shown to this model: it reads no files.]");
        }
        let mime = document.format.as_ref().map_or("application/octet-stream", DocumentFormat::mime_type);
        Self::File { name: file_name(document), data: DataUrl { mime: mime.into(), bytes } }
    }
}

/// Returns the text of a document that contains only text.
fn text_of<'a>(document: &DocumentBlock, bytes: &'a Bytes) -> Option<&'a str> {
    let is_text = |format: &DocumentFormat| {
        matches!(format, DocumentFormat::Txt | DocumentFormat::Md | DocumentFormat::Csv | DocumentFormat::Html)
    };
    std::str::from_utf8(bytes).ok().filter(|_| document.format.as_ref().is_none_or(is_text))
}

/// Note in place of audio that can't be sent.
pub(crate) const NO_AUDIO: &str = "[An audio clip that can't be played to this model.]";

/// Returns the parts of a tool result. There is no field for an error, so the text reports it.
pub(crate) fn result_parts<'a>(result: &'a ToolResult, media: &Media) -> Vec<Part<'a>> {
    let mut parts: Vec<_> = result.content.iter().filter_map(|content| Part::of_result(content, media)).collect();
    if result.is_error() {
        let says_so = |text: &str| text.trim_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
        match parts.first_mut() {
            Some(Part::Text(text)) if says_so(text) => {}
            Some(Part::Text(text)) => *text = Cow::Owned(format!("Error: {text}")),
            _ => parts.insert(0, Part::note(placeholder::EMPTY_ERROR)),
        }
    }
    parts
}

/// Returns the text of parts that are only text, one line each.
pub(crate) fn joined<'a>(parts: &'a [Part<'_>]) -> Option<Cow<'a, str>> {
    match parts {
        [Part::Text(text)] => Some(Cow::Borrowed(text)),
        parts => {
            let texts: Option<Vec<&str>> = parts.iter().map(Part::as_text).collect();
            Some(Cow::Owned(texts?.join("\n")))
        }
    }
}

/// Returns the arguments of a call as text. A call whose arguments are not a JSON object never ran, and servers that parse
/// the text refuse anything else.
pub(crate) fn arguments(input: &Value) -> String {
    // Several times as fast as `to_string`, which goes through a formatter.
    let text = if input.is_object() { serde_json::to_string(input).ok() } else { None };
    text.unwrap_or_else(|| "{}".to_owned())
}

/// Bytes in a data URL.
#[derive(Debug)]
pub(crate) struct DataUrl<'a> {
    mime: Cow<'static, str>,
    bytes: &'a Bytes,
}

impl fmt::Display for DataUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data:{};base64,{}", self.mime, Base64Display::new(self.bytes, &STANDARD))
    }
}

/// Returns a file name with an extension, by which servers determine the type.
fn file_name(document: &DocumentBlock) -> Cow<'_, str> {
    let Some(format) = &document.format else {
        return Cow::Borrowed(&document.name);
    };
    let ends = document.name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case(format.as_str()));
    if ends { Cow::Borrowed(&document.name) } else { Cow::Owned(format!("{}.{format}", document.name)) }
}

/// Returns the system prompt as one text. The provider caches automatically, so cache points are not sent.
pub(crate) fn system_text(system: &[SystemBlock]) -> Option<Cow<'_, str>> {
    let mut texts = system.iter().filter_map(|block| match block {
        SystemBlock::Text(text) if !text.trim().is_empty() => Some(text.as_str()),
        _ => None,
    });
    let first = texts.next()?;
    Some(texts.fold(Cow::Borrowed(first), |text, more| Cow::Owned(format!("{text}\n{more}"))))
}

/// Text that is serialized without an intermediate copy.
pub(crate) struct Displayed<'a>(pub(crate) &'a dyn fmt::Display);

impl Serialize for Displayed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}
