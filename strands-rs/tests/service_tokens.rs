//! Tokens of an agent's user at an MCP server, from the minter through the client to the tool.
#![cfg(all(feature = "jwt", feature = "mcp"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use strands::identity::secrecy::SecretString;
use strands::identity::{Audit, Identity, JwtVerifier, MemoryAudit, ServiceTokenMinter};
use strands::mcp::axum::{self, http::request::Parts};
use strands::mcp::{Caller, IdentifyCaller, McpClient, McpServer, Refusal, TokenSource};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, async_trait, serde_json::json, tool, tools};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ISSUER: &str = "https://agents.example.com";

/// The user.
#[tool]
fn current_user(user: &Identity, caller: &Caller) -> String {
    format!("{} {} {:?}", user.subject, user.name.as_deref().unwrap_or_default(), caller.id())
}

struct Verified(JwtVerifier);

#[async_trait]
impl IdentifyCaller for Verified {
    async fn identify(&self, request: &Parts) -> Result<Caller, Refusal> {
        let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let user = self.0.verify_bearer(header).await.map_err(|_| Refusal::unauthorized("Bearer"))?;
        Ok(Caller::new(user.subject.as_str()).inject(user))
    }
}

struct UserTokens {
    minter: ServiceTokenMinter,
    user: Identity,
}

#[async_trait]
impl TokenSource for UserTokens {
    async fn token(&self) -> Result<Option<SecretString>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Some(self.minter.token_for(&self.user)?))
    }
}

fn minter(audience: &str) -> ServiceTokenMinter {
    ServiceTokenMinter::hs256(SECRET).agent("travel-agent").issuer(ISSUER).audience(audience).build().unwrap()
}

/// Starts a server; returns its URL.
async fn serve(audit: Audit) -> String {
    let verifier = JwtVerifier::builder().hs256_secret(SECRET).issuer(ISSUER).audience("travel-tools");
    let verifier = verifier.subject_claim("user_id").audit(audit).build().unwrap();
    let server = McpServer::new(tools![CurrentUser]).unwrap().identify_caller(Verified(verifier));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, server.into_router()).await });
    url
}

#[tokio::test]
async fn tools_of_a_server_get_the_user_and_not_the_agent() {
    let audit = MemoryAudit::new();
    let url = serve(Audit::new(audit.clone())).await;
    let minter = minter("travel-tools");
    for (user, expected) in [
        (Identity::new("alice").with_name("Alice"), r#"alice Alice Some("alice")"#),
        (Identity::new("bob"), r#"bob  Some("bob")"#),
    ] {
        let tokens = UserTokens { minter: minter.clone(), user };
        let client = McpClient::http(&url).token_source(tokens).build().unwrap();
        let model = ScriptedModel::new([ScriptedTurn::tool_use("current_user", json!({})), ScriptedTurn::text("You.")]);
        let mut agent = Agent::builder().model(model).tool_provider(client).build().await.unwrap();
        agent.prompt("Who am I?").await.unwrap();
        let results: Vec<_> = agent.messages().iter().flat_map(|message| message.tool_results()).collect();
        assert_eq!(results.iter().map(|result| result.content.clone()).collect::<Vec<_>>(), [vec![expected.into()]]);
    }
    assert!(audit.records().is_empty());
}

#[tokio::test]
async fn a_server_refuses_clients_without_a_valid_token() {
    let audit = MemoryAudit::new();
    let url = serve(Audit::new(audit.clone())).await;
    let other = UserTokens { minter: minter("other-tools"), user: Identity::new("alice") };
    for (client, reason) in [
        (McpClient::http(&url), "no bearer token"),
        (McpClient::http(&url).bearer_token("forged"), "malformed token"),
        (McpClient::http(&url).token_source(other), "token for another audience"),
    ] {
        let error = format!("{:?}", client.build().unwrap().connect().await.unwrap_err());
        assert!(!error.contains(reason), "{error}");
        assert_eq!(audit.records().last().and_then(|record| record.reason.clone()).as_deref(), Some(reason));
    }
}
