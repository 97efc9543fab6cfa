//! Token counts of requests: Bedrock's if it is enabled and available, else an estimate.

use serde::Deserialize;
use strands_core::models::{ModelError, ModelRequest, estimate_tokens};

use crate::body::Deadline;
use crate::capabilities;
use crate::error::{CallContext, Refusal};
use crate::exchange::{Failure, Operation, exchange};
use crate::model::Inner;
use crate::request::Body;
use crate::request_adaptation::Variant;

/// Maximum length of the response, in bytes.
const RESPONSE_LIMIT: usize = 64 * 1024;
const NOT_COUNTED: &str = "doesn't support counting tokens";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    input_tokens: u64,
}

/// Returns the number of input tokens, or an estimate if Bedrock can't count them.
///
/// # Errors
///
/// Returns [`ModelError::InvalidRequest`] if content can't be serialized as JSON.
pub(crate) async fn count_tokens(inner: &Inner, request: &ModelRequest<'_>) -> Result<u64, ModelError> {
    let model_id = &inner.context.model_id;
    let memory = &inner.shared.memory;
    if !inner.native_token_count || !inner.capabilities.counts_tokens || !memory.counts_tokens(model_id) {
        return Ok(estimate_tokens(request));
    }
    // The output schema is not counted.
    let mut request = *request;
    request.output_schema = None;
    let body = Body::new(&request, inner, &Variant::default(), false)?.count_tokens()?;
    let mut counted = request_count(inner, body.clone(), &inner.context).await;
    // CountTokens may not know an inference profile, but knows its base model.
    if let Err(Some(refusal)) = &counted
        && refusal.message.contains(NOT_COUNTED)
        && let Some(base) = capabilities::base_model(model_id).filter(|base| base != model_id)
    {
        let context = CallContext { model_id: base.to_owned(), ..CallContext::clone(&inner.context) };
        counted = request_count(inner, body, &context).await;
    }
    match counted {
        Ok(tokens) => Ok(tokens),
        Err(refusal) => {
            if refusal.is_some_and(|refusal| is_final(&refusal)) {
                memory.no_token_count(model_id);
            }
            Ok(estimate_tokens(&request))
        }
    }
}

async fn request_count(inner: &Inner, body: Vec<u8>, context: &CallContext) -> Result<u64, Option<Refusal>> {
    let shared = &inner.shared;
    let deadline = Deadline::after(inner.timeout);
    let response = exchange(&shared.client, Operation::CountTokens, body, shared.timeouts, deadline, context)
        .await
        .map_err(|failure| match failure {
            Failure::Refused(refusal) => Some(refusal),
            Failure::Failed(_) => None,
        })?;
    let body = response.body.read(RESPONSE_LIMIT).await.map_err(|_| None)?;
    let count: Count = serde_json::from_slice(&body).map_err(|_| None)?;
    Ok(count.input_tokens)
}

/// Returns true if later requests for this model would fail in the same way.
fn is_final(refusal: &Refusal) -> bool {
    match refusal.code.as_deref() {
        Some("AccessDeniedException") => true,
        Some("ValidationException") => refusal.message.contains(NOT_COUNTED),
        _ => false,
    }
}
