//! Media types of content blocks.

use strands_core::message::{AudioFormat, DocumentFormat, ImageFormat, VideoFormat};

/// Kind of a content block, with its format.
#[derive(Debug, PartialEq)]
pub(super) enum Format {
    Image(ImageFormat),
    Document(DocumentFormat),
    Video(VideoFormat),
    Audio(AudioFormat),
}

/// Media types of documents. The first of each format is the one that is written.
const DOCUMENTS: [(&str, DocumentFormat); 11] = [
    ("application/pdf", DocumentFormat::Pdf),
    ("text/csv", DocumentFormat::Csv),
    ("application/msword", DocumentFormat::Doc),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", DocumentFormat::Docx),
    ("application/vnd.ms-excel", DocumentFormat::Xls),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", DocumentFormat::Xlsx),
    ("text/html", DocumentFormat::Html),
    ("text/markdown", DocumentFormat::Md),
    ("text/x-markdown", DocumentFormat::Md),
    ("text/plain", DocumentFormat::Txt),
    ("application/json", DocumentFormat::Txt),
];

/// Returns the format of bytes with a media type, or, if it says nothing, with a file name.
pub(super) fn format_of(media_type: Option<&str>, filename: Option<&str>) -> Format {
    let essence = media_type.map(essence).unwrap_or_default();
    if essence.is_empty() || essence == "application/octet-stream" {
        return filename.and_then(extension).map_or_else(unknown, |extension| by_extension(&extension));
    }
    let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
    let subtype = subtype.strip_prefix("x-").unwrap_or(subtype);
    match kind {
        "image" => Format::Image(ImageFormat::from(subtype)),
        "video" => Format::Video(match subtype {
            "quicktime" => VideoFormat::Mov,
            "matroska" => VideoFormat::Mkv,
            "3gpp" | "3gpp2" => VideoFormat::ThreeGp,
            "ms-wmv" => VideoFormat::Wmv,
            other => VideoFormat::from(other),
        }),
        "audio" => Format::Audio(match subtype {
            "wave" | "vnd.wave" => AudioFormat::Wav,
            "mpeg" => AudioFormat::Mp3,
            other => AudioFormat::from(other),
        }),
        _ => Format::Document(match DOCUMENTS.iter().find(|(known, _)| *known == essence) {
            Some((_, format)) => format.clone(),
            None if kind == "text" => DocumentFormat::Txt,
            None => DocumentFormat::from(subtype),
        }),
    }
}

/// Returns the media type of an image.
pub(super) fn of_image(format: &ImageFormat) -> String {
    format!("image/{format}")
}

/// Returns the media type of a video.
pub(super) fn of_video(format: &VideoFormat) -> String {
    let subtype = match format {
        VideoFormat::Mov => "quicktime",
        VideoFormat::Mkv => "x-matroska",
        VideoFormat::ThreeGp => "3gpp",
        VideoFormat::Wmv => "x-ms-wmv",
        VideoFormat::Flv => "x-flv",
        VideoFormat::Mpg => "mpeg",
        other => other.as_str(),
    };
    format!("video/{subtype}")
}

/// Returns the media type of audio.
pub(super) fn of_audio(format: &AudioFormat) -> String {
    let subtype = match format {
        AudioFormat::Mp3 | AudioFormat::Mpga => "mpeg",
        AudioFormat::Mkv | AudioFormat::Mka => "x-matroska",
        AudioFormat::M4a => "mp4",
        other => other.as_str(),
    };
    format!("audio/{subtype}")
}

/// Returns a media type in lower case, without parameters.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn extension(filename: &str) -> Option<String> {
    filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}

fn by_extension(extension: &str) -> Format {
    let image = ImageFormat::from(extension);
    if !matches!(image, ImageFormat::Other(_)) {
        return Format::Image(image);
    }
    let document = DocumentFormat::from(extension);
    if !matches!(document, DocumentFormat::Other(_)) {
        return Format::Document(document);
    }
    // Formats that are both, such as MP4, are mostly videos.
    let video = VideoFormat::from(extension);
    if !matches!(video, VideoFormat::Other(_)) {
        return Format::Video(video);
    }
    match AudioFormat::from(extension) {
        AudioFormat::Other(_) => Format::Document(document),
        audio => Format::Audio(audio),
    }
}

fn unknown() -> Format {
    Format::Document(DocumentFormat::Other("bin".to_owned()))
}
