//! A user of the system, as the page acts for them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::system::{Reply, System, request};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";

fn encoded(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// Signs in, and returns the tokens.
pub(crate) fn sign_in(system: &System, username: &str) -> Value {
    let (issuer, page) = (system.url("issuer"), system.url("page"));
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    let query = encoded(&[
        ("response_type", "code"),
        ("client_id", "travel-page"),
        ("redirect_uri", page),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let form = request("GET", &format!("{issuer}/authorize?{query}"), "", "").unwrap();
    let (_, hidden) = form.body.split_once(r#"name="form" value=""#).unwrap();
    let (hidden, _) = hidden.split_once('"').unwrap();
    let cookie = form.header("set-cookie").split(';').next().unwrap();
    let password = format!("{username}-dev");
    let fields = encoded(&[("form", hidden), ("username", username), ("password", &password)]);
    let signed_in = request("POST", &format!("{issuer}/sign-in"), &format!("{FORM}Cookie: {cookie}\r\n"), &fields);
    let target = Url::parse(signed_in.unwrap().header("location")).unwrap();
    let (_, code) = target.query_pairs().find(|(name, _)| name == "code").unwrap();
    let fields = encoded(&[
        ("grant_type", "authorization_code"),
        ("client_id", "travel-page"),
        ("redirect_uri", page),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ]);
    let tokens = request("POST", &format!("{issuer}/token"), FORM, &fields).unwrap();
    serde_json::from_str(&tokens.body).unwrap()
}

/// Returns new tokens for a refresh token.
pub(crate) fn refresh(system: &System, tokens: &Value) -> Reply {
    let token = tokens["refresh_token"].as_str().unwrap();
    let fields = encoded(&[("grant_type", "refresh_token"), ("client_id", "travel-page"), ("refresh_token", token)]);
    request("POST", &format!("{}/token", system.url("issuer")), FORM, &fields).unwrap()
}

/// Sends a request to an agent with the user's token.
pub(crate) fn call(system: &System, tokens: &Value, method: &str, path: &str, body: &str) -> std::io::Result<Reply> {
    let token = tokens["access_token"].as_str().unwrap();
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    request(method, &format!("{}{path}", system.url("page")), &headers, body)
}

/// Prompts the agent. Returns the text of its reply.
pub(crate) fn prompt(system: &System, tokens: &Value, prompt: &str) -> String {
    let reply = call(system, tokens, "POST", "prompt", &json!({"prompt": prompt}).to_string()).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply: Value = serde_json::from_str(&reply.body).unwrap();
    reply["text"].as_str().unwrap().to_owned()
}
