//! The agent card.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use strands::a2a::axum::http::{Method, StatusCode};
use strands::a2a::{A2aServer, A2aServerError, CardSigner, Skill};
use strands::testing::ScriptedModel;
use strands::{Agent, tool, tools};

use crate::client::{Client, URL, agent, server};

/// Books a trip.
#[tool]
fn book(city: String) -> String {
    city
}

fn model() -> ScriptedModel {
    ScriptedModel::responding("ok")
}

async fn card(server: &A2aServer, version: &'static str) -> Value {
    let (status, card) =
        Client::of(server).version(version).http(Method::GET, "/.well-known/agent-card.json", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    card
}

#[tokio::test]
async fn one_card_is_for_clients_of_both_versions() {
    let server = A2aServer::builder(agent(model()), "https://example.com/agents/helper/")
        .tool_skills(tools![Book])
        .skill(Skill::new("chat", "Chat", "Talks.").tag("talk").example("Hi!"))
        .version("2.1.0")
        .provider("Example", "https://example.com")
        .documentation_url("https://example.com/docs")
        .icon_url("https://example.com/icon.png")
        .input_modes(["text/plain"])
        .output_modes(["text/plain"])
        .build()
        .unwrap();
    let both = card(&server, "").await;
    let url = "https://example.com/agents/helper";
    let expected = json!({
        "name": "helper",
        "description": "Helps.",
        "version": "2.1.0",
        "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            {"url": url, "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
        ],
        "capabilities": {"streaming": true, "pushNotifications": false, "extendedAgentCard": false},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [
            {"id": "book", "name": "book", "description": "Books a trip.", "tags": ["tool"]},
            {"id": "chat", "name": "Chat", "description": "Talks.", "tags": ["talk"], "examples": ["Hi!"]},
        ],
        "provider": {"organization": "Example", "url": "https://example.com"},
        "documentationUrl": "https://example.com/docs",
        "iconUrl": "https://example.com/icon.png",
    });
    assert_eq!(card(&server, "1.0").await, expected);
    let mut with_v03 = expected;
    with_v03["url"] = json!(url);
    with_v03["preferredTransport"] = json!("JSONRPC");
    with_v03["protocolVersion"] = json!("0.3.0");
    assert_eq!(both, with_v03);
}

#[tokio::test]
async fn a_card_can_be_signed() {
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
    let public = rcgen::KeyPair::from_pem(&pem).unwrap();
    let signer = CardSigner::es256("k1", pem.as_bytes()).unwrap();
    let server = A2aServer::builder(agent(model()), URL).sign_card(signer).bearer_tokens().build().unwrap();
    let (both, mut signed) = (card(&server, "").await, card(&server, "1.0").await);
    assert_eq!(both["signatures"], signed["signatures"]);
    // A verifier parses the card, and leaves out what has the default value of its type.
    let signature = signed.as_object_mut().unwrap().remove("signatures").unwrap()[0].take();
    assert_eq!(signed["securityRequirements"], json!([{"schemes": {"bearer": {}}}]));
    let payload = URL_SAFE_NO_PAD.encode(serde_json_canonicalizer::to_vec(&signed).unwrap());
    let payload = format!("{}.{payload}", signature["protected"].as_str().unwrap());
    let bytes = URL_SAFE_NO_PAD.decode(signature["signature"].as_str().unwrap()).unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public.public_key_raw());
    key.verify(payload.as_bytes(), &bytes).unwrap();
}

#[tokio::test]
async fn each_skill_has_a_tag() {
    let skills = async |server: A2aServer| card(&server, "1.0").await["skills"].take();
    let default = A2aServer::builder(agent(model()), URL).build().unwrap();
    assert_eq!(skills(default).await[0]["tags"], json!(["chat"]));
    let server = A2aServer::builder(agent(model()), URL).skill(Skill::new("book", "Book", "Books.")).build().unwrap();
    assert_eq!(skills(server).await[0]["tags"], json!(["book"]));
}

#[tokio::test]
async fn caches_can_ask_whether_the_card_has_changed() {
    let client = Client::of(&server(agent(model())));
    let first = client.raw(Method::GET, "/.well-known/agent-card.json", "", "").await;
    assert!(first.headers()["cache-control"].to_str().unwrap().contains("max-age=300"));
    assert!(first.headers()["last-modified"].to_str().unwrap().ends_with(" GMT"));
    assert_eq!(first.headers()["vary"], "a2a-version");
    assert_ne!(
        first.headers()["etag"],
        client.version("").raw(Method::GET, "/.well-known/agent.json", "", "").await.headers()["etag"]
    );
}

#[test]
fn an_agent_with_a_session_manager_is_refused_as_callers_would_share_its_session() {
    let stored = agent(model()).session_manager(strands::testing::InMemorySessionManager::new("s"));
    assert!(matches!(A2aServer::builder(stored, URL).build(), Err(A2aServerError::SharedSession)));
}

#[test]
fn a_card_needs_a_name_a_description_and_a_url() {
    let build = |agent: strands::AgentBuilder, url: &str| A2aServer::builder(agent, url).build().err();
    assert!(matches!(build(Agent::builder().model(model()).name("a"), URL), Some(A2aServerError::MissingDescription)));
    assert!(matches!(build(agent(model()).name(""), URL), Some(A2aServerError::MissingName)));
    for url in ["", "example.com", "ftp://example.com", "https://a.b/?q", "https://user@a.b/"] {
        assert!(matches!(build(agent(model()), url), Some(A2aServerError::InvalidUrl { .. })), "{url}");
    }
    assert!(build(agent(model()), "http://localhost:9000/").is_none());
}
