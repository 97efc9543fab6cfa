//! Provider-specific content, preserved in its position and sent back to that provider only.

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::UnknownFields;

/// Content specific to one provider: calls and results of its server tools, ids of stored responses, kinds that are newer
/// than this library.
///
/// It is sent back to that provider unchanged, in its position, and not sent to other providers. Its JSON contains an empty
/// text, `{"text": "", "providerContent": {"provider": "anthropic", "content": {..}}}`, since clients that do not know it
/// reject blocks without a known kind.
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
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Key of the content in a block's JSON.
pub(super) const KEY: &str = "providerContent";

impl ProviderContent {
    /// Creates content of `provider`.
    pub fn new(provider: impl Into<String>, content: Value) -> Self {
        Self { provider: provider.into(), content, unknown: UnknownFields::default() }
    }

    pub(super) fn serialize_with_empty_text<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut block = serializer.serialize_map(None)?;
        block.serialize_entry("text", "")?;
        block.serialize_entry(KEY, self)?;
        for (name, value) in self.unknown.outside() {
            block.serialize_entry(name, value)?;
        }
        block.end()
    }
}
