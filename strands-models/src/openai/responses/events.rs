//! Events of a stream and the document of a response, with the fields that are read.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::items::Key;
use crate::http::tolerant;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ItemDelta {
    #[serde(deserialize_with = "tolerant::index")]
    pub(super) output_index: Option<usize>,
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) item_id: Option<String>,
    /// Index of the part of a message's content.
    #[serde(deserialize_with = "tolerant::index")]
    pub(super) content_index: Option<usize>,
    /// Index of the part of a reasoning summary.
    #[serde(deserialize_with = "tolerant::index")]
    pub(super) summary_index: Option<usize>,
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) delta: Option<String>,
    /// All arguments, in their last event.
    #[serde(deserialize_with = "tolerant::arguments")]
    pub(super) arguments: Option<String>,
    pub(super) annotation: Value,
}

impl ItemDelta {
    pub(super) fn key(&self) -> Key<'_> {
        Key { index: self.output_index, id: self.item_id.as_deref().unwrap_or_default() }
    }

    pub(super) fn part(&self) -> usize {
        self.content_index.or(self.summary_index).unwrap_or_default()
    }
}

#[derive(Deserialize)]
pub(super) struct WholeItem {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) output_index: Option<usize>,
    #[serde(default)]
    pub(super) item: Value,
}

#[derive(Deserialize)]
pub(super) struct Ended {
    #[serde(default, deserialize_with = "tolerant::or_default")]
    pub(super) response: Response,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Response {
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "output")]
    pub(super) output: Option<Vec<Value>>,
    pub(super) error: Option<Value>,
    pub(super) incomplete_details: Option<Value>,
    pub(super) usage: Option<Box<RawValue>>,
}

/// Items of a response, without `null`.
fn output<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Value>>, D::Error> {
    tolerant::list(deserializer).map(Some)
}
