//! Client of the MCP conformance suite, on the public API of this crate.
//!
//! The suite starts it with the URL of a server as last argument. The environment has the name of the scenario,
//! `MCP_CONFORMANCE_SCENARIO`, and its data as JSON, `MCP_CONFORMANCE_CONTEXT`. `.ci/mcp/client_conformance` runs the suite.

#![expect(clippy::print_stdout, reason = "the suite shows the output of a client that fails")]

use std::convert::Infallible;
use std::env;
use std::error::Error;

use serde_json::{Map, Value, json};
use strands_mcp::{
    AuthorizationCode, ClientCredentials, Elicitation, ElicitationKind, ElicitationResponse, EnterpriseManaged,
    IdentityProvider, McpClient, OAuth, OAuthClient, WorkloadIdentity,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const REDIRECT_URI: &str = "http://localhost:3000/callback";
const METADATA_URL: &str = "https://conformance-test.local/client-metadata.json";

/// Data of a scenario.
struct Context(Value);

impl Context {
    fn text(&self, name: &str) -> Result<String> {
        let text = self.0.get(name).and_then(Value::as_str);
        Ok(text.ok_or_else(|| format!("the context has no `{name}`"))?.to_owned())
    }

    fn client_with_secret(&self) -> Result<OAuthClient> {
        Ok(OAuthClient::with_secret(self.text("client_id")?, self.text("client_secret")?))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = env::args().next_back().ok_or("no URL")?;
    let scenario = env::var("MCP_CONFORMANCE_SCENARIO")?;
    let context =
        Context(env::var("MCP_CONFORMANCE_CONTEXT").map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?);

    let mut builder = McpClient::http(&url).elicitation(|elicitation| async { accept_defaults(elicitation) });
    if scenario.starts_with("auth/") {
        builder = builder.oauth(oauth(&scenario, &context)?);
    }
    let client = builder.connect().await?;
    for (name, arguments) in calls(&scenario, &context, &client).await? {
        let output = client.call_tool(&name, arguments).await?;
        println!("{name}: {output:?}");
    }
    client.close().await;
    Ok(())
}

/// Tool calls that a scenario requires: those of its data, or else those of its description, or else all tools.
async fn calls(scenario: &str, context: &Context, client: &McpClient) -> Result<Vec<(String, Value)>> {
    let tools = client.tools().await?;
    let named = |name: &str, arguments: Value| Ok(vec![(name.to_owned(), arguments)]);
    if let Some(calls) = context.0.get("toolCalls").and_then(Value::as_array) {
        let call = |call: &Value| {
            let name = call.get("name").and_then(Value::as_str).unwrap_or_default();
            (name.to_owned(), call.get("arguments").cloned().unwrap_or_else(|| json!({})))
        };
        return Ok(calls.iter().map(call).collect());
    }
    match scenario {
        // The second server lists a tool that it does not have.
        "initialize" | "json-schema-ref-no-deref" => Ok(Vec::new()),
        "tools_call" => named("add_numbers", json!({"a": 5, "b": 3})),
        "json-schema-2020-12-preservation" => {
            let tool = tools.iter().find(|tool| tool.spec().name == "json_schema_2020_12_tool");
            let schema = tool.ok_or("no tool `json_schema_2020_12_tool`")?.spec().input_schema.clone();
            named("json_schema_echo", json!({"schema": schema}))
        }
        _ => Ok(tools.iter().map(|tool| (tool.spec().name.clone(), json!({}))).collect()),
    }
}

fn oauth(scenario: &str, context: &Context) -> Result<OAuth> {
    let by_user = AuthorizationCode::new(REDIRECT_URI, visit).client_metadata_url(METADATA_URL);
    Ok(match scenario {
        "auth/pre-registration" => OAuth::new(by_user.client(context.client_with_secret()?)),
        "auth/client-credentials-basic" => OAuth::new(ClientCredentials::new(context.client_with_secret()?)),
        "auth/client-credentials-jwt" => {
            let key = context.text("private_key_pem")?;
            OAuth::new(ClientCredentials::new(OAuthClient::with_private_key(context.text("client_id")?, key)?))
        }
        // The second name is that of releases before 0.2.
        "auth/enterprise-managed-authorization" | "auth/cross-app-access-complete-flow" => {
            let client = OAuthClient::public(context.text("idp_client_id")?);
            let provider =
                IdentityProvider::new(context.text("idp_issuer")?, context.text("idp_token_endpoint")?, client);
            let token = context.text("idp_id_token")?;
            let id_token = move || std::future::ready(Ok::<_, Infallible>(token.clone()));
            OAuth::new(EnterpriseManaged::new(provider, context.client_with_secret()?, id_token))
        }
        "auth/wif-jwt-bearer" => {
            let token = context.text("valid_jwt")?;
            let client = OAuthClient::public(context.text("client_id")?);
            OAuth::new(WorkloadIdentity::new(client, move |_issuer| {
                std::future::ready(Ok::<_, Infallible>(token.clone()))
            }))
        }
        _ => OAuth::new(by_user),
    })
}

/// The user: the authorization server of the suite authorizes at once, with a redirect.
async fn visit(url: String) -> Result<String> {
    let response = strands_http::HttpOptions::plain_http().builder()?.build()?.get(url).send().await?;
    let location = response.headers().get("location").ok_or("no redirect")?;
    Ok(location.to_str()?.to_owned())
}

/// Accepts a form with the defaults of its fields, and true for a confirmation.
fn accept_defaults(elicitation: Elicitation) -> ElicitationResponse {
    let ElicitationKind::Form { schema } = elicitation.kind else { return ElicitationResponse::Decline };
    let mut content = Map::new();
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let is_confirmation = field.get("type").and_then(Value::as_str) == Some("boolean");
        let default = field.get("default").cloned().or_else(|| is_confirmation.then(|| true.into()));
        content.extend(default.map(|default| (name.clone(), default)));
    }
    ElicitationResponse::Accept(content.into())
}
