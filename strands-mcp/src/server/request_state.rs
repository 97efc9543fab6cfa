//! Request state of protocol 2026-07-28: a tool call that waits for input, sealed into a string that the client sends back
//! with the responses. The server keeps nothing, so that another process with the same key can continue the call.

use std::collections::BTreeMap;
use std::time::Duration;

use rmcp::model::{RequestStateCodec, RequestStateError, SealOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::Interrupt;
use strands_http::Caller;
use uuid::Uuid;

/// Default time in which a request state is accepted.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Seals and opens request states.
pub(super) struct RequestStates {
    seal: RequestStateCodec,
    older: Vec<RequestStateCodec>,
    lifetime: Duration,
}

/// A tool call that waits for input. The client can read it, but not change it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WaitingCall {
    /// Id of the tool call, which is part of the ids of its interrupts.
    #[serde(rename = "i")]
    pub(super) id: String,
    /// The arguments. Later requests must repeat them.
    #[serde(rename = "a")]
    pub(super) arguments: Map<String, Value>,
    /// Responses to earlier interrupts, by interrupt id.
    #[serde(rename = "r")]
    pub(super) responses: BTreeMap<String, Value>,
    /// Interrupts that the client was asked about.
    #[serde(rename = "q")]
    pub(super) asked: Vec<Interrupt>,
    /// True if the tool goes on with a state that a process of the server has. Without it, the call must not start again.
    #[serde(rename = "s", default, skip_serializing_if = "is_false")]
    pub(super) has_continuation: bool,
}

/// Returns true for a field that need not be sealed.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of `skip_serializing_if`")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl WaitingCall {
    pub(super) fn new(id: String, arguments: Map<String, Value>) -> Self {
        Self { id, arguments, responses: BTreeMap::new(), asked: Vec::new(), has_continuation: false }
    }
}

impl RequestStates {
    /// Creates a codec with a random key: states end with the process.
    pub(super) fn with_random_key() -> Self {
        let [mut key, half] = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].map(Vec::from);
        key.extend(half);
        Self { seal: RequestStateCodec::new_unchecked(key), older: Vec::new(), lifetime: LIFETIME }
    }

    pub(super) fn set_key(&mut self, key: [u8; 32]) {
        self.seal = codec(key);
    }

    pub(super) fn add_older_key(&mut self, key: [u8; 32]) {
        self.older.push(codec(key));
    }

    pub(super) fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    /// Seals a call of a function, by its kind and name, for one caller.
    pub(super) fn seal(
        &self,
        caller: &Caller,
        kind: &str,
        name: &str,
        call: &WaitingCall,
    ) -> Result<String, RequestStateError> {
        let context = context(caller, kind, name);
        let options = SealOptions::new().associated_data(&context).ttl(self.lifetime);
        self.seal.seal_json_with(call, &options)
    }

    /// Opens a state that a client sent.
    ///
    /// # Errors
    ///
    /// Returns an error for a state that was changed, is too old, or belongs to another caller or function.
    pub(super) fn open(
        &self,
        caller: &Caller,
        kind: &str,
        name: &str,
        state: &str,
    ) -> Result<WaitingCall, RequestStateError> {
        let context = context(caller, kind, name);
        let opened = self.seal.open_json_with(state, &context);
        match opened {
            Err(RequestStateError::IntegrityCheckFailed) => {
                let mut others = self.older.iter().map(|codec| codec.open_json_with(state, &context));
                others.find(Result::is_ok).unwrap_or(Err(RequestStateError::IntegrityCheckFailed))
            }
            opened => opened,
        }
    }
}

fn codec(key: [u8; 32]) -> RequestStateCodec {
    RequestStateCodec::new_unchecked(key)
}

/// Data that a seal is bound to.
fn context(caller: &Caller, kind: &str, name: &str) -> Vec<u8> {
    // JSON separates the parts, whatever characters they have.
    serde_json::to_vec(&(caller.id(), kind, name)).unwrap_or_default()
}
