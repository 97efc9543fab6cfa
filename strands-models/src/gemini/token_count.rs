//! Token counts of requests by the provider's endpoint.

use strands_core::models::ModelError;

use super::request::Body;
use super::{error, model_catalog};
use crate::http::Exchange;

/// Client of the token count endpoint.
pub(super) struct TokenCounter {
    pub(super) exchange: Exchange,
}

impl TokenCounter {
    pub(super) async fn count(&self, request: Body<'_>) -> Result<u64, ModelError> {
        self.exchange.ask_for_count(self.body(request)?, error::classify, "totalTokens").await
    }

    /// The Gemini API takes a nested generation request; Google Cloud takes its fields directly.
    fn body(&self, request: Body<'_>) -> Result<Vec<u8>, ModelError> {
        if request.traits.cloud {
            return request.write();
        }
        let model = Some(model_catalog::resource(self.exchange.endpoint.model_id()));
        let request = Body { model, ..request }.write()?;
        Ok([br#"{"generateContentRequest":"#.as_slice(), &request, b"}"].concat())
    }
}
