//! Media in Gemini's form: bytes with their MIME type, or the URI of a file.

use std::borrow::Cow;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use strands_core::message::{AudioFormat, DocumentFormat, ImageFormat, MediaSource, VideoFormat};

/// A medium that can be sent.
#[derive(Clone, Debug)]
pub(super) enum Medium<'a> {
    Inline(InlineData<'a>),
    File(FileData<'a>),
}

/// Bytes, written as base64.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineData<'a> {
    mime_type: Cow<'static, str>,
    data: Base64<'a>,
}

/// A file that the provider fetches.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    mime_type: Cow<'static, str>,
    file_uri: &'a str,
}

#[derive(Clone, Copy, Debug)]
struct Base64<'a>(&'a Bytes);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

/// Media that tool results may contain. Other media are sent as separate parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NestedMedia {
    None,
    /// Image and document types that Gemini 3 accepts ([function calling][doc]).
    ///
    /// [doc]: https://ai.google.dev/gemini-api/docs/function-calling#multimodal
    Some,
}

impl NestedMedia {
    pub(super) fn accepts(self, medium: &Medium<'_>) -> bool {
        const KINDS: [&str; 5] = ["image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"];
        match (self, medium) {
            (Self::Some, Medium::Inline(data)) => KINDS.contains(&&*data.mime_type),
            _ => false,
        }
    }
}

impl<'a> Medium<'a> {
    /// Creates a medium of this type, or `None` for locations that Google can't read.
    pub(super) fn new(mime_type: Cow<'static, str>, source: &'a MediaSource) -> Option<Self> {
        match source {
            MediaSource::Bytes(bytes) => Some(Self::Inline(InlineData { mime_type, data: Base64(bytes) })),
            MediaSource::Location(location) => {
                let file_uri = location.uri.as_deref()?;
                let fetched = ["https://", "http://", "gs://"].iter().any(|scheme| file_uri.starts_with(scheme));
                fetched.then_some(Self::File(FileData { mime_type, file_uri }))
            }
            _ => None,
        }
    }
}

/// Kind of media, for the notes about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaKind {
    Image,
    Document,
    Video,
    Audio,
}

impl MediaKind {
    /// Note for a medium that can't be sent.
    pub(super) fn stored_elsewhere(self) -> &'static str {
        match self {
            Self::Image => "[An image that can't be shown to this model: it is stored elsewhere.]",
            Self::Document => "[A document that can't be shown to this model: it is stored elsewhere.]",
            Self::Video => "[A video that can't be shown to this model: it is stored elsewhere.]",
            Self::Audio => "[An audio clip that can't be played to this model: it is stored elsewhere.]",
        }
    }

    /// Text in a tool result for a medium that is sent as a separate part.
    pub(super) fn sent_separately(self) -> &'static str {
        match self {
            Self::Image => "Tool successfully returned an image. The image is being provided with this result.",
            Self::Document => "Tool successfully returned a document. The document is being provided with this result.",
            Self::Video => "Tool successfully returned a video. The video is being provided with this result.",
            Self::Audio => "Tool successfully returned audio. The audio is being provided with this result.",
        }
    }
}

pub(super) fn image_mime(format: &ImageFormat) -> Cow<'static, str> {
    Cow::Borrowed(match format {
        ImageFormat::Png => "image/png",
        ImageFormat::Jpeg => "image/jpeg",
        ImageFormat::Gif => "image/gif",
        ImageFormat::Webp => "image/webp",
        other => return Cow::Owned(format!("image/{other}")),
    })
}

pub(super) fn document_mime(format: Option<&DocumentFormat>) -> Cow<'static, str> {
    Cow::Borrowed(format.map_or("application/octet-stream", DocumentFormat::mime_type))
}

pub(super) fn video_mime(format: &VideoFormat) -> Cow<'static, str> {
    Cow::Borrowed(match format {
        VideoFormat::Flv => "video/x-flv",
        VideoFormat::Mkv => "video/x-matroska",
        VideoFormat::Mov => "video/quicktime",
        VideoFormat::Mpeg | VideoFormat::Mpg => "video/mpeg",
        VideoFormat::Mp4 => "video/mp4",
        VideoFormat::ThreeGp => "video/3gpp",
        VideoFormat::Webm => "video/webm",
        VideoFormat::Wmv => "video/x-ms-wmv",
        other => return Cow::Owned(format!("video/{other}")),
    })
}

pub(super) fn audio_mime(format: &AudioFormat) -> Cow<'static, str> {
    Cow::Borrowed(match format {
        AudioFormat::Mp3 => "audio/mp3",
        AudioFormat::Wav => "audio/wav",
        AudioFormat::Aac | AudioFormat::XAac => "audio/aac",
        AudioFormat::Flac => "audio/flac",
        AudioFormat::Ogg => "audio/ogg",
        AudioFormat::Opus => "audio/opus",
        AudioFormat::Mp4 => "audio/mp4",
        AudioFormat::M4a => "audio/m4a",
        AudioFormat::Mpeg | AudioFormat::Mpga => "audio/mpeg",
        AudioFormat::Mkv | AudioFormat::Mka => "audio/x-matroska",
        AudioFormat::Pcm => "audio/pcm",
        AudioFormat::Webm => "audio/webm",
        other => return Cow::Owned(format!("audio/{other}")),
    })
}
