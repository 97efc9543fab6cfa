//! HTTP for adapters of strands-rs: clients with TLS by rustls with ring, the platform's certificates and no redirects; and callers of
//! servers (feature `callers`).
//!
//! It is a crate of its own because adapters don't depend on each other, and programs that use none have no HTTP client.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "callers")]
mod caller;
mod plain_http;

use std::sync::Arc;

#[cfg(feature = "callers")]
pub use caller::{Caller, IdentifyCaller, Refusal};
pub use plain_http::{has_credentials, is_loopback};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

const USER_AGENT: &str = concat!("strands-rs/", env!("CARGO_PKG_VERSION"));

/// Installs ring as the process's crypto provider for rustls, unless there is one.
///
/// A program with its own HTTP client calls it once, before it builds the client. This library depends on reqwest with
/// rustls and without a crypto provider, and Cargo builds one reqwest for a whole program: without the call,
/// `reqwest::Client::builder().build()` panics with "No rustls crypto provider is configured", unless the program has installed
/// a provider or enables the feature `rustls` of reqwest. The clients of [`HttpOptions`] need neither.
///
/// ```
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// strands_http::install_crypto_provider();
/// let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(300)).build()?;
/// # let _ = client; Ok(()) }
/// # example().unwrap();
/// ```
pub fn install_crypto_provider() {
    // An error means that one is installed already.
    let _ = ring::default_provider().install_default();
}

/// An error of setting up an HTTP client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// TLS can't be set up, for example because the platform's certificates can't be read.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
    /// The HTTP client can't be set up.
    #[error("the HTTP client can't be set up")]
    Client(#[from] reqwest::Error),
    /// A text with certificates is not valid PEM, or has none.
    #[error("invalid certificates: expected PEM with at least one `CERTIFICATE` section")]
    Certificates,
}

/// Security settings of an HTTP client.
///
/// ```
/// use strands_http::HttpOptions;
///
/// let client = HttpOptions::https().builder()?.build()?;
/// # let _ = client;
/// # Ok::<(), strands_http::ClientError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpOptions {
    platform_certificates: bool,
    allow_http: bool,
    certificates: Vec<CertificateDer<'static>>,
}

impl HttpOptions {
    /// Creates options for HTTPS only, with the platform's certificates.
    pub fn https() -> Self {
        Self { platform_certificates: true, allow_http: false, certificates: Vec::new() }
    }

    /// Creates options for plain HTTP. They trust no certificates, since a platform may have none.
    pub fn plain_http() -> Self {
        Self { platform_certificates: false, allow_http: true, certificates: Vec::new() }
    }

    /// Allows plain HTTP beside HTTPS. Default: false.
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// Trusts additional certificate authorities, in PEM.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::Certificates`] if the text is not PEM or has no certificate.
    pub fn trust_pem(mut self, pem: &[u8]) -> Result<Self, ClientError> {
        let before = self.certificates.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self.certificates.push(certificate.map_err(|_| ClientError::Certificates)?);
        }
        if self.certificates.len() == before { Err(ClientError::Certificates) } else { Ok(self) }
    }

    /// Returns a builder with these settings. Redirects are not followed: a redirect would send credentials to another host.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::Tls`] if TLS can't be set up.
    pub fn builder(&self) -> Result<reqwest::ClientBuilder, ClientError> {
        Ok(reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .https_only(!self.allow_http)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .user_agent(USER_AGENT))
    }

    fn tls(&self) -> Result<ClientConfig, ClientError> {
        let provider = Arc::new(ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        if self.platform_certificates {
            let verifier = Verifier::new_with_extra_roots(self.certificates.iter().cloned(), provider)?;
            return Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth());
        }
        let mut roots = RootCertStore::empty();
        for certificate in &self.certificates {
            roots.add(certificate.clone())?;
        }
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_texts_without_a_certificate() {
        for text in ["", "not PEM", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            let error = HttpOptions::https().trust_pem(text.as_bytes()).unwrap_err();
            assert!(matches!(error, ClientError::Certificates), "{error:?}");
        }
    }

    #[test]
    fn trusts_additional_certificates() {
        let pem = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        for options in [HttpOptions::https(), HttpOptions::plain_http()] {
            assert!(options.trust_pem(pem.as_bytes()).unwrap().builder().unwrap().build().is_ok());
        }
    }
}
