//! Headers and payload of an invocation, for tools.

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use strands_core::uuid::Uuid;

use super::headers::{
    BAGGAGE, OAUTH2_CALLBACK_URL, REQUEST_ID, SESSION_ID, SHELL_ID, WORKLOAD_ACCESS_TOKEN, WORKLOAD_IDENTITY_TOKEN,
};

/// Longest id of a request that is used as it is.
const MAX_REQUEST_ID: usize = 128;

/// Ids, baggage and payload of an invocation. It is injected into each turn.
///
/// ```
/// use strands::serve::agentcore::AgentCoreContext;
/// use strands::tool;
///
/// /// Returns the id of the request.
/// #[tool(crate = strands_core)]
/// async fn request_id(context: &AgentCoreContext) -> String {
///     context.request_id().to_owned()
/// }
/// ```
#[derive(Clone)]
pub struct AgentCoreContext {
    session: Option<String>,
    request_id: String,
    shell_id: Option<String>,
    oauth2_callback_url: Option<String>,
    baggage: BTreeMap<String, Vec<String>>,
    payload: Value,
}

impl AgentCoreContext {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let text =
            |name: &str| Some(headers.get(name)?.to_str().ok()?.trim().to_owned()).filter(|text| !text.is_empty());
        let request_id = text(REQUEST_ID).filter(|id| id.len() <= MAX_REQUEST_ID);
        Self {
            session: text(SESSION_ID),
            request_id: request_id.unwrap_or_else(|| Uuid::new_v4().to_string()),
            shell_id: text(SHELL_ID),
            oauth2_callback_url: text(OAUTH2_CALLBACK_URL),
            baggage: baggage(headers),
            payload: Value::Null,
        }
    }

    pub(super) fn with_payload(mut self, payload: Value) -> Self {
        self.payload = payload;
        self
    }

    /// Returns the runtime session id. It names a session of the identity; another identity with the same id has another session.
    pub fn runtime_session_id(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Returns the id of the request: that of the platform, or a random one.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Returns the id of the shell of the runtime session.
    pub fn shell_id(&self) -> Option<&str> {
        self.shell_id.as_deref()
    }

    /// Returns the URL to which OAuth 2.0 authorization servers send users back.
    pub fn oauth2_callback_url(&self) -> Option<&str> {
        self.oauth2_callback_url.as_deref()
    }

    /// Returns the first value of a key of the W3C baggage, such as `aws.agentcore.configbundle_arn` or
    /// `aws.agentcore.gateway.routing_experiment_arn`.
    pub fn baggage(&self, key: &str) -> Option<&str> {
        self.baggage_values(key).next()
    }

    /// Returns all values of a key of the W3C baggage.
    pub fn baggage_values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.baggage.get(key).into_iter().flatten().map(String::as_str)
    }

    /// Returns the payload, with fields that the host does not use.
    pub fn payload(&self) -> &Value {
        &self.payload
    }
}

impl fmt::Debug for AgentCoreContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCoreContext")
            .field("session", &self.session)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// Returns the entries of W3C baggage. Invalid entries are ignored.
fn baggage(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let lines = headers.get_all(BAGGAGE).iter().filter_map(|line| line.to_str().ok());
    for (key, value) in lines.flat_map(|line| line.split(',')).filter_map(|entry| entry.split_once('=')) {
        let (key, value) = (key.trim(), percent_decoded(value.split(';').next().unwrap_or_default().trim()));
        if !key.is_empty() && !value.is_empty() {
            found.entry(key.to_owned()).or_default().push(value);
        }
    }
    found
}

/// Decodes `%XX`. Other uses of `%` stay as they are.
fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(part.bytes().skip(2));
            }
            None => {
                bytes.push(b'%');
                bytes.extend(part.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The workload access token, with which tools get credentials from AgentCore Identity. It is injected if the platform has sent
/// one. It is in no `Debug` output.
#[derive(Clone, Debug)]
pub struct WorkloadAccessToken {
    token: SecretString,
}

impl WorkloadAccessToken {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok().filter(|token| !token.is_empty());
        let token = text(WORKLOAD_IDENTITY_TOKEN).or_else(|| text(WORKLOAD_ACCESS_TOKEN))?;
        Some(Self { token: SecretString::from(token) })
    }

    /// Returns the token, to send it to AgentCore Identity.
    pub fn expose(&self) -> &str {
        self.token.expose_secret()
    }
}
