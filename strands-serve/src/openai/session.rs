//! Sessions of requests: the names that clients give, and ids of responses that lead to a session.

use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};
use strands_core::uuid::Uuid;
use strands_identity::Identity;

use super::OpenAiSettings;
use super::error::ApiError;
use crate::{AgentService, SessionChoice};

/// Default header with the name of a session, and header of responses with its id.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-session-id");

/// Maximum length of a name, in bytes.
const MAX_NAME: usize = 512;
/// Hexadecimal digits of the id of a run.
const RUN_DIGITS: usize = 32;
const RESPONSE_PREFIX: &str = "resp_";

/// Session that a request asks for.
pub(super) enum Asked {
    /// A session that the client names.
    Named(SessionChoice),
    /// The session of an earlier response.
    After { session: SessionChoice, run_id: String },
    /// None.
    Nothing,
}

/// Names of a session in a request.
pub(super) struct Names<'a> {
    pub(super) metadata: Option<&'a Map<String, Value>>,
    pub(super) conversation: Option<&'a str>,
    pub(super) previous_response_id: Option<&'a str>,
}

impl Asked {
    /// Finds the session that a request asks for.
    ///
    /// # Errors
    ///
    /// Returns an error if it has different or invalid names.
    pub(super) fn find(
        service: &AgentService,
        identity: &Identity,
        settings: &OpenAiSettings,
        headers: &HeaderMap,
        names: &Names<'_>,
    ) -> Result<Self, ApiError> {
        let invalid = |message: &str| ApiError::invalid("metadata", "invalid_session_id", message);
        let in_header = match headers.get(&settings.session_header) {
            Some(value) => Some(value.to_str().map_err(|_| invalid("the header with the session is not ASCII"))?),
            None => None,
        };
        let in_metadata = match names.metadata.and_then(|metadata| metadata.get("session_id")) {
            Some(Value::String(name)) => Some(name.as_str()),
            Some(_) => return Err(invalid("`metadata.session_id` is not a string")),
            None => None,
        };
        let mut given = [in_header, in_metadata, names.conversation].into_iter().flatten();
        let name = given.next();
        if given.any(|other| Some(other) != name) {
            return Err(invalid("the request names different sessions"));
        }
        match (name, names.previous_response_id) {
            (Some(_), Some(_)) => {
                let message = "either a session or `previous_response_id` can be set, not both";
                Err(ApiError::invalid("previous_response_id", "invalid_session_id", message))
            }
            (Some(name), None) if name.is_empty() || name.len() > MAX_NAME => {
                Err(invalid("the name of a session has 1 to 512 bytes"))
            }
            // The id of a session is a name, too.
            (Some(name), None) if service.session_ids().owns(identity, name) => {
                Ok(Self::Named(SessionChoice::Id(name.to_owned())))
            }
            (Some(name), None) => Ok(Self::Named(SessionChoice::Named(name.to_owned()))),
            (None, Some(id)) => {
                let (session, run_id) = parse_response_id(service, identity, id).ok_or_else(unknown_response)?;
                Ok(Self::After { session: SessionChoice::Id(session), run_id })
            }
            (None, None) => Ok(Self::Nothing),
        }
    }
}

/// Error of a response that can't be continued.
pub(super) fn unknown_response() -> ApiError {
    let message = "there is no such response, or it is not the newest one of its session";
    ApiError::invalid("previous_response_id", "previous_response_not_found", message)
}

/// Returns the id of a response: the run, and the part of the session that is not the user. So it leads to no session of another
/// user.
pub(super) fn response_id(service: &AgentService, identity: &Identity, session_id: &str, run_id: &str) -> String {
    let default = service.session_ids().default_for(identity);
    let part = session_id.strip_prefix(&default).and_then(|rest| rest.strip_prefix("__")).unwrap_or_default();
    format!("{RESPONSE_PREFIX}{}{part}", run_id.replace('-', ""))
}

/// Returns the ids of the session and of the run.
fn parse_response_id(service: &AgentService, identity: &Identity, id: &str) -> Option<(String, String)> {
    let (run, part) = id.strip_prefix(RESPONSE_PREFIX)?.split_at_checked(RUN_DIGITS)?;
    let run_id = Uuid::try_parse(run).ok()?.to_string();
    let ids = service.session_ids();
    let default = ids.default_for(identity);
    let session = if part.is_empty() { default } else { format!("{default}__{part}") };
    ids.owns(identity, &session).then_some((session, run_id))
}
