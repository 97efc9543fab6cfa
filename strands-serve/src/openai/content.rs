//! Content of messages: text, images, audio and files, in the shapes of both protocols.

use serde::Deserialize;
use strands_core::message::{
    AudioBlock, AudioFormat, ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, ImageFormat,
};

use super::data_url::{self, DataUrl};
use super::error::ApiError;

/// Content of a message.
#[derive(Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Part>),
    #[default]
    Nothing,
}

/// A part of a message. `type` decides which of the fields count.
#[derive(Deserialize)]
pub(super) struct Part {
    #[serde(rename = "type", default)]
    kind: String,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<ImageUrl>,
    input_audio: Option<InputAudio>,
    file: Option<InputFile>,
    #[serde(flatten)]
    flat_file: InputFile,
}

/// URL of an image: an object in Chat Completions, a string in Responses.
#[derive(Deserialize)]
#[serde(untagged)]
enum ImageUrl {
    Object { url: String },
    Text(String),
}

#[derive(Deserialize)]
struct InputAudio {
    data: String,
    format: String,
}

/// A file: nested in Chat Completions, in the part itself in Responses.
#[derive(Default, Deserialize)]
struct InputFile {
    file_data: Option<String>,
    filename: Option<String>,
}

impl Content {
    /// Returns the content blocks of a message of the user.
    ///
    /// # Errors
    ///
    /// Returns an error if a part is not in the request itself, or is not supported.
    pub(super) fn into_blocks(self, param: &'static str) -> Result<Vec<ContentBlock>, ApiError> {
        match self {
            Self::Text(text) => Ok(vec![ContentBlock::text(text)]),
            Self::Parts(parts) => parts.into_iter().map(|part| part.into_block(param)).collect(),
            Self::Nothing => Ok(Vec::new()),
        }
    }

    /// Returns the text, with the types of other parts in brackets.
    pub(super) fn quoted(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.iter().map(Part::quoted).collect::<Vec<_>>().join("\n"),
            Self::Nothing => String::new(),
        }
    }
}

impl Part {
    fn into_block(self, param: &'static str) -> Result<ContentBlock, ApiError> {
        let invalid = |message: &str| ApiError::invalid(param, "invalid_content", message);
        match self.kind.as_str() {
            "text" | "input_text" => {
                let text = self.text.ok_or_else(|| invalid("a text part has no `text`"))?;
                Ok(ContentBlock::text(text))
            }
            "image_url" | "input_image" => {
                let (ImageUrl::Object { url } | ImageUrl::Text(url)) = self
                    .image_url
                    .ok_or_else(|| invalid("an image must be in the request, as a data URL in `image_url`"))?;
                image(&url).ok_or_else(|| {
                    invalid(
                        "an image must be a data URL with base64 (PNG, JPEG, GIF or WebP); other URLs are not fetched",
                    )
                })
            }
            "input_audio" => {
                let audio = self.input_audio.ok_or_else(|| invalid("a part `input_audio` has no `input_audio`"))?;
                let format = AudioFormat::from(audio.format.as_str());
                match (data_url::decode(&audio.data), format) {
                    (Some(bytes), format) if !matches!(format, AudioFormat::Other(_)) => {
                        Ok(AudioBlock::new(format, bytes).into())
                    }
                    _ => Err(invalid("audio must be base64 in `data`, with a known `format`")),
                }
            }
            "file" | "input_file" => document(self.file.unwrap_or(self.flat_file)).ok_or_else(|| {
                invalid(
                    "a file must be in the request: `file_data` with base64 or a data URL, and `filename` with a known \
                     extension; URLs are not fetched, and there are no uploaded files",
                )
            }),
            kind => Err(invalid(&format!("content of type `{kind}` is not supported"))),
        }
    }

    fn quoted(&self) -> String {
        match (&self.text, &self.refusal) {
            (Some(text), _) | (None, Some(text)) => text.clone(),
            (None, None) => format!("[{}]", self.kind),
        }
    }
}

fn image(url: &str) -> Option<ContentBlock> {
    let url = DataUrl::parse(url)?;
    let format = ImageFormat::from(url.media_type.strip_prefix("image/")?);
    let is_known = !matches!(format, ImageFormat::Other(_));
    is_known.then(|| ImageBlock::new(format, url.bytes).into())
}

fn document(file: InputFile) -> Option<ContentBlock> {
    let filename = file.filename.unwrap_or_default();
    let (stem, extension) = filename.rsplit_once('.').unwrap_or((&filename, ""));
    let data = file.file_data?;
    let (bytes, media_type) = match DataUrl::parse(&data) {
        Some(url) => (url.bytes, url.media_type),
        None => (data_url::decode(&data)?, ""),
    };
    let format = format_of(extension, media_type)?;
    let name = if stem.trim().is_empty() { "document" } else { stem };
    Some(DocumentBlock::new(name, format, bytes).into())
}

/// Returns the format by the extension, or else by the media type.
fn format_of(extension: &str, media_type: &str) -> Option<DocumentFormat> {
    let by_extension = DocumentFormat::from(extension.to_ascii_lowercase().as_str());
    if !matches!(by_extension, DocumentFormat::Other(_)) {
        return Some(by_extension);
    }
    let known = [
        DocumentFormat::Pdf,
        DocumentFormat::Csv,
        DocumentFormat::Doc,
        DocumentFormat::Docx,
        DocumentFormat::Xls,
        DocumentFormat::Xlsx,
        DocumentFormat::Html,
        DocumentFormat::Txt,
        DocumentFormat::Md,
    ];
    known.into_iter().find(|format| format.mime_type() == media_type)
}
