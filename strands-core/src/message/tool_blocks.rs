//! Tool calls and tool results.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer, de};
use serde_json::{Map, Value};

use super::{AudioBlock, DocumentBlock, ImageBlock, UnknownFields, VideoBlock, keyed, wire_enum};

/// A tool call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolUse {
    /// Id of the call. Its [`ToolResult`] has the same id.
    pub tool_use_id: String,
    /// Name of the tool.
    pub name: String,
    /// Arguments. If the model's text is not valid JSON, this is a string with that text, and the call never runs.
    #[serde(default)]
    pub input: Value,
    /// The provider's signature over the reasoning that led to the call. It is sent back with the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_signature: Option<String>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl ToolUse {
    /// Creates a call of the tool `name`.
    pub fn new(tool_use_id: impl Into<String>, name: impl Into<String>, input: Value) -> Self {
        Self {
            tool_use_id: tool_use_id.into(),
            name: name.into(),
            input,
            reasoning_signature: None,
            unknown: UnknownFields::default(),
        }
    }
}

wire_enum! {
    /// Status of a tool result.
    pub enum ToolResultStatus {
        /// The call succeeded.
        Success = "success",
        /// The call failed; the content describes the error.
        Error = "error",
    }
}

/// A tool result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolResult {
    /// Id of the [`ToolUse`].
    pub tool_use_id: String,
    /// Status: success or error.
    #[serde(default = "success")]
    pub status: ToolResultStatus,
    /// Content of the result.
    #[serde(default)]
    pub content: Vec<ToolResultContent>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

fn success() -> ToolResultStatus {
    ToolResultStatus::Success
}

impl ToolResult {
    /// Creates a result.
    pub fn new(
        tool_use_id: impl Into<String>,
        status: ToolResultStatus,
        content: impl IntoIterator<Item = impl Into<ToolResultContent>>,
    ) -> Self {
        Self {
            tool_use_id: tool_use_id.into(),
            status,
            content: content.into_iter().map(Into::into).collect(),
            unknown: UnknownFields::default(),
        }
    }

    /// Creates an error result with this text.
    pub fn error(tool_use_id: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(tool_use_id, ToolResultStatus::Error, [ToolResultContent::Text(message.into())])
    }

    /// Returns true for an error result.
    pub fn is_error(&self) -> bool {
        self.status == ToolResultStatus::Error
    }
}

/// A content part of a tool result.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolResultContent {
    /// Text.
    Text(String),
    /// JSON.
    Json(Value),
    /// An image.
    Image(ImageBlock),
    /// A document.
    Document(DocumentBlock),
    /// A video.
    Video(VideoBlock),
    /// Audio. Gemini gets it; other providers get a note.
    Audio(AudioBlock),
    /// A kind unknown to this version, as it was read.
    Unknown(Map<String, Value>),
}

impl From<&str> for ToolResultContent {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ToolResultContent {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Value> for ToolResultContent {
    fn from(json: Value) -> Self {
        Self::Json(json)
    }
}

impl From<ImageBlock> for ToolResultContent {
    fn from(image: ImageBlock) -> Self {
        Self::Image(image)
    }
}

impl From<DocumentBlock> for ToolResultContent {
    fn from(document: DocumentBlock) -> Self {
        Self::Document(document)
    }
}

impl From<VideoBlock> for ToolResultContent {
    fn from(video: VideoBlock) -> Self {
        Self::Video(video)
    }
}

impl From<AudioBlock> for ToolResultContent {
    fn from(audio: AudioBlock) -> Self {
        Self::Audio(audio)
    }
}

impl Serialize for ToolResultContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.collect_map([("text", text)]),
            Self::Json(json) => serializer.collect_map([("json", json)]),
            Self::Image(image) => serializer.collect_map([("image", image)]),
            Self::Document(document) => serializer.collect_map([("document", document)]),
            Self::Video(video) => serializer.collect_map([("video", video)]),
            Self::Audio(audio) => serializer.collect_map([("audio", audio)]),
            Self::Unknown(fields) => fields.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ToolResultContent {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        // A known kind with additional fields is preserved as a whole.
        let kind = (fields.len() == 1).then(|| fields.keys().next().cloned()).flatten();
        let kind = kind.as_deref().unwrap_or_default();
        let Some(payload) = fields.get_mut(kind) else {
            return Ok(Self::Unknown(fields));
        };
        fn payload_of<T: de::DeserializeOwned, E: de::Error>(kind: &str, payload: &mut Value) -> Result<T, E> {
            serde_json::from_value(payload.take())
                .map_err(|error| E::custom(format!("in tool result `{kind}`: {error}")))
        }
        Ok(match kind {
            "text" => Self::Text(payload_of(kind, payload)?),
            "json" => Self::Json(payload.take()),
            "image" => Self::Image(payload_of(kind, payload)?),
            "document" => Self::Document(payload_of(kind, payload)?),
            "video" => Self::Video(payload_of(kind, payload)?),
            "audio" => Self::Audio(payload_of(kind, payload)?),
            _ => Self::Unknown(fields),
        })
    }
}

impl JsonSchema for ToolResultContent {
    fn schema_name() -> Cow<'static, str> {
        "ToolResultContent".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        keyed::schema_of_any(
            "A content part of a tool result: an object whose key names the kind.",
            [
                ("text", keyed::schema([("text", String::json_schema(generator))])),
                ("json", keyed::schema([("json", Value::json_schema(generator))])),
                ("image", keyed::schema([("image", generator.subschema_for::<ImageBlock>())])),
                ("document", keyed::schema([("document", generator.subschema_for::<DocumentBlock>())])),
                ("video", keyed::schema([("video", generator.subschema_for::<VideoBlock>())])),
                ("audio", keyed::schema([("audio", generator.subschema_for::<AudioBlock>())])),
            ],
        )
    }
}
