//! Bytes in JSON, in the format of Strands: `{"__bytes_encoded__": true, "data": "<base64>"}`.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

#[derive(Deserialize)]
#[serde(untagged)]
enum Encoded {
    Strands { data: String },
    // Bedrock's own JSON has only the base64 text.
    Plain(String),
}

pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let mut encoded = serializer.serialize_struct("Bytes", 2)?;
    encoded.serialize_field("__bytes_encoded__", &true)?;
    encoded.serialize_field("data", &STANDARD.encode(bytes))?;
    encoded.end()
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let (Encoded::Strands { data } | Encoded::Plain(data)) = Encoded::deserialize(deserializer).map_err(|_| {
        D::Error::custom(r#"bytes must be {"__bytes_encoded__": true, "data": "<base64>"} or base64 text"#)
    })?;
    STANDARD.decode(data).map(Bytes::from).map_err(|error| D::Error::custom(format!("bytes are not base64: {error}")))
}

/// Wrapper that serializes bytes in this format.
pub(super) struct AsEncoded<'a>(pub(super) &'a Bytes);

impl Serialize for AsEncoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.0, serializer)
    }
}

/// The format for optional fields.
pub(super) mod optional {
    use super::{Bytes, Deserializer, Serializer};

    pub(in crate::message) fn serialize<S: Serializer>(
        bytes: &Option<Bytes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => super::serialize(bytes, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::message) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Bytes>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

/// JSON schema of the format.
pub(super) struct EncodedBytes;

impl JsonSchema for EncodedBytes {
    fn schema_name() -> Cow<'static, str> {
        "EncodedBytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Bytes.",
            "type": "object",
            "properties": {
                "__bytes_encoded__": {"const": true},
                "data": {"type": "string", "contentEncoding": "base64"},
            },
            "required": ["__bytes_encoded__", "data"],
        })
    }
}
