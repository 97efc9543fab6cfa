//! Client of the hand-written loop: the AWS SDK resolves the endpoint, signs and sends. An interceptor replaces the body of the
//! request and takes the response, since the SDK's types would copy the conversation for each request.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use strands::models::bedrock::aws_sdk_bedrockruntime::Client;
use strands::models::bedrock::aws_sdk_bedrockruntime::config::http::HttpResponse;
use strands::models::bedrock::aws_sdk_bedrockruntime::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use strands::models::bedrock::aws_sdk_bedrockruntime::config::{ConfigBag, Intercept, RuntimeComponents};
use strands::models::bedrock::aws_sdk_bedrockruntime::error::BoxError;

use super::MODEL;

/// Body of a response.
pub(crate) struct Body(SdkBody);

/// Sends a request and waits for the head of its response.
pub(crate) async fn send(client: &Client, body: Vec<u8>) -> Body {
    let exchange = Arc::new(Exchange { body: body.into(), response: Mutex::new(None) });
    let request = client.converse_stream().model_id(MODEL).customize().interceptor(Interceptor(Arc::clone(&exchange)));
    // The SDK parses an empty response.
    let _ = request.send().await;
    let mut response = exchange.response.lock().unwrap().take().unwrap();
    assert!(response.status().is_success(), "{:?}", response.status());
    Body(response.take_body())
}

impl Body {
    /// Returns the next bytes, or `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Option<Bytes> {
        loop {
            if let Ok(bytes) = self.0.frame().await?.unwrap().into_data() {
                return Some(bytes);
            }
        }
    }
}

struct Exchange {
    body: Bytes,
    response: Mutex<Option<HttpResponse>>,
}

struct Interceptor(Arc<Exchange>);

impl fmt::Debug for Interceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interceptor").finish_non_exhaustive()
    }
}

impl Intercept for Interceptor {
    fn name(&self) -> &'static str {
        "hand-written"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().try_insert("content-length", self.0.body.len().to_string())?;
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
        let empty = HttpResponse::new(response.status(), SdkBody::from("{}"));
        *self.0.response.lock().unwrap() = Some(std::mem::replace(response, empty));
        Ok(())
    }
}
