//! Images, documents, video and audio, and where their bytes are.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UnknownFields, encoded_bytes, wire_enum};

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum MediaSource {
    /// Here.
    #[serde(with = "encoded_bytes")]
    #[schemars(with = "encoded_bytes::EncodedBytes")]
    Bytes(Bytes),
    /// Somewhere that the model's provider can read.
    Location(MediaLocation),
}

/// A place that the model's provider reads a medium from, such as an S3 object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MediaLocation {
    /// The kind of place: `"s3"`, or a word of the provider's own.
    #[serde(rename = "type")]
    pub kind: String,
    /// The address, such as `s3://bucket/key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The AWS account that owns the bucket, where it is not the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_owner: Option<String>,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl MediaSource {
    /// An object in S3, by its `s3://` address.
    pub fn s3(uri: impl Into<String>) -> Self {
        Self::location("s3", uri)
    }

    /// An address that a model's provider reads by itself, and what kind of place that is: `"url"` for the web, or a word of
    /// the provider's own. Which ones a provider reads is told where the provider is described.
    pub fn location(kind: impl Into<String>, uri: impl Into<String>) -> Self {
        Self::Location(MediaLocation {
            kind: kind.into(),
            uri: Some(uri.into()),
            bucket_owner: None,
            unknown: UnknownFields::default(),
        })
    }

    /// The bytes, where they are here.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Location(_) => None,
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
    /// The format of an image.
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
    /// The format of a document.
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

wire_enum! {
    /// The format of a video.
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
    /// The format of a sound.
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
            /// How the bytes are encoded.
            pub format: $format,
            /// Where the bytes are.
            pub source: MediaSource,
            /// Fields that this version has no name for.
            #[serde(flatten)]
            pub unknown: UnknownFields,
        }

        impl $name {
            /// A medium of this format.
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
    /// A sound.
    AudioBlock, AudioFormat
}

/// A document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DocumentBlock {
    /// How the bytes are encoded. Some providers guess it when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DocumentFormat>,
    /// What the model knows the document by.
    pub name: String,
    /// Where the bytes are.
    pub source: MediaSource,
    /// Whether the model may cite it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citations: Option<DocumentCitations>,
    /// What the model should know about the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Whether the model may cite a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DocumentCitations {
    /// True: the model's text names the places it comes from.
    pub enabled: bool,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl DocumentBlock {
    /// A document of this format.
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

    /// Lets the model cite it.
    #[must_use]
    pub fn with_citations(mut self) -> Self {
        self.citations = Some(DocumentCitations { enabled: true, unknown: UnknownFields::default() });
        self
    }
}
