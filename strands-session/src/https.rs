//! HTTPS connector for object stores: one connection pool for the process, TLS by rustls with ring. Redirects are not
//! followed, because requests carry credentials for one host.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService};
use object_store::{ClientOptions, Error};
use strands_http::{ClientError, HttpOptions};
use tokio::time::timeout;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of the body of an error response, and the timeout for reading it.
const MOST_ERROR_BYTES: usize = 64 * 1024;
const ERROR_TIME: Duration = Duration::from_secs(10);
/// Headers whose values are credentials.
const SECRET_HEADERS: [&str; 2] = ["authorization", "x-amz-security-token"];

/// HTTPS connector for the builders of [`object_store`]: pass it to `with_http_connector`, because `object_store` is built
/// without TLS here. `ClientOptions` of a builder have no effect with it.
///
/// All connectors with the default idle timeout and no certificates of their own share one connection pool. Redirects are errors, for example those of a
/// bucket in another region than the configured one.
///
/// ```
/// use strands::session::HttpsConnector;
/// # #[cfg(feature = "gcs")] {
/// use std::sync::Arc;
/// use strands::session::{SessionStore, StoreSessionManager};
/// use strands::session::object_store::gcp::GoogleCloudStorageBuilder;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = GoogleCloudStorageBuilder::from_env()
///     .with_bucket_name("my-bucket")
///     .with_http_connector(HttpsConnector::new())
///     .build()?;
/// let manager = StoreSessionManager::new("user-42", SessionStore::objects(Arc::new(store), "agent_sessions")?)?;
/// # Ok(()) }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HttpsConnector {
    idle_timeout: Duration,
    allow_http: bool,
    certificates: Vec<Vec<u8>>,
}

impl HttpsConnector {
    /// Creates a connector for HTTPS only, with an idle timeout of 30 seconds.
    pub fn new() -> Self {
        Self { idle_timeout: DEFAULT_IDLE_TIMEOUT, allow_http: false, certificates: Vec::new() }
    }

    /// Sets the idle timeout: the longest wait for the next byte of a response. Default: 30 seconds.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Allows plain HTTP, for example on a loopback interface. Default: false.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// Trusts additional certificate authorities, in PEM. An invalid one is an error of the first request, or of the builder of
    /// the store.
    #[must_use]
    pub fn trust_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(pem.into());
        self
    }

    fn client(&self) -> Result<reqwest::Client, ClientError> {
        if self.idle_timeout == DEFAULT_IDLE_TIMEOUT && self.certificates.is_empty() {
            let shared = if self.allow_http { &SHARED_PLAIN } else { &SHARED };
            if let Ok(client) = &**shared {
                return Ok(client.clone());
            }
        }
        self.connect()
    }

    fn connect(&self) -> Result<reqwest::Client, ClientError> {
        // A connector for plain HTTP may run on a system without certificates.
        let mut options = if self.allow_http { HttpOptions::plain_http() } else { HttpOptions::https() };
        for pem in &self.certificates {
            options = options.trust_pem(pem)?;
        }
        Ok(options.builder()?.connect_timeout(CONNECT_TIMEOUT).read_timeout(self.idle_timeout).build()?)
    }
}

impl Default for HttpsConnector {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpConnector for HttpsConnector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        match self.client() {
            Ok(client) => Ok(HttpClient::new(Bounded(client))),
            Err(error) => Err(Error::Generic { store: "HTTPS", source: error.into() }),
        }
    }
}

/// A client that bounds the size of error responses and the time to read them, for servers that send them slowly.
#[derive(Debug)]
struct Bounded(reqwest::Client);

#[async_trait]
impl HttpService for Bounded {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let secrets = secrets(&request);
        let response = self.0.call(request).await?;
        if response.status().is_success() { Ok(response) } else { Ok(bounded(response, &secrets).await) }
    }
}

/// Returns the header values that an error must not quote. S3 quotes a request with a wrong signature as text and as
/// hexadecimal numbers.
fn secrets(request: &HttpRequest) -> Vec<String> {
    let values = SECRET_HEADERS.iter().filter_map(|name| request.headers().get(*name)?.to_str().ok());
    let hex = |value: &str| value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    values.filter(|value| !value.is_empty()).flat_map(|value| [value.to_owned(), hex(value)]).collect()
}

/// Returns the response with the part of its body that arrives in time, with these secrets redacted.
async fn bounded(response: HttpResponse, secrets: &[String]) -> HttpResponse {
    let (parts, body) = response.into_parts();
    let mut chunks = body.bytes_stream();
    let mut start = Vec::new();
    let reading = async {
        while start.len() < MOST_ERROR_BYTES
            && let Some(Ok(chunk)) = chunks.next().await
        {
            start.extend_from_slice(&chunk);
        }
    };
    // After a timeout, the part that was read is the error.
    let _ = timeout(ERROR_TIME, reading).await;
    start.truncate(MOST_ERROR_BYTES);
    let mut text = String::from_utf8_lossy(&start).into_owned();
    for secret in secrets {
        text = text.replace(secret, "[redacted]");
    }
    HttpResponse::from_parts(parts, Bytes::from(text).into())
}

static SHARED: LazyLock<Result<reqwest::Client, ClientError>> = LazyLock::new(|| HttpsConnector::new().connect());
static SHARED_PLAIN: LazyLock<Result<reqwest::Client, ClientError>> =
    LazyLock::new(|| HttpsConnector::new().allow_http(true).connect());

#[cfg(test)]
mod tests {
    use object_store::client::HttpResponseBody;
    use strands_testkit::Drip;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stops_reading_a_slow_error_body_after_ten_seconds() {
        let began = Instant::now();
        let response = bounded(HttpResponse::new(HttpResponseBody::new(Drip::new())), &[]).await;
        assert!(began.elapsed() <= ERROR_TIME + Duration::from_secs(1), "{:?}", began.elapsed());
        let text = response.into_body().bytes().await.unwrap();
        assert!((9..=10).contains(&text.len()), "{text:?}");
    }

    #[tokio::test]
    async fn truncates_an_error_body_between_characters() {
        let long = Bytes::from("ü".repeat(MOST_ERROR_BYTES));
        let response = bounded(HttpResponse::new(long.into()), &[]).await;
        let text = response.into_body().bytes().await.unwrap();
        assert!(std::str::from_utf8(&text).is_ok() && text.len() <= MOST_ERROR_BYTES + 3);
    }
}
