//! Media that models generate, as content blocks. Providers send them as base64 with a MIME type, or as a URL.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use strands_core::message::{
    AudioBlock, AudioFormat, ContentBlock, ImageBlock, ImageFormat, MediaSource, VideoBlock, VideoFormat,
};

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns the media block of a MIME type with bytes in base64; `None` for another type or without bytes. Parameters of the type
/// are part of the format only for audio, where they contain the sample rate.
pub(crate) fn of_base64(mime: &str, encoded: &str) -> Option<ContentBlock> {
    let (kind, format) = mime.trim().split_once('/')?;
    let kind = kind.to_ascii_lowercase();
    let bare = format.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(&*kind, "image" | "audio" | "video") || bare.is_empty() {
        return None;
    }
    let source = MediaSource::from(decoded(encoded)?);
    Some(match &*kind {
        "image" => ImageBlock::new(ImageFormat::from(&*bare), source).into(),
        "audio" => AudioBlock::new(AudioFormat::from(if format.contains(';') { format } else { &bare }), source).into(),
        _ => VideoBlock::new(video_format(&bare), source).into(),
    })
}

/// Decodes base64, which may have line breaks; `None` without bytes.
fn decoded(encoded: &str) -> Option<Vec<u8>> {
    let encoded = encoded.trim();
    let bytes = BASE64.decode(encoded).or_else(|_| {
        let unbroken: String = encoded.split_ascii_whitespace().collect();
        BASE64.decode(unbroken)
    });
    bytes.ok().filter(|bytes| !bytes.is_empty())
}

fn video_format(format: &str) -> VideoFormat {
    match format {
        "quicktime" => VideoFormat::Mov,
        "x-matroska" => VideoFormat::Mkv,
        "x-flv" => VideoFormat::Flv,
        format => VideoFormat::from(format),
    }
}

/// Returns the media block of a data URL, or the image of a web address.
#[cfg(feature = "_chat")]
pub(crate) fn of_url(url: &str) -> Option<ContentBlock> {
    if let Some(data) = url.strip_prefix("data:") {
        let (head, encoded) = data.split_once(',')?;
        let (mime, encoding) = head.rsplit_once(';')?;
        return if encoding.trim().eq_ignore_ascii_case("base64") { of_base64(mime, encoded) } else { None };
    }
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let format = || {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let ending = path.rsplit('/').next().unwrap_or_default().rsplit_once('.').map(|(_, ending)| ending);
        ImageFormat::from(ending.unwrap_or("png"))
    };
    is_web.then(|| ImageBlock::new(format(), MediaSource::location("url", url)).into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn json(block: Option<ContentBlock>) -> Value {
        serde_json::to_value(block).unwrap()
    }

    fn bytes(data: &str) -> Value {
        json!({"bytes": {"__bytes_encoded__": true, "data": data}})
    }

    #[test]
    fn reads_the_format_of_the_mime_type() {
        for (mime, kind, format) in [
            ("image/png", "image", "png"),
            ("image/jpeg", "image", "jpeg"),
            ("image/svg+xml", "image", "svg+xml"),
            ("image/png;charset=utf-8", "image", "png"),
            ("IMAGE/JPG", "image", "jpeg"),
            ("audio/WAV", "audio", "wav"),
            ("audio/L16;codec=pcm;rate=24000", "audio", "L16;codec=pcm;rate=24000"),
            ("video/quicktime", "video", "mov"),
        ] {
            assert_eq!(
                json(of_base64(mime, "AAE")),
                json!({kind: {"format": format, "source": bytes("AAE=")}}),
                "{mime}"
            );
        }
        for (mime, data) in [("text/csv", "AAE="), ("image/png", ""), ("image/png", "no!"), ("image/", "AAE=")] {
            assert_eq!(of_base64(mime, data), None, "{mime} {data}");
        }
    }

    #[cfg(feature = "_chat")]
    #[test]
    fn decodes_data_urls_and_keeps_others() {
        assert_eq!(
            json(of_url("data:image/webp;base64,AAE=")),
            json!({"image": {"format": "webp", "source": bytes("AAE=")}})
        );
        let there = |uri: &str, format: &str| json!({"image": {"format": format, "source": {"location": {"type": "url", "uri": uri}}}});
        for url in ["data:IMAGE/WEBP;BASE64,AAE=", "data:image/webp;charset=utf-8;base64,A\nAE=\n"] {
            assert_eq!(json(of_url(url)), json(of_url("data:image/webp;base64,AAE=")), "{url}");
        }
        for (url, format) in [("https://a.b/c.jpeg?x=1.png", "jpeg"), ("https://a.b/c", "png")] {
            assert_eq!(json(of_url(url)), there(url, format), "{url}");
        }
        for url in ["", "file:///etc/passwd", "data:image/png,AAE", "data:text/html;base64,AAE="] {
            assert_eq!(of_url(url), None, "{url}");
        }
    }
}
