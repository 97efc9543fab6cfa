//! HTTP client for small JSON documents of public services, with limits of time and size.

use std::{error::Error, time::Duration};

use reqwest::{Client, Url};
use serde::de::DeserializeOwned;
use strands_http::{HttpOptions, is_loopback};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Default limit of a request, from the connection to the last byte.
const TIMEOUT: Duration = Duration::from_secs(8);
const MOST_BYTES: usize = 64 << 10;

/// An error of a web service. Its message goes to the model as a tool error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The address of the service is invalid.
    #[error("the address of the {service} service is invalid: expected `https://`, or `http://` of this machine")]
    Address {
        /// Name of the service.
        service: &'static str,
    },
    /// No response in time, or a broken connection.
    #[error("the {service} service can't be reached: try again later")]
    Unreachable {
        /// Name of the service.
        service: &'static str,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An HTTP error.
    #[error("the {service} service responded with status {status}: try again later")]
    Status {
        /// Name of the service.
        service: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// A response that is not what the service's interface promises.
    #[error("the {service} service sent an invalid response")]
    Invalid {
        /// Name of the service.
        service: &'static str,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A web service.
#[derive(Clone, Debug)]
pub(crate) struct WebService {
    name: &'static str,
    client: Client,
}

impl WebService {
    /// Creates a client for the service at this address. HTTP without TLS is for this machine only.
    pub(crate) fn new(name: &'static str, address: &Url) -> Result<Self, WebError> {
        let options = match address.scheme() {
            "https" => HttpOptions::https(),
            "http" if is_loopback(address) => HttpOptions::plain_http(),
            _ => return Err(WebError::Address { service: name }),
        };
        let failed = |error: Box<dyn Error + Send + Sync>| WebError::Unreachable { service: name, source: error };
        let builder = options.builder().map_err(|error| failed(error.into()))?;
        let client = builder.connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).build();
        Ok(Self { name, client: client.map_err(|error| failed(error.into()))? })
    }

    /// Returns the JSON document at a URL. Dropping the future cancels the request.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, WebError> {
        let service = self.name;
        // The URL may have an address or a key in it.
        let unreachable = |error: reqwest::Error| WebError::Unreachable { service, source: error.without_url().into() };
        let mut response = self.client.get(url).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(WebError::Status { service, status: response.status().as_u16() });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BYTES {
                let source = format!("it is larger than {MOST_BYTES} bytes").into();
                return Err(WebError::Invalid { service, source });
            }
        }
        serde_json::from_slice(&body).map_err(|error| WebError::Invalid { service, source: error.into() })
    }
}
