//! One request and its response through the AWS SDK. The SDK resolves endpoint and credentials, signs and sends. An interceptor
//! replaces the body of the request before it is signed, and takes the response before the SDK parses it.

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
use futures_util::FutureExt;
use strands_core::models::ModelError;
use tokio::time::timeout_at;

use crate::body::{Deadline, ResponseBody};
use crate::error::{CallContext, Refusal, Timeouts, from_sdk};

/// Operation of Bedrock's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Converse,
    ConverseStream,
    CountTokens,
}

/// Response with a success status.
pub(crate) struct SuccessResponse {
    pub(crate) body: ResponseBody,
    pub(crate) request_id: Option<String>,
}

/// An error instead of a response.
pub(crate) enum Failure {
    /// Bedrock responded with an error.
    Refused(Refusal),
    /// There was no response.
    Failed(ModelError),
}

/// Maximum number of bytes that are read of an error response.
const ERROR_LIMIT: usize = 64 * 1024;

/// Sends `body` and waits for the head of the response, until the deadline at most.
pub(crate) async fn exchange(
    client: &Client,
    operation: Operation,
    body: Vec<u8>,
    timeouts: Timeouts,
    deadline: Option<Deadline>,
    context: &CallContext,
) -> Result<SuccessResponse, Failure> {
    let interceptor = Interceptor(Arc::new(Intercepted { body: body.into(), response: Mutex::new(None) }));
    let intercepted = Arc::clone(&interceptor.0);
    let model_id = &context.model_id;
    // The SDK parses an empty response, so its result matters only if there was none.
    macro_rules! send {
        ($operation:expr) => {{
            let sent = $operation.customize().interceptor(interceptor).send();
            // Boxed, since the futures around it would hold several copies of it.
            sent.map(|sent| sent.err().map(|error| from_sdk(error, timeouts, context))).boxed()
        }};
    }
    let sending = match operation {
        Operation::Converse => send!(client.converse().model_id(model_id)),
        Operation::ConverseStream => send!(client.converse_stream().model_id(model_id)),
        Operation::CountTokens => {
            let input = types::CountTokensInput::Converse(types::ConverseTokensRequest::builder().build());
            send!(client.count_tokens().model_id(model_id).input(input))
        }
    };
    let failed = within(deadline, sending, context).await.map_err(Failure::Failed)?;
    let response = intercepted.response.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut response) = response else {
        return Err(Failure::Failed(
            failed.unwrap_or_else(|| ModelError::protocol("the AWS SDK returned without a response")),
        ));
    };
    let body = ResponseBody::new(response.take_body(), timeouts.idle, deadline);
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let status = response.status().as_u16();
    if response.status().is_success() {
        return Ok(SuccessResponse { body, request_id: header("x-amzn-requestid") });
    }
    let body = body.read_error(ERROR_LIMIT).await;
    Err(Failure::Refused(Refusal::from_response(status, header, &body)))
}

/// Waits until the deadline at most.
async fn within<T>(
    deadline: Option<Deadline>,
    sent: impl Future<Output = T>,
    context: &CallContext,
) -> Result<T, ModelError> {
    match deadline {
        Some(Deadline { at, after }) => timeout_at(at, sent).await.map_err(|_| context.total_timeout(after)),
        None => Ok(sent.await),
    }
}

/// Interceptor that replaces the body of the request and takes the response.
struct Interceptor(Arc<Intercepted>);

struct Intercepted {
    body: Bytes,
    response: Mutex<Option<HttpResponse>>,
}

impl fmt::Debug for Interceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body contains the conversation, which must not be logged.
        f.debug_struct("Interceptor").finish_non_exhaustive()
    }
}

impl Intercept for Interceptor {
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
