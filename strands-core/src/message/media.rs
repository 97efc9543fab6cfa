//! Images, documents, video and audio, with the sources of their bytes.

use std::borrow::Cow;

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use super::encoded_bytes::{self, AsEncoded, EncodedBytes};
use super::{UnknownFields, keyed, wire_enum};

/// Source of a medium's bytes.
///
/// Its JSON is an object whose key names the kind: `{"bytes": ..}` or `{"location": {..}}`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MediaSource {
    /// The bytes themselves.
    Bytes(Bytes),
    /// A location from which the model's provider reads.
    Location(MediaLocation),
    /// A kind unknown to this version, as it was read. It is preserved, and no provider accepts it.
    Unknown(Map<String, Value>),
}

impl Serialize for MediaSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => serializer.collect_map([("bytes", AsEncoded(bytes))]),
            Self::Location(location) => serializer.collect_map([("location", location)]),
            Self::Unknown(fields) => fields.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for MediaSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        // As in tool results, a known kind with additional fields is preserved as a whole.
        let is_alone = fields.len() == 1;
        let wrong =
            |kind: &str, error: serde_json::Error| de::Error::custom(format!("in media source `{kind}`: {error}"));
        if let Some(bytes) = fields.get_mut("bytes").filter(|_| is_alone) {
            return encoded_bytes::deserialize(bytes.take()).map(Self::Bytes).map_err(|error| wrong("bytes", error));
        }
        if let Some(location) = fields.get_mut("location").filter(|_| is_alone) {
            let location = serde_json::from_value(location.take());
            return location.map(Self::Location).map_err(|error| wrong("location", error));
        }
        Ok(Self::Unknown(fields))
    }
}

impl JsonSchema for MediaSource {
    fn schema_name() -> Cow<'static, str> {
        "MediaSource".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        keyed::schema_of_any(
            "Source of a medium's bytes: an object whose key names the kind.",
            [
                ("bytes", keyed::schema([("bytes", generator.subschema_for::<EncodedBytes>())])),
                ("location", keyed::schema([("location", generator.subschema_for::<MediaLocation>())])),
            ],
        )
    }
}

