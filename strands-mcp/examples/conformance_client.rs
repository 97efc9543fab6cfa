//! Temporary raw client.
use std::error::Error;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use strands_mcp::*;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

async fn visit(url: String) -> Result<String> {
    let client = strands_http::HttpOptions::plain_http().builder()?.build()?;
    let response = client.get(url).send().await?;
    Ok(response.headers().get("location").ok_or("no redirect")?.to_str()?.to_owned())
}

fn oauth(scenario: &str, context: &Value) -> Result<OAuth> {
    let text = |name: &str| context[name].as_str().map(str::to_owned).ok_or(format!("the context has no `{name}`"));
    let code = AuthorizationCode::new("http://localhost:3000/callback", visit)
        .client_metadata_url("https://conformance-test.local/client-metadata.json");
    Ok(match scenario {
        "auth/client-credentials-basic" => {
            OAuth::new(ClientCredentials::new(OAuthClient::with_secret(text("client_id")?, text("client_secret")?)))
        }
        "auth/client-credentials-jwt" => OAuth::new(ClientCredentials::new(OAuthClient::with_private_key(
            text("client_id")?,
            text("private_key_pem")?,
        )?)),
        "auth/pre-registration" => {
            OAuth::new(code.client(OAuthClient::with_secret(text("client_id")?, text("client_secret")?)))
        }
        "auth/enterprise-managed-authorization" | "auth/cross-app-access-complete-flow" => {
            let idp = IdentityProvider::new(
                text("idp_issuer")?,
                text("idp_token_endpoint")?,
                OAuthClient::public(text("idp_client_id")?),
            );
            let token = text("idp_id_token")?;
            let client = OAuthClient::with_secret(text("client_id")?, text("client_secret")?);
            OAuth::new(EnterpriseManaged::new(idp, client, move || {
                let token = token.clone();
                async move { Ok::<_, std::io::Error>(token) }
            }))
        }
        "auth/wif-jwt-bearer" => {
            let token = text("valid_jwt")?;
            OAuth::new(WorkloadIdentity::new(OAuthClient::public(text("client_id")?), move |_| {
                let token = token.clone();
                async move { Ok::<_, std::io::Error>(token) }
            }))
        }
        _ => OAuth::new(code),
    })
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().next_back().ok_or("no url")?;
    let scenario = std::env::var("MCP_CONFORMANCE_SCENARIO")?;
    let context: Value =
        serde_json::from_str(&std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|_| "{}".to_owned()))?;
    let source = oauth(&scenario, &context)?.token_source(&url)?;
    let client = strands_http::HttpOptions::plain_http().builder()?.build()?;
    let mut session: Option<String> = None;
    for body in [
        json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}),
        json!({"jsonrpc":"2.0","method":"notifications/initialized"}),
        json!({"jsonrpc":"2.0","id":2,"method":"tools/list"}),
        json!({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"test-tool","arguments":{}}}),
    ] {
        for attempt in 0..3 {
            let token = source.token().await.map_err(chain)?;
            let mut request = client
                .post(&url)
                .header("accept", "application/json, text/event-stream")
                .header("mcp-protocol-version", "2025-11-25")
                .json(&body);
            if let Some(session) = &session {
                request = request.header("mcp-session-id", session);
            }
            if let Some(token) = &token {
                request = request.bearer_auth(token.expose_secret());
            }
            let response = request.send().await?;
            let status = response.status().as_u16();
            if let Some(id) = response.headers().get("mcp-session-id") {
                session = Some(id.to_str()?.to_owned());
            }
            if attempt < 2 && (status == 401 || status == 403) {
                let header = response.headers().get("www-authenticate").map(|value| value.to_str().map(str::to_owned));
                let challenge = Challenge::new(status, header.transpose()?).rejecting(token);
                if source.challenged(&challenge).await.map_err(chain)? {
                    continue;
                }
            }
            println!("{status} {}", response.text().await?);
            if status >= 400 {
                return Err("failed".into());
            }
            break;
        }
    }
    Ok(())
}

fn chain(error: Box<dyn Error + Send + Sync>) -> Box<dyn Error + Send + Sync> {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text.into()
}
