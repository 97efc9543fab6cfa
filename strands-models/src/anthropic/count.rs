//! The provider's own count of a request's tokens. Source:
//! <https://platform.claude.com/docs/en/build-with-claude/token-counting>.

use serde::Deserialize;
use strands_core::model::{ErrorDetails, ModelError};

use crate::http::Exchange;

/// How many tokens a request has.
pub(super) async fn count(exchange: &Exchange, body: Vec<u8>) -> Result<u64, ModelError> {
    #[derive(Deserialize)]
    struct Counted {
        input_tokens: u64,
    }
    let answer = exchange.ask_for_document(body, super::error::sort).await?;
    let counted: Counted = serde_json::from_str(&answer).map_err(|error| ModelError::Protocol {
        what: "the answer does not say how many tokens the request has".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    })?;
    Ok(counted.input_tokens)
}
