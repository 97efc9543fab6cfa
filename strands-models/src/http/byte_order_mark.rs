//! Byte order mark at the start of a response, which is not part of its text.

use bytes::Bytes;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Removes a byte order mark from streamed bytes.
#[derive(Debug, Default)]
pub(super) struct ByteOrderMark {
    /// Start of the bytes, while it may be that of a mark.
    start: Vec<u8>,
    has_begun: bool,
}

impl ByteOrderMark {
    /// Returns the bytes that are not part of a mark, as far as that is known.
    pub(super) fn skip(&mut self, bytes: Bytes) -> Bytes {
        if self.has_begun {
            return bytes;
        }
        let bytes = if self.start.is_empty() { bytes } else { [&self.start, &bytes[..]].concat().into() };
        self.start.clear();
        if bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&bytes) {
            self.start.extend_from_slice(&bytes);
            return Bytes::new();
        }
        self.has_begun = true;
        let mark = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        bytes.slice(mark..)
    }

    /// Returns the rest at the end: a mark that was cut.
    pub(super) fn end(&mut self) -> Bytes {
        self.has_begun = true;
        std::mem::take(&mut self.start).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_a_byte_order_mark_at_the_start() {
        for (bytes, text) in [
            ("\u{feff}a\u{feff}".as_bytes(), "a\u{feff}".as_bytes()),
            (b"a", b"a"),
            (b"\xef\xbb", b"\xef\xbb"),
            (b"\xefa", b"\xefa"),
            (b"", b""),
        ] {
            for chunk in 1..6 {
                let mut mark = ByteOrderMark::default();
                let mut read: Vec<u8> =
                    bytes.chunks(chunk).flat_map(|chunk| mark.skip(Bytes::copy_from_slice(chunk))).collect();
                read.extend(mark.end());
                assert_eq!(read, text, "{bytes:?} in chunks of {chunk}");
            }
        }
    }
}
