//! Clients of this library against servers with a certificate of a test authority, for `.ci/serve/tls`.
//!
//! The arguments are a client (`jwks`, `mcp`, `model` or `s3`), the URL of a server, and a file with certificate authorities in
//! PEM, or `-` for those of the platform alone. It prints `ok`, or the error. All clients but `model` trust the file by their
//! own options; `model` by the variable `SSL_CERT_FILE`.

use std::error::Error;
use std::io::Write as _;

use strands::identity::JwtVerifier;
use strands::mcp::McpClient;
use strands::models::OpenAiModel;
use strands::session::S3SessionManager;
use strands::{Agent, RetryPolicy};

/// A token with a key id, so that the verifier needs the keys of the issuer.
const TOKEN: &str = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6InRlc3QiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJ0ZXN0Iiwic3ViIjoiYWxpY2UiLCJhdWQiOiJ0ZXN0IiwiZXhwIjo0MTAyNDQ0ODAwfQ.AAAA";

async fn mcp(url: &str, pem: Option<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let client = McpClient::http(url).bearer_token("s3cret");
    let client = match pem {
        Some(pem) => client.trust_pem(pem),
        None => client,
    };
    client.connect().await?;
    Ok(())
}

async fn s3(url: &str, pem: Option<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let manager = S3SessionManager::builder("https", "bucket").endpoint(url).region("us-east-1");
    let manager = match pem {
        Some(pem) => manager.trust_pem(pem),
        None => manager,
    };
    let manager = manager.build().await?;
    let model = strands::testing::ScriptedModel::responding("stored");
    let mut agent = Agent::builder().model(model).session_manager(manager.clone()).build().await?;
    agent.prompt("over TLS").await?;
    let sessions = manager.store().list().await?;
    if sessions == ["https"] { Ok(()) } else { Err(format!("the sessions are {sessions:?}").into()) }
}

async fn jwks(url: &str, pem: Option<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let verifier = JwtVerifier::builder().jwks_url(url).issuer("test").audience("test");
    let verifier = match pem {
        Some(pem) => verifier.trust_pem(pem),
        None => verifier,
    };
    match verifier.build()?.verify_bearer(Some(TOKEN)).await {
        // The keys arrived, and the signature is not theirs.
        Err(error) if !error.is_unavailable() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("the token is not signed".into()),
    }
}

async fn model(url: &str) -> Result<(), Box<dyn Error>> {
    let model = OpenAiModel::builder().base_url(url).api_key("s3cret").model_id("m").streaming(false).build()?;
    let mut agent = Agent::builder().model(model).retry(RetryPolicy::never()).build().await?;
    agent.prompt("hi").await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [client, url, file] = arguments.as_slice() else { return Err("expected a client, a URL and a file".into()) };
    let pem = if file == "-" { None } else { Some(std::fs::read(file)?) };
    let result = match client.as_str() {
        "jwks" => jwks(url, pem).await,
        "mcp" => mcp(url, pem).await,
        "model" => model(url).await,
        "s3" => s3(url, pem).await,
        other => Err(format!("no client `{other}`").into()),
    };
    match result {
        Ok(()) => writeln!(std::io::stdout(), "ok")?,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(error) = source {
                text = format!("{text}: {error}");
                source = error.source();
            }
            writeln!(std::io::stdout(), "{}", text.replace('\n', " "))?;
        }
    }
    Ok(())
}
