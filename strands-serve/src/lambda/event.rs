//! Events: requests of the platform's gateways, and prompts without one.

use lambda_http::request::LambdaRequest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Paths to the subject in the context of an authorizer: of Cognito user pools and Lambda authorizers in REST APIs, and of JWT and
/// Lambda authorizers in HTTP APIs.
const SUBJECTS: [&str; 4] = ["/claims/sub", "/sub", "/jwt/claims/sub", "/lambda/sub"];

/// An event.
pub(super) struct Event {
    pub(super) request: LambdaRequest,
    /// Subject that an authorizer in front of the function has found.
    pub(super) subject: Option<String>,
    /// True for an event of a client that invokes the function itself: `{"headers", "body"}` alone.
    pub(super) is_direct: bool,
}

/// The part of an event that the request does not have in all cases.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    request_context: Option<RequestContext>,
}

#[derive(Deserialize)]
struct RequestContext {
    #[serde(default)]
    authorizer: Option<Value>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let envelope: Envelope = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        let Some(context) = envelope.request_context else {
            let event: Map<String, Value> = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
            let request = LambdaRequest::deserialize(direct(event)).map_err(D::Error::custom)?;
            return Ok(Self { request, subject: None, is_direct: true });
        };
        let request = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(Self { request, subject: context.authorizer.as_ref().and_then(subject), is_direct: false })
    }
}

fn subject(authorizer: &Value) -> Option<String> {
    SUBJECTS.iter().find_map(|path| authorizer.pointer(path)?.as_str()).map(str::to_owned)
}

/// Completes a direct event to one of a REST API.
fn direct(mut event: Map<String, Value>) -> Value {
    if let Some(body) = event.get_mut("body").filter(|body| !body.is_string() && !body.is_null()) {
        *body = Value::String(body.to_string());
    }
    event.entry("httpMethod").or_insert_with(|| "POST".into());
    event.insert("requestContext".to_owned(), json!({"httpMethod": "POST"}));
    Value::Object(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject_of(authorizer: Value) -> Option<String> {
        let context = json!({"httpMethod": "POST", "authorizer": authorizer});
        let event = json!({"httpMethod": "POST", "path": "/prompt", "requestContext": context});
        serde_json::from_value::<Event>(event).expect("an event").subject
    }

    #[test]
    fn the_subject_of_each_authorizer_is_found() {
        for authorizer in [
            json!({"claims": {"sub": "alice"}}),
            json!({"sub": "alice", "principalId": "user"}),
            json!({"jwt": {"claims": {"sub": "alice"}}}),
            json!({"lambda": {"sub": "alice"}}),
        ] {
            assert_eq!(subject_of(authorizer.clone()).as_deref(), Some("alice"), "{authorizer}");
        }
        assert_eq!(subject_of(json!({"principalId": "user"})), None);
    }

    #[test]
    fn an_event_of_another_service_is_an_error() {
        let records = json!({"Records": [{"eventSource": "aws:sqs"}], "requestContext": {}});
        assert!(serde_json::from_value::<Event>(records).is_err());
    }
}
