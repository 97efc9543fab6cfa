//! Wire types of stream events, and of a response in one document. Fields that are not used are omitted.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::http::tolerant;

#[derive(Deserialize)]
pub(super) struct MessageStart {
    #[serde(default, deserialize_with = "tolerant::or_default")]
    pub(super) message: Head,
}

#[derive(Default, Deserialize)]
pub(super) struct Head {
    pub(super) usage: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
pub(super) struct BlockStart<'a> {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) index: Option<usize>,
    #[serde(borrow)]
    pub(super) content_block: &'a RawValue,
}

/// Type of an object.
#[derive(Deserialize)]
pub(super) struct Typed<'a> {
    #[serde(borrow)]
    pub(super) r#type: Cow<'a, str>,
}

/// A block of a known type, as it begins or complete.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) text: Option<String>,
    #[serde(default, deserialize_with = "tolerant::list")]
    pub(super) citations: Vec<Value>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) thinking: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) signature: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) data: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) name: Option<String>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct BlockDelta<'a> {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) index: Option<usize>,
    #[serde(borrow)]
    pub(super) delta: Delta<'a>,
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub(super) r#type: Cow<'a, str>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) text: Option<String>,
    #[serde(default, deserialize_with = "tolerant::arguments")]
    pub(super) partial_json: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) thinking: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) signature: Option<String>,
    pub(super) citation: Option<Value>,
}

/// A delta of provider content, as raw fields.
#[derive(Deserialize)]
pub(super) struct RawDelta {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) index: Option<usize>,
    #[serde(default)]
    pub(super) delta: Map<String, Value>,
}

pub(super) const KNOWN_DELTAS: [&str; 5] =
    ["text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta"];

#[derive(Deserialize)]
pub(super) struct BlockStop {
    #[serde(default, deserialize_with = "tolerant::index")]
    pub(super) index: Option<usize>,
}

#[derive(Deserialize)]
pub(super) struct MessageDelta {
    #[serde(default, deserialize_with = "tolerant::or_default")]
    pub(super) delta: StopInfo,
    pub(super) usage: Option<Map<String, Value>>,
}

#[derive(Default, Deserialize)]
pub(super) struct StopInfo {
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) stop_reason: Option<String>,
    pub(super) stop_sequence: Option<Value>,
    pub(super) stop_details: Option<Value>,
    pub(super) container: Option<Value>,
}

impl StopInfo {
    /// Replaces the fields that a later event has. There may be several `message_delta` events.
    pub(super) fn update(&mut self, later: Self) {
        self.stop_reason = later.stop_reason.or(self.stop_reason.take());
        self.stop_sequence = later.stop_sequence.or(self.stop_sequence.take());
        self.stop_details = later.stop_details.or(self.stop_details.take());
        self.container = later.container.or(self.container.take());
    }
}

#[derive(Deserialize)]
pub(super) struct Document<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    pub(super) usage: Option<Map<String, Value>>,
    #[serde(flatten)]
    pub(super) stopped: StopInfo,
}
