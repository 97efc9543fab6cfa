//! HTTP client of the exporters, on a runtime of their own: exporters run on threads without one.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry_http::{HttpClient, HttpError};
use strands_http::{HttpOptions, is_loopback};
use tokio::runtime::Handle;

use super::TelemetryError;
use super::variables::Destination;

/// Maximum size of a response. Responses of collectors are a few bytes.
const MAX_RESPONSE: usize = 64 * 1024;

/// HTTP client of one exporter.
#[derive(Debug)]
pub(super) struct ExportClient {
    client: reqwest::Client,
    runtime: Handle,
}

impl ExportClient {
    pub(super) fn new(destination: &Destination, runtime: Handle) -> Result<Self, TelemetryError> {
        let is_plain = destination.endpoint.scheme() == "http";
        let mut options = if is_plain { HttpOptions::plain_http() } else { HttpOptions::https() };
        if let Some(certificate) = &destination.certificate {
            options = options.trust_pem(certificate)?;
        }
        let builder = options.builder()?.timeout(destination.timeout);
        // A proxy would get what only this machine may get, such as a token over plain HTTP.
        let builder = if is_loopback(&destination.endpoint) { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(strands_http::ClientError::from)?;
        Ok(Self { client, runtime })
    }
}

#[async_trait]
impl HttpClient for ExportClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let sending = async move { read(client.execute(request).await?).await };
        // Events of the HTTP client are no telemetry to export.
        let suppressed = Context::new().with_telemetry_suppressed();
        self.runtime.spawn(sending.with_context(suppressed)).await?
    }
}

async fn read(mut response: reqwest::Response) -> Result<Response<Bytes>, HttpError> {
    let mut read = Response::builder().status(response.status());
    if let Some(headers) = read.headers_mut() {
        *headers = std::mem::take(response.headers_mut());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE {
            return Err("the response of the collector is too large".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(read.body(body.freeze())?)
}
