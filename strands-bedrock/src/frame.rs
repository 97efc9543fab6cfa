//! Frames of an event stream, read where they are: headers and payload borrow from the frame.
//! Format: <https://smithy.io/2.0/aws/amazon-eventstream.html>.

use bytes::{Bytes, BytesMut};

/// Length of a frame's prelude: its length, the length of its headers, and a checksum of both, four bytes each.
const PRELUDE: usize = 12;
/// Length of the checksum at the end of a frame.
const CHECKSUM: usize = 4;
/// Maximum overhead of a frame over its content: headers, field names and padding.
const OVERHEAD: usize = 128 * 1024;

/// A frame, with the headers that Bedrock sets.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Frame<'a> {
    pub(crate) message_type: Option<&'a str>,
    pub(crate) event_type: Option<&'a str>,
    pub(crate) exception_type: Option<&'a str>,
    pub(crate) error_code: Option<&'a str>,
    pub(crate) error_message: Option<&'a str>,
    pub(crate) payload: &'a [u8],
}

/// Reasons why a frame can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of the stream has an invalid checksum of its prelude")]
    PreludeChecksum,
    #[error("a frame of the stream has an invalid checksum")]
    Checksum,
    #[error("a frame of the stream has invalid lengths")]
    Lengths,
    #[error("a frame of the stream has an invalid header")]
    Header,
    #[error("a frame of the stream has {0} bytes, which is too long")]
    TooLong(usize),
}

impl<'a> Frame<'a> {
    /// Reads a complete frame.
    ///
    /// # Errors
    ///
    /// Returns [`FrameError`] if a checksum, a length or a header is invalid.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(FrameError::Lengths)?;
        let prelude = content.first_chunk().ok_or(FrameError::Lengths)?;
        let (length, headers) = lengths(prelude)?;
        if length != bytes.len() {
            return Err(FrameError::Lengths);
        }
        if crc32fast::hash(content) != u32::from_be_bytes(*checksum) {
            return Err(FrameError::Checksum);
        }
        let rest = content.get(PRELUDE..).unwrap_or_default();
        let (mut headers, payload) = rest.split_at_checked(headers).ok_or(FrameError::Lengths)?;
        let mut frame = Self { payload, ..Self::default() };
        while !headers.is_empty() {
            frame.read_header(&mut headers).ok_or(FrameError::Header)?;
        }
        Ok(frame)
    }

    /// Takes a header from the front. Returns `None` if it is invalid.
    fn read_header(&mut self, headers: &mut &'a [u8]) -> Option<()> {
        let length = take(headers, 1)?.first().copied()?;
        let name = take(headers, length.into())?;
        let kind = take(headers, 1)?.first().copied()?;
        let length = match kind {
            // True, false.
            0 | 1 => 0,
            // Integers of 8, 16, 32 and 64 bits.
            2 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            // Bytes, text.
            6 | 7 => usize::from(u16::from_be_bytes(take(headers, 2)?.try_into().ok()?)),
            // Timestamp, UUID.
            8 => 8,
            9 => 16,
            _ => return None,
        };
        let value = take(headers, length)?;
        let known = match name {
            b":message-type" => &mut self.message_type,
            b":event-type" => &mut self.event_type,
            b":exception-type" => &mut self.exception_type,
            b":error-code" => &mut self.error_code,
            b":error-message" => &mut self.error_message,
            _ => return Some(()),
        };
        if kind == 7 {
            *known = Some(std::str::from_utf8(value).ok()?);
        }
        Some(())
    }
}

/// Takes this number of bytes from the front.
fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Returns the lengths of a frame and of its headers. They are used only if their checksum is right.
fn lengths(prelude: &[u8; PRELUDE]) -> Result<(usize, usize), FrameError> {
    let [a, b, c, d, e, f, g, h, checksum @ ..] = *prelude;
    if crc32fast::hash(&[a, b, c, d, e, f, g, h]) != u32::from_be_bytes(checksum) {
        return Err(FrameError::PreludeChecksum);
    }
    Ok((u32::from_be_bytes([a, b, c, d]) as usize, u32::from_be_bytes([e, f, g, h]) as usize))
}

