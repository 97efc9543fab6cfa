//! Model selection for all programs of the quickstart.

use std::sync::Arc;

use strands::models::Model;
use strands::models::{self, ModelIdError};

/// Returns the model in `STRANDS_MODEL`, such as `bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0`. Default: the offline
/// model, which needs no API key and no network, and is not a language model.
///
/// # Errors
///
/// Returns [`ModelIdError`] if the variable has an unknown model, or one whose feature is off.
pub async fn model() -> Result<Arc<dyn Model>, ModelIdError> {
    match models::from_env().await {
        Err(ModelIdError::NotSet) => models::from_id("offline").await,
        chosen => chosen,
    }
}
