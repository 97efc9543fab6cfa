//! Token counts of requests by the provider's endpoint. Source:
//! <https://platform.claude.com/docs/en/build-with-claude/token-counting>.

use strands_core::models::ModelError;

use crate::http::Exchange;

/// Returns the number of input tokens of a request.
pub(super) async fn count(exchange: &Exchange, body: Vec<u8>) -> Result<u64, ModelError> {
    exchange.ask_for_count(body, super::error::classify, "input_tokens").await
}
