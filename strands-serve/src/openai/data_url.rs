//! Data URLs: `data:image/png;base64,iVBOR..`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// The content of a data URL.
pub(super) struct DataUrl<'a> {
    /// Media type without parameters, such as `image/png`.
    pub(super) media_type: &'a str,
    pub(super) bytes: Bytes,
}

impl<'a> DataUrl<'a> {
    /// Parses a data URL with base64. `None` if it is another URL or invalid.
    pub(super) fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        let (header, data) = rest.split_once(',')?;
        let (media_type, encoding) = header.rsplit_once(';')?;
        if !scheme.eq_ignore_ascii_case("data") || !encoding.trim().eq_ignore_ascii_case("base64") {
            return None;
        }
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        Some(Self { media_type, bytes: decode(data)? })
    }
}

/// Decodes base64.
pub(super) fn decode(data: &str) -> Option<Bytes> {
    STANDARD.decode(data.trim()).ok().filter(|bytes| !bytes.is_empty()).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_base64_alone() {
        let url = DataUrl::parse("data:image/png;base64,AAEC").unwrap();
        assert_eq!((url.media_type, &url.bytes[..]), ("image/png", &[0, 1, 2][..]));
        let url = DataUrl::parse("DATA:text/plain;charset=utf-8;BASE64,aGk=").unwrap();
        assert_eq!((url.media_type, &url.bytes[..]), ("text/plain", &b"hi"[..]));
        for invalid in [
            "",
            "data:",
            "data:image/png,AAEC",
            "data:image/png;base64,",
            "data:image/png;base64,A",
            "data:image/png;base64,%41",
            "https://example.com/;base64,AAEC",
        ] {
            assert!(DataUrl::parse(invalid).is_none(), "{invalid}");
        }
    }
}
