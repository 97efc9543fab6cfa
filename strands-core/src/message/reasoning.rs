//! Reasoning of a model. Providers sign it and want it back unchanged.

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
    /// Reasoning that the provider encrypted, only for sending back.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "encoded_bytes::optional")]
    #[schemars(with = "Option<encoded_bytes::EncodedBytes>")]
    pub redacted_content: Option<Bytes>,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Reasoning as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ReasoningText {
    /// The words.
    #[serde(default)]
    pub text: String,
    /// The provider's signature over the text, which it wants back with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl ReasoningContent {
    /// Reasoning as text, with the provider's signature where there is one.
    pub fn text(text: impl Into<String>, signature: Option<String>) -> Self {
        let reasoning_text = ReasoningText { text: text.into(), signature, unknown: UnknownFields::default() };
        Self { reasoning_text: Some(reasoning_text), ..Self::default() }
    }

    /// Reasoning that the provider encrypted.
    pub fn redacted(encrypted: impl Into<Bytes>) -> Self {
        Self { redacted_content: Some(encrypted.into()), ..Self::default() }
    }
}
