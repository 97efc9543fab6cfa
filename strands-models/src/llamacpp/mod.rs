//! Local models behind llama.cpp's server.

mod builder;
mod error;

use std::sync::Arc;

use crate::chat_completions::{Chat, chat_model};

pub use builder::{LlamaCppModelBuilder, Mirostat};

/// Model behind llama.cpp's server (`llama-server`).
///
/// Tools and reasoning require the server's `--jinja`, the default of newer versions; images and audio require a model with a
/// projector (`--mmproj`). Cheap to clone. All models share one HTTP client and its connections.
///
/// ```no_run
/// use strands::models::LlamaCppModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // At http://localhost:8080/v1, with the model that the server was started with.
/// let model = LlamaCppModel::builder().build()?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LlamaCppModel {
    chat: Arc<Chat>,
}

chat_model!(LlamaCppModel, LlamaCppModelBuilder);
