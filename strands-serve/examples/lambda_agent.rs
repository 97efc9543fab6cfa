//! An agent as a Lambda function: an OpenAI-compatible model, sessions in memory or in a folder, and tokens.
//!
//! | variable | meaning |
//! |---|---|
//! | `AGENT_MODEL_URL` | base URL of the model's API |
//! | `AGENT_JWT_SECRET` | key of tokens (HS256) with the issuer and the audience `lambda_agent`; at least 32 bytes |
//! | `AGENT_SESSIONS` | folder of the sessions; default: in memory |
//! | `STRANDS_LAMBDA_INVOKE_MODE` | `buffered` or `response_stream` |

use std::error::Error;
use std::sync::Arc;

use strands::identity::JwtVerifier;
use strands::models::openai::OpenAiModel;
use strands::serve::http::HttpHost;
use strands::serve::{AgentService, lambda};
use strands::session::SessionStore;
use strands::session::object_store::memory::InMemory;
use strands::{Agent, tool};

/// Returns the weather in a city.
#[tool]
fn weather(city: String) -> String {
    format!("It is sunny in {city}.")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let model = OpenAiModel::builder()
        .model_id("gpt-5-mini")
        .base_url(std::env::var("AGENT_MODEL_URL")?)
        .api_key("of-the-function")
        .build()?;
    let template = Agent::builder().model(model).system_prompt("You know the weather.").tool(Weather);
    let store = match std::env::var_os("AGENT_SESSIONS") {
        Some(folder) => SessionStore::files(folder),
        None => SessionStore::objects(Arc::new(InMemory::new()), "")?,
    };
    let verifier = JwtVerifier::builder()
        .hs256_secret(std::env::var("AGENT_JWT_SECRET")?)
        .issuer("lambda_agent")
        .audience("lambda_agent")
        .build()?;
    let service = AgentService::builder(template, store).build();
    lambda::run(HttpHost::new(service, verifier)).await
}
