//! Token counts of requests by their provider.

use serde_json::Value;
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind};

use super::error_response::ErrorResponse;
use super::exchange::Exchange;
use super::tolerant;

impl Exchange {
    /// Sends one request whose response is a document with a token count in this field.
    pub(crate) async fn ask_for_count(
        &self,
        body: Vec<u8>,
        classify: impl FnOnce(&mut ErrorResponse) -> ModelErrorKind,
        field: &str,
    ) -> Result<u64, ModelError> {
        let document = self.ask_for_document(body, classify).await?;
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
    fn reads_counts_of_any_type() {
        for document in [r#"{"tokens": 7}"#, r#"{"tokens": 7.0, "more": []}"#, r#"{"tokens": "7"}"#] {
            assert_eq!(count_in(document, "tokens").unwrap(), 7, "{document}");
        }
        for document in ["{}", r#"{"tokens": null}"#, r#"{"tokens": -7}"#, "<html>", ""] {
            let error = count_in(document, "tokens").unwrap_err();
            assert!(matches!(error, ModelError::Protocol { .. }), "{document}: {error:?}");
        }
    }
}
