//! Mistral's models, at Mistral or on a server with the same protocol.

mod builder;
mod error;

use std::sync::Arc;

use crate::chat_completions::{Chat, chat_model};

pub use builder::MistralModelBuilder;

/// Model of Mistral over Chat Completions.
///
/// Cheap to clone. All models share one HTTP client and its connections.
///
/// ```no_run
/// use strands::models::MistralModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = MistralModel::builder().model_id("mistral-large-latest").build()?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MistralModel {
    chat: Arc<Chat>,
}

chat_model!(MistralModel, MistralModelBuilder);
