//! Reasoning content. Providers sign it and expect it back unchanged.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UnknownFields, encoded_bytes};

/// Reasoning of a model, as text or encrypted by the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReasoningContent {
    /// Reasoning as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_text: Option<ReasoningText>,
    /// Reasoning that the provider has encrypted. It can only be sent back.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "encoded_bytes::optional")]
    #[schemars(with = "Option<encoded_bytes::EncodedBytes>")]
    pub redacted_content: Option<Bytes>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Reasoning as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ReasoningText {
    /// Reasoning text.
    #[serde(default)]
    pub text: String,
    /// The provider's signature over the text. It is sent back with the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl ReasoningContent {
    /// Creates reasoning as text, with the provider's signature if there is one.
    pub fn text(text: impl Into<String>, signature: Option<String>) -> Self {
        let reasoning_text = ReasoningText { text: text.into(), signature, unknown: UnknownFields::default() };
        Self { reasoning_text: Some(reasoning_text), ..Self::default() }
    }

    /// Creates reasoning that the provider has encrypted.
    pub fn redacted(encrypted: impl Into<Bytes>) -> Self {
        Self { redacted_content: Some(encrypted.into()), ..Self::default() }
    }
}
