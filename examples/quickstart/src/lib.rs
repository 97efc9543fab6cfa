//! What the small programs share: the choice of the model.

use std::sync::Arc;

use strands::models::Model;
use strands::models::{self, ModelIdError};

/// The model that `STRANDS_MODEL` names, such as `bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0`. Without it the
/// offline model, which needs no key and no network, and is no language model.
///
/// # Errors
///
/// [`ModelIdError`] when the variable names no model, or one whose feature is off.
pub async fn model() -> Result<Arc<dyn Model>, ModelIdError> {
    match models::from_env().await {
        Err(ModelIdError::NotSet) => models::from_id("offline").await,
        chosen => chosen,
    }
}
