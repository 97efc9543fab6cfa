//! UTF-8 decoder of streamed bytes. Invalid bytes become U+FFFD: one bad character does not cost a response.

use bytes::Bytes;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Decoder of streamed bytes.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// Start of a character whose end has not arrived yet.
    rest: Vec<u8>,
    has_begun: bool,
}

impl Utf8 {
    /// Returns the text that is complete with these bytes, without a byte order mark at the start.
    pub(super) fn push(&mut self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        let text = if self.rest.is_empty() && std::str::from_utf8(&bytes).is_ok() {
            bytes
        } else {
            let joined = [&std::mem::take(&mut self.rest), &bytes[..]].concat();
            self.decode(&joined)
        };
        if self.has_begun || text.is_empty() {
            return text;
        }
        self.has_begun = true;
        let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        text.slice(mark..)
    }

    /// Returns the rest at the end: a character that was cut.
    pub(super) fn end(&mut self) -> Bytes {
        if std::mem::take(&mut self.rest).is_empty() { Bytes::new() } else { "\u{fffd}".into() }
    }

    fn decode(&mut self, mut bytes: &[u8]) -> Bytes {
        let mut text = Vec::with_capacity(bytes.len());
        loop {
            let error = match std::str::from_utf8(bytes) {
                Ok(valid) => {
                    text.extend_from_slice(valid.as_bytes());
                    return text.into();
                }
                Err(error) => error,
            };
            let (valid, after) = bytes.split_at_checked(error.valid_up_to()).unwrap_or((bytes, &[]));
            text.extend_from_slice(valid);
            let Some(invalid) = error.error_len() else {
                self.rest = after.to_vec();
                return text.into();
            };
            text.extend_from_slice("\u{fffd}".as_bytes());
            bytes = after.get(invalid..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(bytes: &[u8], chunk: usize) -> String {
        let mut utf8 = Utf8::default();
        let mut text = Vec::new();
        for chunk in bytes.chunks(chunk) {
            text.extend_from_slice(&utf8.push(Bytes::copy_from_slice(chunk)));
        }
        text.extend_from_slice(&utf8.end());
        String::from_utf8(text).unwrap()
    }

    proptest! {
        #[test]
        fn decodes_bytes_alike_in_any_chunks(
            bytes in prop::collection::vec(prop::sample::select(vec![b'a', 0xc3, 0xbc, 0xf0, 0x9f, 0x8d, 0xaf, 0xff, 0xed, 0xa0]), 0..24),
            chunk in 1..5_usize
        ) {
            prop_assert_eq!(decoded(&bytes, chunk), String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn skips_a_byte_order_mark() {
        for chunk in 1..6 {
            assert_eq!(decoded("\u{feff}a\u{feff}".as_bytes(), chunk), "a\u{feff}");
        }
    }
}
