//! Amazon's `application/vnd.amazon.eventstream` framing, encoded and decoded without the AWS SDK.
//!
//! A frame is: total length and header length (big-endian `u32` each), the CRC-32 of these eight bytes, the headers, the
//! payload, and the CRC-32 of everything before it.
//!
//! ```
//! use strands_testkit::eventstream::{self, Frame};
//!
//! let frame = Frame::event("messageStop", &serde_json::json!({"stopReason": "end_turn"}));
//! let bytes = eventstream::encode([&frame]);
//! assert_eq!(eventstream::decode(&bytes).unwrap(), [frame]);
//! ```

use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::Value;

mod decode;

pub use decode::{DecodeError, Reason, decode, frame_ends};

/// Bytes before the headers: two lengths and their checksum.
const PRELUDE: usize = 12;
/// Bytes after the payload: the checksum.
const TRAILER: usize = 4;

/// One frame of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Headers, in order.
    pub headers: Vec<(String, HeaderValue)>,
    /// Payload; JSON for Bedrock.
    pub payload: Bytes,
}

/// Value of a frame header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// Types 0 and 1.
    Bool(bool),
    /// Type 2.
    Byte(i8),
    /// Type 3.
    Short(i16),
    /// Type 4.
    Int(i32),
    /// Type 5.
    Long(i64),
    /// Type 6, up to 65,535 bytes.
    Bytes(Bytes),
    /// Type 7, up to 65,535 bytes.
    String(String),
    /// Type 8, milliseconds since 1970.
    Timestamp(i64),
    /// Type 9.
    Uuid([u8; 16]),
}

/// Damage to apply to an encoded frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The checksum of the prelude is wrong.
    PreludeCrc,
    /// The checksum of the message is wrong.
    MessageCrc,
    /// Only this many bytes of the frame are sent.
    Truncated(usize),
    /// The prelude announces this total length, with a correct prelude checksum.
    Length(u32),
}

impl Frame {
    /// Creates an event of this type with a JSON payload.
    pub fn event(event_type: &str, payload: &Value) -> Self {
        Self::json([(":event-type", event_type)], "event", payload)
    }

    /// Creates a modelled exception, such as `throttlingException`, in the middle of a stream.
    pub fn exception(exception_type: &str, payload: &Value) -> Self {
        Self::json([(":exception-type", exception_type)], "exception", payload)
    }

