//! Wire types of a streamed chunk, and of a complete response, which has the same form.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::part::Part;
use crate::http::tolerant;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk<'a> {
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    pub(super) prompt_feedback: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage_metadata: Option<&'a RawValue>,
    pub(super) error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) index: Option<usize>,
    #[serde(default, deserialize_with = "tolerant::structure")]
    pub(super) content: Option<Content>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) finish_reason: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) finish_message: Option<String>,
    #[serde(borrow)]
    pub(super) citation_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) grounding_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) url_context_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Content {
    #[serde(default, deserialize_with = "tolerant::list")]
    pub(super) parts: Vec<Part>,
}

/// Reason for a blocked prompt.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    pub(super) block_reason: Option<String>,
}
