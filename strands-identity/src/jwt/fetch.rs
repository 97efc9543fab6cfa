//! Requests for the keys of an issuer: its JSON Web Key Set, and the discovery document that names it.

use std::fmt;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use strands_http::HttpOptions;
use url::Url;

use super::error::JwtSetupError;
use super::json_object;
use super::key_set::KeySet;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest response, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// The place of an issuer's keys.
#[derive(Clone)]
pub(super) enum Endpoint {
    KeySet(Url),
    Discovery { document: Url, issuer: String },
}

impl Endpoint {
    /// Endpoint of a key set.
    pub(super) fn key_set(url: &str) -> Result<Self, JwtSetupError> {
        parse(url).map(Self::KeySet).ok_or(JwtSetupError::InvalidUrl("key set"))
    }

    /// Endpoint of the discovery document of an issuer.
    pub(super) fn discovery(issuer: &str) -> Result<Self, JwtSetupError> {
        let document = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
        let document = parse(&document).ok_or(JwtSetupError::InvalidUrl("issuer"))?;
        Ok(Self::Discovery { document, issuer: issuer.to_owned() })
    }

    fn url(&self) -> &Url {
        match self {
            Self::KeySet(url) | Self::Discovery { document: url, .. } => url,
        }
    }
}

/// Parses a URL without credentials and fragment.
fn parse(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (plain && url.has_host() && matches!(url.scheme(), "https" | "http")).then_some(url)
}

/// An error of a request for keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the request failed")]
    Http(#[source] reqwest::Error),
    #[error("the response has status {0}")]
    Status(u16),
    #[error("the response is larger than 256 KiB")]
    TooLarge,
    #[error("the discovery document is invalid: {0}")]
    Discovery(&'static str),
    #[error("the key set is invalid: {0}")]
    KeySet(&'static str),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

/// Fetches the keys of an issuer. It follows no redirects, and limits the time and the size of a response.
pub(super) struct KeyFetcher {
    client: Client,
    endpoint: Endpoint,
    timeout: Duration,
}

impl KeyFetcher {
    pub(super) fn new(
        endpoint: Endpoint,
        allow_http: bool,
        certificates: &[Vec<u8>],
        timeout: Duration,
    ) -> Result<Self, JwtSetupError> {
        let plain = endpoint.url().scheme() == "http";
        if plain && !allow_http {
            return Err(JwtSetupError::InsecureUrl("issuer's keys"));
        }
        let mut options = if plain { HttpOptions::plain_http() } else { HttpOptions::https() };
        for pem in certificates {
            options = options.trust_pem(pem)?;
        }
        let client = options.builder()?.connect_timeout(CONNECT_TIMEOUT).build();
        Ok(Self { client: client.map_err(strands_http::ClientError::from)?, endpoint, timeout })
    }

    /// Fetches the keys.
    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let body = match &self.endpoint {
            Endpoint::KeySet(url) => self.get(url.clone()).await?,
            Endpoint::Discovery { document, issuer } => {
                let body = self.get(document.clone()).await?;
                self.get(self.key_set_url(&body, issuer)?).await?
            }
        };
        KeySet::read(&body).map_err(FetchError::KeySet)
    }

    /// Returns the URL of the key set that a discovery document names.
    fn key_set_url(&self, document: &[u8], issuer: &str) -> Result<Url, FetchError> {
        let document = json_object::object(document)
            .map_err(|_| FetchError::Discovery("no JSON object without duplicate members"))?;
        if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(FetchError::Discovery("its `issuer` is not the expected one"));
        }
        let url = document.get("jwks_uri").and_then(Value::as_str).and_then(parse);
        let url = url.ok_or(FetchError::Discovery("its `jwks_uri` is missing or invalid"))?;
        if url.scheme() != "https" && self.endpoint.url().scheme() == "https" {
            return Err(FetchError::Discovery("its `jwks_uri` is not HTTPS"));
        }
        Ok(url)
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        let mut response =
            self.client.get(url).header("accept", "application/json").timeout(self.timeout).send().await?;
        // A redirect is none of these, either.
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Prints the host alone: a URL may have secrets.
impl fmt::Debug for KeyFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFetcher")
            .field("origin", &self.endpoint.url().origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_issuer_with_https_has_keys_with_https() {
        let issuer = "https://issuer.example.com";
        let timeout = Duration::from_secs(1);
        let fetcher = KeyFetcher::new(Endpoint::discovery(issuer).unwrap(), true, &[], timeout).unwrap();
        let url = |keys: &str| {
            fetcher.key_set_url(json!({"issuer": issuer, "jwks_uri": keys}).to_string().as_bytes(), issuer)
        };
        assert!(url("https://keys.example.com/jwks.json").is_ok());
        for keys in ["http://issuer.example.com/jwks.json", "https://user:secret@keys.example.com/", "keys"] {
            assert!(matches!(url(keys), Err(FetchError::Discovery(_))), "{keys}");
        }
    }

    #[test]
    fn shows_no_secrets_of_a_url() {
        let endpoint = Endpoint::key_set("https://issuer.example.com/jwks.json?key=secret").unwrap();
        let fetcher = KeyFetcher::new(endpoint, false, &[], Duration::from_secs(1)).unwrap();
        assert!(!format!("{fetcher:?}").contains("secret"), "{fetcher:?}");
    }
}