    /// Creates an unmodelled error: code and message are in the headers, the payload is empty.
    pub fn error(code: &str, message: &str) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), HeaderValue::String(value.to_owned()));
        let headers =
            vec![header(":error-code", code), header(":error-message", message), header(":message-type", "error")];
        Self { headers, payload: Bytes::new() }
    }

    fn json(kind: [(&str, &str); 1], message_type: &str, payload: &Value) -> Self {
        let headers = kind
            .into_iter()
            .chain([(":content-type", "application/json"), (":message-type", message_type)])
            .map(|(name, value)| (name.to_owned(), HeaderValue::String(value.to_owned())))
            .collect();
        Self { headers, payload: Bytes::from(payload.to_string()) }
    }

    /// Appends a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: HeaderValue) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// Replaces the payload, which need not be JSON.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Returns the first header with this name, if it is a string.
    pub fn string(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| match value {
            HeaderValue::String(text) if key == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// Encodes the frame.
    pub fn encode(&self) -> Bytes {
        self.encode_with(None)
    }

    /// Encodes the frame with this damage.
    pub fn encode_damaged(&self, damage: Damage) -> Bytes {
        self.encode_with(Some(damage))
    }

    fn encode_with(&self, damage: Option<Damage>) -> Bytes {
        let mut headers = BytesMut::new();
        for (name, value) in &self.headers {
            let length = u8::try_from(name.len()).unwrap_or_else(|_| panic!("header name longer than 255: {name}"));
            headers.put_u8(length);
            headers.put_slice(name.as_bytes());
            value.encode(&mut headers);
        }
        let total = length_u32(PRELUDE + headers.len() + self.payload.len() + TRAILER);
        let total = if let Some(Damage::Length(announced)) = damage { announced } else { total };
        let mut out = BytesMut::new();
        out.put_u32(total);
        out.put_u32(length_u32(headers.len()));
        let crc = crc32fast::hash(&out);
        out.put_u32(if damage == Some(Damage::PreludeCrc) { !crc } else { crc });
        out.put_slice(&headers);
        out.put_slice(&self.payload);
        let crc = crc32fast::hash(&out);
        out.put_u32(if damage == Some(Damage::MessageCrc) { !crc } else { crc });
        if let Some(Damage::Truncated(length)) = damage {
            out.truncate(length);
        }
        out.freeze()
    }
}

impl HeaderValue {
    fn encode(&self, out: &mut BytesMut) {
        let put_long = |out: &mut BytesMut, kind: u8, bytes: &[u8]| {
            let length = u16::try_from(bytes.len()).unwrap_or_else(|_| panic!("header value of {} bytes", bytes.len()));
            out.put_u8(kind);
            out.put_u16(length);
            out.put_slice(bytes);
        };
        match self {
            Self::Bool(value) => out.put_u8(u8::from(!value)),
            Self::Byte(value) => {
                out.put_u8(2);
                out.put_i8(*value);
            }
            Self::Short(value) => {
                out.put_u8(3);
                out.put_i16(*value);
            }
            Self::Int(value) => {
                out.put_u8(4);
                out.put_i32(*value);
            }
            Self::Long(value) => {
                out.put_u8(5);
                out.put_i64(*value);
            }
            Self::Bytes(value) => put_long(out, 6, value),
            Self::String(value) => put_long(out, 7, value.as_bytes()),
            Self::Timestamp(value) => {
                out.put_u8(8);
                out.put_i64(*value);
            }
            Self::Uuid(value) => {
                out.put_u8(9);
                out.put_slice(value);
            }
        }
    }
}

fn length_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or_else(|_| panic!("a frame of {length} bytes does not fit its format"))
}

/// Encodes frames as one stream of bytes.
pub fn encode<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Bytes {
    let mut out = BytesMut::new();
    for frame in frames {
        out.put_slice(&frame.encode());
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Published test vectors of the format: an empty message, and one with a header and a payload.
    #[test]
    fn encodes_and_decodes_published_vectors() {
        let empty = Frame { headers: Vec::new(), payload: Bytes::new() };
        let bytes = [0u8, 0, 0, 16, 0, 0, 0, 0, 5, 194, 72, 235, 125, 152, 200, 255];
        assert_eq!(empty.encode(), &bytes[..]);
        assert_eq!(decode(&bytes).unwrap(), [empty]);

        let full = Frame { headers: Vec::new(), payload: Bytes::from_static(b"{'foo':'bar'}") }
            .header("content-type", HeaderValue::String("application/json".to_owned()));
        let bytes = [
            &[0u8, 0, 0, 0x3d, 0, 0, 0, 0x20, 0x07, 0xfd, 0x83, 0x96, 0x0c][..],
            b"content-type\x07\x00\x10application/json{'foo':'bar'}",
            &[0x8d, 0x9c, 0x08, 0xb1],
        ]
        .concat();
        assert_eq!(full.encode(), bytes);
        assert_eq!(decode(&bytes).unwrap(), [full]);
    }

    #[test]
    fn round_trips_every_header_type() {
        let frame = Frame::event("x", &json!({}))
            .header("true", HeaderValue::Bool(true))
            .header("false", HeaderValue::Bool(false))
            .header("byte", HeaderValue::Byte(-2))
            .header("short", HeaderValue::Short(-300))
            .header("int", HeaderValue::Int(-70_000))
            .header("long", HeaderValue::Long(i64::MIN))
            .header("bytes", HeaderValue::Bytes(Bytes::from_static(&[0, 255])))
            .header("time", HeaderValue::Timestamp(1_700_000_000_000))
            .header("uuid", HeaderValue::Uuid([7; 16]));
        assert_eq!(decode(&frame.encode()).unwrap(), [frame]);
    }
}
