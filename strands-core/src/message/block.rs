//! Content blocks of messages and system prompts, with their JSON: an object whose key names the kind.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};

use super::{
    AudioBlock, CitationsContent, DocumentBlock, ImageBlock, ProviderContent, ReasoningContent, ToolResult, ToolUse,
    UnknownFields, VideoBlock, keyed, provider_content,
};

/// A content block of a message.
///
/// Its JSON is an object whose key names the kind: `{"text": ".."}`, `{"toolUse": {..}}`. Unknown kinds and fields are
/// preserved.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ContentBlock {
    /// Text.
    Text(TextBlock),
    /// An image.
    Image(ImageBlock),
    /// A document.
    Document(DocumentBlock),
    /// A video.
    Video(VideoBlock),
    /// Audio.
    Audio(AudioBlock),
    /// A tool call.
    ToolUse(ToolUse),
    /// A tool result.
    ToolResult(ToolResult),
    /// Reasoning of the model.
    Reasoning(ReasoningContent),
    /// A cache point.
    CachePoint(CachePoint),
    /// Content for evaluation by a guardrail.
    GuardContent(GuardContent),
    /// Text with citations.
    Citations(CitationsContent),
    /// Content specific to one provider.
    Provider(ProviderContent),
    /// A kind unknown to this version, as it was read.
    Unknown(Map<String, Value>),
}

/// A text block.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TextBlock {
    /// The text.
    pub text: String,
    /// Fields unknown to this version. They are preserved.
    pub unknown: UnknownFields,
}

/// A cache point: the provider may cache everything before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CachePoint {
    /// `"default"`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Time to live: `"5m"` or `"1h"`. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl CachePoint {
    /// Creates a cache point with this time to live (`"5m"` or `"1h"`), or with the provider's default.
    pub fn new(ttl: Option<String>) -> Self {
        Self { ttl, ..Self::default() }
    }
}

impl Default for CachePoint {
    fn default() -> Self {
        Self { kind: "default".to_owned(), ttl: None, unknown: UnknownFields::default() }
    }
}

/// Content for evaluation by a guardrail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct GuardContent {
    /// Text to evaluate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<GuardText>,
    /// Image to evaluate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageBlock>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Text for evaluation by a guardrail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct GuardText {
    /// The text.
    pub text: String,
    /// Roles of the text for the guardrail: `grounding_source`, `query` or `guard_content`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub qualifiers: Vec<String>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// A block of a system prompt: text, or a cache point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SystemBlock {
    /// Text.
    Text(String),
    /// A cache point.
    CachePoint(CachePoint),
}

impl From<&str> for SystemBlock {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SystemBlock {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl ContentBlock {
    /// Creates a text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextBlock { text: text.into(), unknown: UnknownFields::default() })
    }

    /// Creates a block of content specific to `provider`.
    pub fn provider(provider: impl Into<String>, content: Value) -> Self {
        Self::Provider(ProviderContent::new(provider, content))
    }

    /// Returns the text of a text block, or `None` for other kinds.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(block) => Some(&block.text),
            _ => None,
        }
    }

    /// Returns the visible texts of the block: its own, or those inside its citations.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let cited = match self {
            Self::Citations(citations) => citations.content.as_slice(),
            _ => &[],
        };
        self.as_text().into_iter().chain(cited.iter().map(|part| part.text.as_str()))
    }
}

impl From<ProviderContent> for ContentBlock {
    fn from(content: ProviderContent) -> Self {
        Self::Provider(content)
    }
}

impl From<&str> for ContentBlock {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for ContentBlock {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// Implements the JSON of the kinds: the key, the variant, and the type of the payload.
macro_rules! kinds {
    ($($key:literal $variant:ident($payload:ty),)+) => {
        $(
            impl From<$payload> for ContentBlock {
                fn from(payload: $payload) -> Self {
                    Self::$variant(payload)
                }
            }
        )+

        impl Serialize for ContentBlock {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if let Self::Provider(content) = self {
                    return content.serialize_with_empty_text(serializer);
                }
                let mut block = serializer.serialize_map(None)?;
                let unknown = match self {
                    Self::Text(text) => {
                        block.serialize_entry("text", &text.text)?;
                        &text.unknown
                    }
                    $(Self::$variant(payload) => {
                        block.serialize_entry($key, payload)?;
                        &payload.unknown
                    })+
                    // Returned above.
                    Self::Provider(content) => &content.unknown,
                    Self::Unknown(fields) => {
                        for (name, value) in fields {
                            block.serialize_entry(name, value)?;
                        }
                        return block.end();
                    }
                };
                for (name, value) in unknown.outside() {
                    block.serialize_entry(name, value)?;
                }
                block.end()
            }
        }

        impl<'de> Deserialize<'de> for ContentBlock {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut fields = Map::deserialize(deserializer)?;
                if let Some(content) = fields.shift_remove(provider_content::KEY) {
                    let mut content: ProviderContent = serde_json::from_value(content)
                        .map_err(|error| de::Error::custom(format!("in content block `providerContent`: {error}")))?;
                    fields.shift_remove("text");
                    content.unknown.keep_outside(fields);
                    return Ok(Self::Provider(content));
                }
                if let Some(text) = fields.shift_remove("text") {
                    let Value::String(text) = text else {
                        return Err(de::Error::custom("in content block `text`: expected a string"));
                    };
                    let mut unknown = UnknownFields::default();
                    unknown.keep_outside(fields);
                    return Ok(Self::Text(TextBlock { text, unknown }));
                }
                $(if let Some(payload) = fields.shift_remove($key) {
                    let mut payload: $payload = serde_json::from_value(payload)
                        .map_err(|error| de::Error::custom(format!(concat!("in content block `", $key, "`: {}"), error)))?;
                    payload.unknown.keep_outside(fields);
                    return Ok(Self::$variant(payload));
                })+
                Ok(Self::Unknown(fields))
            }
        }

        impl JsonSchema for ContentBlock {
            fn schema_name() -> Cow<'static, str> {
                "ContentBlock".into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let provider = generator.subschema_for::<ProviderContent>();
                let provider = keyed::schema([("text", json_schema!({"const": ""})), (provider_content::KEY, provider)]);
                let mut text = keyed::schema([("text", String::json_schema(generator))]);
                text.insert("not".to_owned(), json!({"required": [provider_content::KEY]}));
                keyed::schema_of_any(
                    "A content block of a message: an object whose key names the kind.",
                    [
                        ("text", text),
                        (provider_content::KEY, provider),
                        $(($key, keyed::schema([($key, generator.subschema_for::<$payload>())])),)+
                    ],
                )
            }
        }
    };
}

kinds! {
    "toolUse" ToolUse(ToolUse),
    "toolResult" ToolResult(ToolResult),
    "reasoningContent" Reasoning(ReasoningContent),
    "image" Image(ImageBlock),
    "document" Document(DocumentBlock),
    "video" Video(VideoBlock),
    "audio" Audio(AudioBlock),
    "cachePoint" CachePoint(CachePoint),
    "guardContent" GuardContent(GuardContent),
    "citationsContent" Citations(CitationsContent),
}