/// Buffer that takes frames out of the chunks of a response.
pub(crate) struct FrameBuffer {
    /// Unread bytes of the latest chunk. Frames that it has completely are not copied.
    chunk: Bytes,
    /// Beginning of a frame whose rest is not in `chunk`.
    begun: BytesMut,
    /// Maximum length of a frame.
    limit: usize,
}

impl FrameBuffer {
    /// Creates an empty buffer, for content of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { chunk: Bytes::new(), begun: BytesMut::new(), limit: limit.saturating_add(OVERHEAD) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunk.is_empty() && self.begun.is_empty()
    }

    /// Sets the next chunk, after all complete frames of the previous one have been taken.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// Takes a frame, if it is complete.
    ///
    /// # Errors
    ///
    /// Returns [`FrameError`] if the lengths of the frame are invalid. The length is limited before memory is reserved.
    pub(crate) fn take(&mut self) -> Result<Option<Bytes>, FrameError> {
        if self.begun.is_empty() {
            if let Some(length) = self.length(&self.chunk)?.filter(|length| *length <= self.chunk.len()) {
                return Ok(Some(self.chunk.split_to(length)));
            }
            // The connection can use the buffer of the chunk again.
            self.begun.extend_from_slice(&std::mem::take(&mut self.chunk));
            return Ok(None);
        }
        self.complete(PRELUDE);
        let Some(length) = self.length(&self.begun)? else {
            return Ok(None);
        };
        self.complete(length);
        Ok((self.begun.len() >= length).then(|| self.begun.split_to(length).freeze()))
    }

    /// Moves bytes of the chunk to the frame that was begun, until it has `length` bytes.
    fn complete(&mut self, length: usize) {
        let missing = length.saturating_sub(self.begun.len()).min(self.chunk.len());
        self.begun.extend_from_slice(&self.chunk.split_to(missing));
    }

    /// Returns the length of the frame that begins with these bytes, if its prelude is complete.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(prelude) = bytes.first_chunk() else {
            return Ok(None);
        };
        let (length, _) = lengths(prelude)?;
        if length > self.limit {
            return Err(FrameError::TooLong(length));
        }
        // A frame that is too short for its own parts is read to fail.
        Ok(Some(length.max(PRELUDE)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use strands_testkit::converse::ConverseStream;
    use strands_testkit::eventstream;

    use super::*;

    fn event() -> Vec<u8> {
        eventstream::Frame::event("messageStop", &json!({"stopReason": "end_turn"})).encode().to_vec()
    }

    /// Returns a frame with these headers and correct checksums.
    fn with_headers(headers: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        frame.extend(u32::try_from(PRELUDE + headers.len() + CHECKSUM).unwrap().to_be_bytes());
        frame.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        frame.extend(headers);
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        frame
    }

    #[test]
    fn reads_headers_and_payload() {
        let bytes = event();
        let frame = Frame::read(&bytes).unwrap();
        assert_eq!((frame.message_type, frame.event_type), (Some("event"), Some("messageStop")));
        assert_eq!(frame.payload, br#"{"stopReason":"end_turn"}"#);
    }

    #[test]
    fn skips_headers_of_all_types() {
        let values: [&[u8]; 10] = [
            &[0],
            &[1],
            &[2, 1],
            &[3, 0, 1],
            &[4, 0, 0, 0, 1],
            &[5, 0, 0, 0, 0, 0, 0, 0, 1],
            &[6, 0, 2, 0xff, 0xfe],
            &[7, 0, 1, b'x'],
            &[8, 0, 0, 0, 0, 0, 0, 0, 1],
            &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ];
        let mut headers = Vec::new();
        for value in values {
            headers.extend(b"\x01h");
            headers.extend(value);
        }
        headers.extend(b"\x0b:event-type\x07\x00\x03new");
        let bytes = with_headers(&headers);
        assert_eq!(Frame::read(&bytes).unwrap(), Frame { event_type: Some("new"), ..Frame::default() });
    }

    #[test]
    fn rejects_invalid_headers_and_lengths() {
        let headers: [&[u8]; 6] = [
            b"\x01",
            b"\x01h",
            b"\x01h\x0a",
            b"\x01h\x05\x00",
            b"\x01h\x07\x00\x02x",
            b"\x0b:event-type\x07\x00\x01\xff",
        ];
        for invalid in headers {
            assert_eq!(Frame::read(&with_headers(invalid)), Err(FrameError::Header), "{invalid:?}");
        }
        assert_eq!(Frame::read(&event()[..PRELUDE]), Err(FrameError::Lengths));
        let mut long = event();
        long.push(0);
        assert_eq!(Frame::read(&long), Err(FrameError::Lengths));
    }

    #[test]
    fn rejects_a_long_frame_by_its_prelude() {
        let mut prelude = [u32::MAX.to_be_bytes(), 0_u32.to_be_bytes()].concat();
        prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
        let mut buffer = FrameBuffer::new(1024);
        buffer.push(prelude.into());
        assert_eq!(buffer.take(), Err(FrameError::TooLong(u32::MAX as usize)));
    }

    proptest! {
        #[test]
        fn takes_the_same_frames_from_chunks_of_any_length(lengths in prop::collection::vec(1_usize..200, 1..200)) {
            let frames = ConverseStream::new().text(["a", "b", "c"]).stop("end_turn").usage(1, 2);
            let whole = frames.encode();
            let mut rest = whole.clone();
            let mut lengths = lengths.into_iter().cycle();
            let mut buffer = FrameBuffer::new(1024);
            let mut taken = Vec::new();
            while !rest.is_empty() {
                buffer.push(rest.split_to(lengths.next().unwrap().min(rest.len())));
                while let Some(frame) = buffer.take().unwrap() {
                    prop_assert!(Frame::read(&frame).is_ok());
                    taken.push(frame);
                }
            }
            prop_assert!(buffer.is_empty());
            prop_assert_eq!(taken.len(), frames.frames().len());
            prop_assert_eq!(taken.concat(), whole.to_vec());
        }

        /// Also a bit of a length, after which the stream may wait for more bytes, but returns no frame.
        #[test]
        fn never_returns_a_frame_with_a_changed_bit(at in any::<prop::sample::Index>(), bit in 0_u32..8, chunk in 1_usize..200) {
            let mut bytes = event();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let mut buffer = FrameBuffer::new(1024);
            for chunk in bytes.chunks(chunk) {
                buffer.push(Bytes::copy_from_slice(chunk));
                match buffer.take() {
                    Ok(Some(frame)) => prop_assert!(Frame::read(&frame).is_err()),
                    Ok(None) => {}
                    Err(_) => return Ok(()),
                }
            }
        }

        #[test]
        fn arbitrary_bytes_with_valid_checksums_are_read_or_rejected(
            lengths in any::<[u16; 2]>(),
            rest in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut frame = lengths.map(|length| u32::from(length % 120).to_be_bytes()).concat();
            frame.extend(crc32fast::hash(&frame).to_be_bytes());
            frame.extend(&rest);
            let length = usize::from(lengths[0] % 120).clamp(PRELUDE, frame.len());
            if length >= PRELUDE + CHECKSUM {
                let checksum = crc32fast::hash(&frame[..length - CHECKSUM]).to_be_bytes();
                frame[length - CHECKSUM..length].copy_from_slice(&checksum);
            }
            let mut buffer = FrameBuffer::new(1024);
            buffer.push(frame.into());
            while let Ok(Some(frame)) = buffer.take() {
                let _ = Frame::read(&frame);
            }
        }

        #[test]
        fn arbitrary_headers_are_read_or_rejected(headers in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Frame::read(&with_headers(&headers));
        }
    }

    /// A connection that still sees its buffer in use allocates another one.
    #[test]
    fn releases_a_chunk_before_the_next() {
        for more in [0, 3] {
            let chunk = Bytes::from([event(), event()[..more].to_vec()].concat());
            let mut buffer = FrameBuffer::new(1024);
            buffer.push(chunk.clone());
            assert!(buffer.take().unwrap().is_some());
            assert!(buffer.take().unwrap().is_none() && chunk.is_unique(), "{more}");
            assert_eq!(buffer.is_empty(), more == 0);
        }
    }
}
