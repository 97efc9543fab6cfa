//! The provider's own count of a request's tokens. Source:
//! <https://platform.claude.com/docs/en/build-with-claude/token-counting>.

use strands_core::models::ModelError;

use crate::http::Exchange;

/// How many tokens a request has.
pub(super) async fn count(exchange: &Exchange, body: Vec<u8>) -> Result<u64, ModelError> {
    exchange.ask_for_count(body, super::error::sort, "input_tokens").await
}
