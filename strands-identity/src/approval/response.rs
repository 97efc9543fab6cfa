//! Responses to approval requests: as a client sends them, and as the hook stores them with the run.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Trust, time};
use crate::{Fingerprint, Identity};

/// A client's response to a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) approves: bool,
    pub(super) trust: Trust,
    /// Reason for the model.
    pub(super) note: Option<String>,
    /// The call that the response is for. `None` if the client did not say.
    pub(super) fingerprint: Option<Fingerprint>,
}

#[derive(Serialize, Deserialize)]
struct AnswerJson {
    approved: bool,
    #[serde(default, skip_serializing_if = "is_call")]
    trust: Trust,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Fingerprint>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_call(trust: &Trust) -> bool {
    *trust == Trust::Call
}

impl Answer {
    /// Parses a response: `true`, `"y"` and `"yes"` approve; `"t"` and `"trust"` approve and trust the tool for the session,
    /// if that is allowed; `false`, `null` and other texts deny. An object has `approved`, and may have `trust`, `reason` and
    /// `fingerprint`. Returns `None` for other JSON.
    pub(super) fn parse(response: &Value, allowed: Trust) -> Option<Self> {
        let plain = |approves, trust| Some(Self { approves, trust, note: None, fingerprint: None });
        match response {
            Value::Null => plain(false, Trust::Call),
            Value::Bool(approves) => plain(*approves, Trust::Call),
            Value::String(word) => match word.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => plain(true, Trust::Call),
                "t" | "trust" if allowed == Trust::Session => plain(true, Trust::Session),
                _ => plain(false, Trust::Call),
            },
            Value::Object(_) => {
                let AnswerJson { approved, trust, reason, fingerprint } = AnswerJson::deserialize(response).ok()?;
                Some(Self { approves: approved, trust, note: reason, fingerprint })
            }
            Value::Number(_) | Value::Array(_) => None,
        }
    }

    pub(super) fn into_json(self) -> Value {
        let Self { approves, trust, note, fingerprint } = self;
        let json = AnswerJson { approved: approves, trust, reason: note, fingerprint };
        serde_json::to_value(json).unwrap_or_else(|_| json!({"approved": false}))
    }
}

/// A response that a hook has checked, as it is stored with the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stamped {
    pub(super) approved: bool,
    /// Fingerprint of the request.
    pub(super) fingerprint: Fingerprint,
    /// Time of the response.
    pub(super) at: String,
    /// Id of the invocation that got the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) invocation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) approver: Option<Identity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requested_by: Option<Identity>,
    #[serde(default)]
    pub(super) trust: Trust,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl Stamped {
    pub(super) fn new(
        answer: Answer,
        fingerprint: Fingerprint,
        approver: Option<&Identity>,
        requester: Option<&Identity>,
        invocation_id: &str,
    ) -> Self {
        Self {
            approved: answer.approves,
            fingerprint,
            at: time::now(),
            invocation_id: Some(invocation_id.to_owned()),
            approver: approver.map(Identity::without_claims),
            requested_by: requester.map(Identity::without_claims),
            trust: answer.trust,
            reason: answer.note,
        }
    }

    /// Parses a stored response. `None` if a hook of this crate did not store it.
    pub(super) fn parse(stored: &Value) -> Option<Self> {
        Self::deserialize(stored).ok()
    }

    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_else(|_| Value::Object(Map::new()))
    }
}
