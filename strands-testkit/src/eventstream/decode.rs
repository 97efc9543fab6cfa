//! Decoder of frames, up to the first one that is broken.

use std::fmt;

use bytes::Bytes;

use super::{Frame, HeaderValue, PRELUDE, TRAILER};

/// An error returned by [`decode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The frames before the broken one, which a reader may have processed.
    pub frames: Vec<Frame>,
    /// Offset of the broken frame, in bytes.
    pub offset: usize,
    /// Defect of the frame.
    pub reason: Reason,
}

/// Defect of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The stream ends inside the frame.
    Truncated,
    /// The checksum of the prelude does not match.
    PreludeCrc,
    /// The checksum of the message does not match.
    MessageCrc,
    /// Lengths or headers contradict each other.
    Malformed,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, offset, reason } = self;
        write!(formatter, "frame {} at byte {offset} cannot be read: {reason:?}", frames.len())
    }
}

impl std::error::Error for DecodeError {}

/// Decodes a stream.
///
/// # Errors
/// Returns the first incomplete or damaged frame, with the frames before it.
pub fn decode(stream: &[u8]) -> Result<Vec<Frame>, DecodeError> {
    let mut frames = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        match decode_frame(rest) {
            Ok((frame, after)) => {
                frames.push(frame);
                rest = after;
            }
            Err(reason) => {
                return Err(DecodeError { frames, offset: stream.len() - rest.len(), reason });
            }
        }
    }
    Ok(frames)
}

/// Returns the end offset of each frame of a stream, in bytes. Panics if the stream cannot be decoded.
pub fn frame_ends(stream: &[u8]) -> Vec<usize> {
    let frames = decode(stream).unwrap_or_else(|error| panic!("{error}"));
    let mut end = 0;
    frames
        .iter()
        .map(|frame| {
            end += frame.encode().len();
            end
        })
        .collect()
}

fn decode_frame(stream: &[u8]) -> Result<(Frame, &[u8]), Reason> {
    let mut reader = Reader(stream);
    let total = reader.length()?;
    let header_length = reader.length()?;
    let crc = reader.u32()?;
    if crc32fast::hash(stream.get(..PRELUDE - 4).unwrap_or_default()) != crc {
        return Err(Reason::PreludeCrc);
    }
    let payload_length = total
        .checked_sub(PRELUDE + TRAILER)
        .and_then(|rest| rest.checked_sub(header_length))
        .ok_or(Reason::Malformed)?;
    let mut headers = Reader(reader.take(header_length)?);
    let payload = Bytes::copy_from_slice(reader.take(payload_length)?);
    if crc32fast::hash(stream.get(..total - TRAILER).unwrap_or_default()) != reader.u32()? {
        return Err(Reason::MessageCrc);
    }
    let mut frame = Frame { headers: Vec::new(), payload };
    while !headers.0.is_empty() {
        // The length of the headers is known, so running out of them is malformed rather than truncated.
        frame.headers.push(headers.header().map_err(|_| Reason::Malformed)?);
    }
    Ok((frame, reader.0))
}

/// The bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Reason> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Reason::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Reason::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Reason> {
        self.array().map(u32::from_be_bytes)
    }

    fn length(&mut self) -> Result<usize, Reason> {
        self.u32().and_then(|length| usize::try_from(length).map_err(|_| Reason::Malformed))
    }

    fn text(&mut self, length: usize) -> Result<String, Reason> {
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| Reason::Malformed)
    }

    fn header(&mut self) -> Result<(String, HeaderValue), Reason> {
        let [length] = self.array()?;
        let name = self.text(length.into())?;
        let [kind] = self.array()?;
        let value = match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            2 => HeaderValue::Byte(i8::from_be_bytes(self.array()?)),
            3 => HeaderValue::Short(i16::from_be_bytes(self.array()?)),
            4 => HeaderValue::Int(i32::from_be_bytes(self.array()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(self.array()?)),
            6 => {
                let length = u16::from_be_bytes(self.array()?).into();
                HeaderValue::Bytes(Bytes::copy_from_slice(self.take(length)?))
            }
            7 => {
                let length = u16::from_be_bytes(self.array()?).into();
                HeaderValue::String(self.text(length)?)
            }
            8 => HeaderValue::Timestamp(i64::from_be_bytes(self.array()?)),
            9 => HeaderValue::Uuid(self.array()?),
            _ => return Err(Reason::Malformed),
        };
        Ok((name, value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::eventstream::{Damage, encode};

    #[test]
    fn detects_damage_and_keeps_earlier_frames() {
        let good = Frame::event("a", &json!({"n": 1}));
        let bad = Frame::exception("throttlingException", &json!({"message": "slow down"}));
        let whole = bad.encode();
        let cases = [
            (Damage::PreludeCrc, Reason::PreludeCrc),
            (Damage::MessageCrc, Reason::MessageCrc),
            (Damage::Length(1), Reason::Malformed),
            (Damage::Length(u32::MAX), Reason::Truncated),
        ];
        let cut = (1..whole.len()).map(|length| (Damage::Truncated(length), Reason::Truncated));
        for (damage, reason) in cases.into_iter().chain(cut) {
            let stream = [good.encode(), bad.encode_damaged(damage)].concat();
            let error = decode(&stream).unwrap_err();
            assert_eq!(error.reason, reason, "{damage:?}");
            assert_eq!(error.frames.as_slice(), std::slice::from_ref(&good));
            assert_eq!(error.offset, good.encode().len());
        }
    }

    #[test]
    fn detects_any_flipped_bit() {
        let bytes = Frame::event("contentBlockDelta", &json!({"delta": {"text": "hi"}})).encode();
        for position in 0..bytes.len() {
            let mut flipped = bytes.to_vec();
            flipped[position] ^= 0x10;
            assert!(decode(&flipped).is_err(), "byte {position}");
        }
    }

    #[test]
    fn round_trips_recorded_streams() {
        let Some(recordings) = crate::recordings("bedrock") else {
            return;
        };
        let mut streams = 0;
        for recording in &recordings {
            for exchange in &recording.exchanges {
                if !exchange.response.content_type.contains("vnd.amazon.eventstream") {
                    continue;
                }
                streams += 1;
                let body = &exchange.response.body;
                let frames = decode(body).unwrap_or_else(|error| panic!("{}: {error}", recording.name));
                assert_eq!(encode(&frames), body, "{}", recording.name);
                assert_eq!(frame_ends(body).last(), Some(&body.len()));
                for frame in &frames {
                    let kind = frame.string(":message-type");
                    assert_eq!(kind, Some("event"), "{}", recording.name);
                }
            }
        }
        assert!(streams > 0, "no recording of Bedrock holds an event stream");
    }
}
