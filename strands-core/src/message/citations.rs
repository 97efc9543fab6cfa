//! Text with citations of its sources.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::UnknownFields;

/// Text with citations of its sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CitationsContent {
    /// Citations of the text.
    #[serde(default)]
    pub citations: Vec<Citation>,
    /// The text.
    #[serde(default)]
    pub content: Vec<CitationText>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// A citation: the source of a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Citation {
    /// Location: one of `documentChar`, `documentPage`, `documentChunk` (`documentIndex`, `start`, `end`),
    /// `searchResultLocation` (`searchResultIndex`, `start`, `end`) or `web` (`url`, `domain`), as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Value>,
    /// Quoted text of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_content: Vec<CitationText>,
    /// Title of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Text of a cited source, or text with citations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CitationText {
    /// The text.
    #[serde(default)]
    pub text: String,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl CitationText {
    /// Creates a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), unknown: UnknownFields::default() }
    }
}
