//! Token counts of servers that count the tokens of a request.

use serde_json::Value;
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind};

use super::exchange::Exchange;
use super::refusal::Refusal;
use super::tolerant;

impl Exchange {
    /// Sends one request that is answered by a document with a count of tokens in this field.
    pub(crate) async fn ask_for_count(
        &self,
        body: Vec<u8>,
        sort: impl FnOnce(&mut Refusal) -> ModelErrorKind,
        field: &str,
    ) -> Result<u64, ModelError> {
        let document = self.ask_for_document(body, sort).await?;
        count_in(&document, field)
    }
}

fn count_in(document: &str, field: &str) -> Result<u64, ModelError> {
    let uncounted = |details: ErrorDetails| ModelError::Protocol {
        what: "the response does not say how many tokens the request has".to_owned(),
        details: details.boxed(),
    };
    let document: Value =
        serde_json::from_str(document).map_err(|error| uncounted(ErrorDetails::new().with_source(error)))?;
    document.get(field).and_then(tolerant::count).ok_or_else(|| uncounted(ErrorDetails::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_whatever_their_type() {
        for document in [r#"{"tokens": 7}"#, r#"{"tokens": 7.0, "more": []}"#, r#"{"tokens": "7"}"#] {
            assert_eq!(count_in(document, "tokens").unwrap(), 7, "{document}");
        }
        for document in ["{}", r#"{"tokens": null}"#, r#"{"tokens": -7}"#, "<html>", ""] {
            let error = count_in(document, "tokens").unwrap_err();
            assert!(matches!(error, ModelError::Protocol { .. }), "{document}: {error:?}");
        }
    }
}
