//! The pieces of a message: one JSON object each, whose key names its kind.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};

use super::{
    AudioBlock, CitationsContent, DocumentBlock, ImageBlock, ProviderContent, ReasoningContent, ToolResult, ToolUse,
    UnknownFields, VideoBlock, keyed, provider_content,
};

/// A piece of a message.
///
/// In JSON it is an object whose key names the kind: `{"text": ".."}`, `{"toolUse": {..}}`. Kinds that this version does
/// not know are kept as they were read, and so are fields it has no name for.
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
    /// Everything before this may be cached by the provider.
    CachePoint(CachePoint),
    /// Content that a guardrail is to look at.
    GuardContent(GuardContent),
    /// Text with citations of its sources.
    Citations(CitationsContent),
    /// Content that only one provider understands.
    Provider(ProviderContent),
    /// A kind that this version does not know, as it was read.
    Unknown(Map<String, Value>),
}

/// Text.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TextBlock {
    /// The text.
    pub text: String,
    /// Fields that this version has no name for.
    pub unknown: UnknownFields,
}

/// Everything before this may be cached by the provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CachePoint {
    /// `"default"`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Time to live: `"5m"` or `"1h"`. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl CachePoint {
    /// A point with the provider's own time to live, or with this one (`"5m"` or `"1h"`).
    pub fn new(ttl: Option<String>) -> Self {
        Self { ttl, ..Self::default() }
    }
}

impl Default for CachePoint {
    fn default() -> Self {
        Self { kind: "default".to_owned(), ttl: None, unknown: UnknownFields::default() }
    }
}

/// Content that a guardrail is to look at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct GuardContent {
    /// The text to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<GuardText>,
    /// The image to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageBlock>,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Text that a guardrail is to look at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct GuardText {
    /// The text.
    pub text: String,
    /// Roles of the text for the guardrail: `grounding_source`, `query` or `guard_content`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub qualifiers: Vec<String>,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// A piece of a system prompt: text, or a point up to which it may be cached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SystemBlock {
    /// Text.
    Text(String),
    /// Everything before this may be cached by the provider.
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
    /// A text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextBlock { text: text.into(), unknown: UnknownFields::default() })
    }

    /// Content that only `provider` understands.
    pub fn provider(provider: impl Into<String>, content: Value) -> Self {
        Self::Provider(ProviderContent::new(provider, content))
    }

    /// The text, where this is a text block.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(block) => Some(&block.text),
            _ => None,
        }
    }

    /// Every text that a reader of the block would see: its own, or that inside its citations.
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

/// The kinds with a payload of their own: the key in JSON, the variant, the payload's type.
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
                    return content.serialize_beside_text(serializer);
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
                    // Written above.
                    Self::Provider(content) => &content.unknown,
                    Self::Unknown(fields) => {
                        for (name, value) in fields {
                            block.serialize_entry(name, value)?;
                        }
                        return block.end();
                    }
                };
                for (name, value) in unknown.beside() {
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
                    content.unknown.keep_beside(fields);
                    return Ok(Self::Provider(content));
                }
                if let Some(text) = fields.shift_remove("text") {
                    let Value::String(text) = text else {
                        return Err(de::Error::custom("in content block `text`: expected a string"));
                    };
                    let mut unknown = UnknownFields::default();
                    unknown.keep_beside(fields);
                    return Ok(Self::Text(TextBlock { text, unknown }));
                }
                $(if let Some(payload) = fields.shift_remove($key) {
                    let mut payload: $payload = serde_json::from_value(payload)
                        .map_err(|error| de::Error::custom(format!(concat!("in content block `", $key, "`: {}"), error)))?;
                    payload.unknown.keep_beside(fields);
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
                    "A piece of a message: an object whose key names the kind.",
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
