//! Models: the agent is the only one.

use std::sync::Arc;

use axum::extract::Path;
use axum::{Extension, Json};
use http::StatusCode;
use serde_json::{Value, json};

use super::OpenAiSettings;
use super::error::ApiError;

impl OpenAiSettings {
    /// Checks the model of a request.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not the agent.
    pub(super) fn check_model(&self, model: &str) -> Result<(), ApiError> {
        if model == self.model {
            return Ok(());
        }
        let message = format!("the model `{model}` does not exist");
        Err(ApiError::new(StatusCode::NOT_FOUND, "model", "model_not_found", message))
    }

    fn model_json(&self) -> Value {
        json!({"id": self.model, "object": "model", "created": 0, "owned_by": "strands"})
    }
}

pub(super) async fn list(Extension(settings): Extension<Arc<OpenAiSettings>>) -> Json<Value> {
    Json(json!({"object": "list", "data": [settings.model_json()]}))
}

pub(super) async fn get(
    Extension(settings): Extension<Arc<OpenAiSettings>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    settings.check_model(&id)?;
    Ok(Json(settings.model_json()))
}