/// A location from which the model's provider reads a medium, such as an S3 object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MediaLocation {
    /// Kind of the location: `"s3"`, `"url"`, or a name that the provider defines.
    #[serde(rename = "type")]
    pub kind: String,
    /// URI, such as `s3://bucket/key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// AWS account that owns the bucket, if it is not the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_owner: Option<String>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl MediaSource {
    /// Creates the source for an S3 object by its `s3://` URI.
    pub fn s3(uri: impl Into<String>) -> Self {
        Self::location("s3", uri)
    }

    /// Creates the source for a URI from which the model's provider reads.
    ///
    /// `kind` is `"url"` for the web, or a name that the provider defines. The docs of each provider list the kinds that it
    /// supports.
    pub fn location(kind: impl Into<String>, uri: impl Into<String>) -> Self {
        Self::Location(MediaLocation {
            kind: kind.into(),
            uri: Some(uri.into()),
            bucket_owner: None,
            unknown: UnknownFields::default(),
        })
    }

    /// Returns the bytes if the source is [`Bytes`](Self::Bytes).
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl From<Vec<u8>> for MediaSource {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<Bytes> for MediaSource {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

wire_enum! {
    /// Format of an image.
    pub enum ImageFormat {
        /// PNG.
        Png = "png",
        /// JPEG.
        Jpeg = "jpeg" | "jpg",
        /// GIF.
        Gif = "gif",
        /// WebP.
        Webp = "webp",
    }
}

wire_enum! {
    /// Format of a document.
    pub enum DocumentFormat {
        /// PDF.
        Pdf = "pdf",
        /// Comma-separated values.
        Csv = "csv",
        /// Word 97.
        Doc = "doc",
        /// Word.
        Docx = "docx",
        /// Excel 97.
        Xls = "xls",
        /// Excel.
        Xlsx = "xlsx",
        /// HTML.
        Html = "html",
        /// Plain text.
        Txt = "txt",
        /// Markdown.
        Md = "md",
    }
}

impl DocumentFormat {
    /// Returns the MIME type, such as `application/pdf`. That of an unknown format is `application/octet-stream`.
    pub fn mime_type(&self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Csv => "text/csv",
            Self::Doc => "application/msword",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Xls => "application/vnd.ms-excel",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Html => "text/html",
            Self::Txt => "text/plain",
            Self::Md => "text/markdown",
            Self::Other(_) => "application/octet-stream",
        }
    }
}

wire_enum! {
    /// Format of a video.
    pub enum VideoFormat {
        /// Flash video.
        Flv = "flv",
        /// Matroska.
        Mkv = "mkv",
        /// QuickTime.
        Mov = "mov",
        /// MPEG.
        Mpeg = "mpeg",
        /// MPEG.
        Mpg = "mpg",
        /// MPEG-4.
        Mp4 = "mp4",
        /// 3GPP.
        ThreeGp = "three_gp" | "3gp" | "3gpp" | "3g2",
        /// WebM.
        Webm = "webm",
        /// Windows media.
        Wmv = "wmv",
    }
}

wire_enum! {
    /// Format of audio.
    pub enum AudioFormat {
        /// MPEG layer 3.
        Mp3 = "mp3",
        /// Opus.
        Opus = "opus",
        /// Wave.
        Wav = "wav",
        /// AAC.
        Aac = "aac",
        /// FLAC.
        Flac = "flac",
        /// MPEG-4.
        Mp4 = "mp4",
        /// Ogg.
        Ogg = "ogg",
        /// Matroska.
        Mkv = "mkv",
        /// Matroska audio.
        Mka = "mka",
        /// AAC, by its old name.
        XAac = "x-aac",
        /// MPEG-4 audio.
        M4a = "m4a",
        /// MPEG.
        Mpeg = "mpeg",
        /// MPEG audio.
        Mpga = "mpga",
        /// Raw samples.
        Pcm = "pcm",
        /// WebM.
        Webm = "webm",
    }
}

macro_rules! medium {
    ($(#[$meta:meta])* $name:ident, $format:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub struct $name {
            /// Format of the bytes.
            pub format: $format,
            /// Source of the bytes.
            pub source: MediaSource,
            /// Fields unknown to this version. They are preserved.
            #[serde(flatten)]
            pub unknown: UnknownFields,
        }

        impl $name {
            /// Creates a block with this format and source.
            pub fn new(format: $format, source: impl Into<MediaSource>) -> Self {
                Self { format, source: source.into(), unknown: UnknownFields::default() }
            }
        }
    };
}

medium! {
    /// An image.
    ImageBlock, ImageFormat
}

medium! {
    /// A video.
    VideoBlock, VideoFormat
}

medium! {
    /// Audio.
    AudioBlock, AudioFormat
}

/// A document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DocumentBlock {
    /// Format of the bytes. Some providers detect it if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DocumentFormat>,
    /// Name of the document, for the model.
    pub name: String,
    /// Source of the bytes.
    pub source: MediaSource,
    /// Citation settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citations: Option<DocumentCitations>,
    /// Context of the document, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Citation settings of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DocumentCitations {
    /// True if the model's text has citations of the document.
    pub enabled: bool,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl DocumentBlock {
    /// Creates a document with this format and source.
    pub fn new(name: impl Into<String>, format: DocumentFormat, source: impl Into<MediaSource>) -> Self {
        Self {
            format: Some(format),
            name: name.into(),
            source: source.into(),
            citations: None,
            context: None,
            unknown: UnknownFields::default(),
        }
    }

    /// Enables citations.
    #[must_use]
    pub fn with_citations(mut self) -> Self {
        self.citations = Some(DocumentCitations { enabled: true, unknown: UnknownFields::default() });
        self
    }
}
