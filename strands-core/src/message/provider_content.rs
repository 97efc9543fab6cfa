//! Content that only one provider understands: kept in its place, given back to that provider, and to nobody else.

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::UnknownFields;

/// Content that only one provider understands: calls of its own tools and their results, the id under which it keeps an
/// answer, kinds that are newer than this library.
///
/// That provider gets it back as it sent it, in its place; another provider is not shown it. In JSON it stands beside an
/// empty text, `{"text": "", "providerContent": {"provider": "anthropic", "content": {..}}}`, since clients that do not
/// know it refuse blocks without a kind that they know.
///
/// ```
/// use serde_json::json;
/// use strands::message::ContentBlock;
///
/// let block = ContentBlock::provider("anthropic", json!({"type": "server_tool_use", "name": "web_search"}));
/// let stored = serde_json::to_value(&block)?;
/// assert_eq!(stored["text"], "");
/// assert_eq!(serde_json::from_value::<ContentBlock>(stored)?, block);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ProviderContent {
    /// Name of the provider, as in [`MessageMetadata::provider`](super::MessageMetadata::provider).
    pub provider: String,
    /// The content, as the provider sent it.
    pub content: Value,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// The key beside the empty text.
pub(super) const KEY: &str = "providerContent";

impl ProviderContent {
    /// Content of `provider`'s.
    pub fn new(provider: impl Into<String>, content: Value) -> Self {
        Self { provider: provider.into(), content, unknown: UnknownFields::default() }
    }

    pub(super) fn serialize_beside_text<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut block = serializer.serialize_map(None)?;
        block.serialize_entry("text", "")?;
        block.serialize_entry(KEY, self)?;
        for (name, value) in self.unknown.beside() {
            block.serialize_entry(name, value)?;
        }
        block.end()
    }
}
