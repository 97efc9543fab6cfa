//! How many tokens a request has, as the provider counts them.

use strands_core::models::ModelError;

use super::body::Body;
use super::{error, known};
use crate::http::Exchange;

/// Asks the provider to count.
pub(super) struct Counting {
    pub(super) exchange: Exchange,
}

impl Counting {
    pub(super) async fn count(&self, request: Body<'_>) -> Result<u64, ModelError> {
        self.exchange.ask_for_count(self.body(request)?, error::sort, "totalTokens").await
    }

    /// The Gemini API counts a whole request, which stands inside this one; Google Cloud takes the fields as they are.
    fn body(&self, request: Body<'_>) -> Result<Vec<u8>, ModelError> {
        if request.traits.cloud {
            return request.write();
        }
        let model = Some(known::resource(self.exchange.endpoint.model_id()));
        let request = Body { model, ..request }.write()?;
        Ok([br#"{"generateContentRequest":"#.as_slice(), &request, b"}"].concat())
    }
}
