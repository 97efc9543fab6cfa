//! Formats of binary data, by their bytes and their media type.

use strands_core::message::{AudioFormat, DocumentFormat, ImageFormat};

/// Binary data in a form that models read.
#[derive(Debug, PartialEq)]
pub(super) enum Readable {
    Image(ImageFormat, Vec<u8>),
    Audio(AudioFormat, Vec<u8>),
    Document(DocumentFormat, Vec<u8>),
    Text(String),
    /// No model reads the data.
    Nothing,
}

/// Media types of text outside of `text/*`.
const TEXT_TYPES: [&str; 18] = [
    "application/ecmascript",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/ndjson",
    "application/sql",
    "application/toml",
    "application/typescript",
    "application/x-httpd-php",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-sh",
    "application/x-toml",
    "application/x-www-form-urlencoded",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
];

/// Start of ZIP archives, which newer office documents are.
const ZIP: &[u8] = b"PK\x03\x04";

/// Start of the containers of older office documents.
const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Number of bytes in which the mark of a PDF document is searched, as readers do.
const PDF_HEADER: usize = 1024;

/// Returns the form of binary data that models read.
///
/// The format is that of the bytes: a provider rejects the whole request if an image has another format than declared, or a
/// document is none, and a tool result is part of all later requests.
pub(super) fn readable(mime_type: Option<&str>, bytes: Vec<u8>) -> Readable {
    let declared = mime_type.map(essence).unwrap_or_default();
    if let Some(format) = image_format(&bytes) {
        return Readable::Image(format, bytes);
    }
    if bytes.get(..bytes.len().min(PDF_HEADER)).is_some_and(|start| contains(start, b"%PDF-")) && !is_text(&declared) {
        return Readable::Document(DocumentFormat::Pdf, bytes);
    }
    if let Some((format, start)) = office_format(&declared) {
        return if bytes.starts_with(start) { Readable::Document(format, bytes) } else { Readable::Nothing };
    }
    if let Some(format) = audio_format(&declared).filter(|_| !bytes.is_empty()) {
        return Readable::Audio(format, bytes);
    }
    let may_be_text = is_text(&declared) || declared.is_empty() || declared == "application/octet-stream";
    match String::from_utf8(bytes) {
        Ok(text) if may_be_text && !text.contains('\0') => Readable::Text(text),
        _ => Readable::Nothing,
    }
}

/// Returns a media type in lower case, without parameters.
fn essence(mime_type: &str) -> String {
    mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_text(essence: &str) -> bool {
    let is_structured = || essence.ends_with("+json") || essence.ends_with("+xml") || essence.ends_with("+yaml");
    essence.starts_with("text/") || TEXT_TYPES.contains(&essence) || is_structured()
}

fn image_format(bytes: &[u8]) -> Option<ImageFormat> {
    let is_webp = || bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    match bytes {
        bytes if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => Some(ImageFormat::Png),
        bytes if bytes.starts_with(b"\xff\xd8\xff") => Some(ImageFormat::Jpeg),
        bytes if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") => Some(ImageFormat::Gif),
        _ => is_webp().then_some(ImageFormat::Webp),
    }
}

/// Returns the format of audio, from its media type: many formats have no mark at their start.
fn audio_format(essence: &str) -> Option<AudioFormat> {
    let format = essence.strip_prefix("audio/")?;
    Some(match format.strip_prefix("x-").unwrap_or(format) {
        "wav" | "wave" | "vnd.wave" | "pn-wav" => AudioFormat::Wav,
        "mpeg" | "mp3" | "mpeg3" => AudioFormat::Mp3,
        "aac" => AudioFormat::Aac,
        "flac" => AudioFormat::Flac,
        "ogg" => AudioFormat::Ogg,
        "opus" => AudioFormat::Opus,
        "mp4" => AudioFormat::Mp4,
        "m4a" => AudioFormat::M4a,
        "webm" => AudioFormat::Webm,
        _ => return None,
    })
}

/// Returns the format of an office document, and the start of its bytes.
fn office_format(essence: &str) -> Option<(DocumentFormat, &'static [u8])> {
    Some(match essence {
        "application/msword" => (DocumentFormat::Doc, COMPOUND_FILE),
        "application/vnd.ms-excel" => (DocumentFormat::Xls, COMPOUND_FILE),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => (DocumentFormat::Docx, ZIP),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => (DocumentFormat::Xlsx, ZIP),
        _ => return None,
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
