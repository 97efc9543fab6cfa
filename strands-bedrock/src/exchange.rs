//! One request and its response through the AWS SDK. The SDK finds endpoint and credentials, signs and sends; the body of
//! the request is ours, put in place before the signature is made, and so is what is made of the response.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_bedrockruntime::config::http::HttpResponse;
use aws_sdk_bedrockruntime::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_bedrockruntime::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_bedrockruntime::error::BoxError;
use aws_sdk_bedrockruntime::{Client, types};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use strands_core::models::ModelError;

use crate::body::ResponseBody;
use crate::error::{CallContext, Patience, Refusal, from_sdk};

/// What is asked of Bedrock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Converse,
    ConverseStream,
    CountTokens,
}

/// A response that is no refusal.
pub(crate) struct Answer {
    pub(crate) body: ResponseBody,
    pub(crate) request_id: Option<String>,
}

/// Why there is no answer.
pub(crate) enum Failure {
    /// Bedrock does not do what it was asked.
    Refused(Refusal),
    /// Bedrock was not reached.
    Failed(ModelError),
}

/// How much of an error's body is read.
const ERROR_LIMIT: usize = 64 * 1024;

/// Sends `body` and waits for the head of the response.
pub(crate) async fn exchange(
    client: &Client,
    operation: Operation,
    body: Vec<u8>,
    patience: Patience,
    context: &CallContext,
) -> Result<Answer, Failure> {
    let swap = Swap(Arc::new(Slot { body: body.into(), response: Mutex::new(None) }));
    let slot = Arc::clone(&swap.0);
    let model_id = &context.model_id;
    // What the SDK makes of the response it is left with says nothing; its failures before there was one do.
    let failed = match operation {
        Operation::Converse => client
            .converse()
            .model_id(model_id)
            .customize()
            .interceptor(swap)
            .send()
            .await
            .err()
            .map(|error| from_sdk(error, patience, context)),
        Operation::ConverseStream => client
            .converse_stream()
            .model_id(model_id)
            .customize()
            .interceptor(swap)
            .send()
            .await
            .err()
            .map(|error| from_sdk(error, patience, context)),
        Operation::CountTokens => client
            .count_tokens()
            .model_id(model_id)
            .input(types::CountTokensInput::Converse(types::ConverseTokensRequest::builder().build()))
            .customize()
            .interceptor(swap)
            .send()
            .await
            .err()
            .map(|error| from_sdk(error, patience, context)),
    };
    let response = slot.response.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut response) = response else {
        return Err(Failure::Failed(
            failed.unwrap_or_else(|| ModelError::protocol("the AWS SDK returned without a response")),
        ));
    };
    let body = ResponseBody::new(response.take_body(), patience.idle);
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let status = response.status().as_u16();
    if response.status().is_success() {
        return Ok(Answer { body, request_id: header("x-amzn-requestid") });
    }
    let body = body.read_error(ERROR_LIMIT).await;
    Err(Failure::Refused(Refusal::from_response(status, header, &body)))
}

/// Puts our body into the request and takes the response out.
struct Swap(Arc<Slot>);

struct Slot {
    body: Bytes,
    response: Mutex<Option<HttpResponse>>,
}

impl fmt::Debug for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body is the conversation: not for logs.
        f.debug_struct("Swap").finish_non_exhaustive()
    }
}

impl Intercept for Swap {
    fn name(&self) -> &'static str {
        "strands-bedrock"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let length = self.0.body.len().to_string();
        request.headers_mut().try_insert("content-length", length)?;
        *request.body_mut() = SdkBody::from(self.0.body.clone());
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let nothing = HttpResponse::new(response.status(), SdkBody::from("{}"));
        let taken = std::mem::replace(response, nothing);
        *self.0.response.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        Ok(())
    }
}
