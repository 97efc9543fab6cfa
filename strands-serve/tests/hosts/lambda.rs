//! Events of the platform's gateways.

use serde_json::{Value, json};
use strands_identity::Identity;
use strands_serve::agentcore::AgentCoreHost;
use strands_serve::http::{DevelopmentIdentity, HttpHost};
use strands_serve::lambda::LambdaHost;

use crate::rig::{PATIENCE, bearer, echo, service, verifier};

const PROMPT: &str = "Book me a flight to NYC next Monday.";

/// Returns an event of the folder `events`.
pub(crate) fn event(name: &str, authorization: &str) -> Value {
    let path = format!("{}/tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text.replace("{authorization}", authorization)).unwrap()
}

fn host() -> LambdaHost {
    LambdaHost::from(HttpHost::new(service(echo()), verifier()))
}

async fn invoke(host: &LambdaHost, event: Value) -> (u64, Value) {
    let response = host.invoke(event, PATIENCE).await.unwrap();
    assert_eq!(response["isBase64Encoded"], false, "{response}");
    let body = response["body"].as_str().unwrap();
    (response["statusCode"].as_u64().unwrap(), serde_json::from_str(body).unwrap_or_else(|_| body.into()))
}

#[tokio::test]
async fn a_prompt_arrives_in_the_events_of_all_gateways() {
    let host = host();
    for name in ["rest_api", "http_api", "load_balancer", "function_url", "direct"] {
        let (status, body) = invoke(&host, event(name, &bearer("alice"))).await;
        assert_eq!((status, &body["text"]), (200, &json!(PROMPT)), "{name}: {body}");
        let (status, body) = invoke(&host, event(name, "Bearer x.y.z")).await;
        assert_eq!((status, &body["code"]), (401, &json!("unauthenticated")), "{name}: {body}");
    }
}

#[tokio::test]
async fn an_authorizer_must_have_found_the_subject_of_the_token() {
    let host = host();
    let of_alice = ["/requestContext/authorizer/claims", "/requestContext/authorizer/jwt/claims"];
    for (name, claims) in ["rest_api", "http_api"].into_iter().zip(of_alice) {
        let (status, body) = invoke(&host, event(name, &bearer("bob"))).await;
        assert_eq!((status, &body["code"]), (401, &json!("unauthenticated")), "{name}");
        let mut without = event(name, &bearer("bob"));
        without.pointer_mut(claims).unwrap().as_object_mut().unwrap().remove("sub");
        assert_eq!(invoke(&host, without).await.0, 200, "{name}");
    }
    let agentcore = LambdaHost::from(AgentCoreHost::new(service(echo()), verifier()));
    let mut of_bob = event("rest_api", &bearer("bob"));
    of_bob["path"] = "/invocations".into();
    assert_eq!(invoke(&agentcore, of_bob).await, (401, json!({"error": "a valid bearer token is required"})));
}

#[tokio::test]
async fn the_path_is_that_within_the_stage() {
    let host = host();
    for (name, path, status) in [
        ("rest_api", "/prod/prompt", 404),
        ("rest_api", "/prompt", 200),
        ("http_api", "/prod/prompt", 200),
        ("http_api", "/prod/prod/prompt", 404),
        ("function_url", "/prod/prompt", 404),
        ("load_balancer", "/prod/prompt", 404),
    ] {
        let mut event = event(name, &bearer("alice"));
        for key in ["path", "rawPath"] {
            if let Some(value) = event.get_mut(key) {
                *value = path.into();
            }
        }
        assert_eq!(invoke(&host, event).await.0, status, "{name} {path}");
    }
    let mut spaced = event("http_api", &bearer("alice"));
    spaced["rawPath"] = "/prod/sessions/a b%2Fc".into();
    spaced["rawQueryString"] = "q=%20x".into();
    assert_eq!(invoke(&host, spaced).await.0, 405);
}

#[tokio::test]
async fn a_direct_event_is_a_prompt_of_the_host() {
    let (status, body) = invoke(&host(), event("direct", &bearer("alice"))).await;
    assert_eq!((status, &body["text"]), (200, &json!(PROMPT)));
    let mut as_object = event("direct", &bearer("alice"));
    as_object["body"] = json!({"text": "Hi"});
    assert_eq!(invoke(&host(), as_object).await.1["text"], "Hi");
    let agentcore = LambdaHost::from(AgentCoreHost::new(service(echo()), verifier()));
    assert_eq!(invoke(&agentcore, event("direct", &bearer("alice"))).await.1["result"], PROMPT);
    host().invoke(json!({"Records": [{"eventSource": "aws:sqs"}], "requestContext": {}}), PATIENCE).await.unwrap_err();
    host().invoke(json!(["a"]), PATIENCE).await.unwrap_err();
}

#[tokio::test]
async fn requests_have_the_id_of_the_client_and_responses_are_not_compressed() {
    let mut event = event("load_balancer", &bearer("alice"));
    event["headers"]["x-request-id"] = "from-client".into();
    event["body"] = json!({"prompt": "x".repeat(10_000)}).to_string().into();
    let response = host().invoke(event, PATIENCE).await.unwrap();
    assert_eq!(response["headers"]["x-request-id"], "from-client");
    assert!(response["headers"].get("content-encoding").is_none(), "{}", response["headers"]);
    assert_eq!(response["headers"]["content-type"], "application/json");
}

#[tokio::test]
async fn the_development_identity_refuses() {
    let host = HttpHost::new(service(echo()), DevelopmentIdentity::new(Identity::new("developer")));
    let host = LambdaHost::from(host);
    for name in ["rest_api", "http_api", "load_balancer", "function_url", "direct"] {
        let mut event = event(name, &bearer("alice"));
        event["headers"]["host"] = "localhost".into();
        if let Some(headers) = event.get_mut("multiValueHeaders") {
            headers["Host"] = json!(["localhost"]);
        }
        assert_eq!(invoke(&host, event).await.0, 403, "{name}");
    }
}
