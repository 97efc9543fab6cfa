//! Sign-in of users on the page.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use http::Uri;
use serde::Serialize;

/// Sign-in of users.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignIn {
    /// At an OpenID Connect issuer.
    Oidc(OidcSignIn),
    /// Users paste an access token.
    Token,
    /// No sign-in, such as with a [`DevelopmentIdentity`](crate::http::DevelopmentIdentity).
    None,
}

/// Sign-in at an OpenID Connect issuer: authorization code flow with PKCE, as a public client without a secret.
///
/// The page's own address, such as `https://chat.example.com/`, is the redirect URI to register. The issuer must allow requests of
/// the page's origin (CORS) to its discovery document and its token endpoint. Access tokens are renewed with refresh tokens, if the
/// issuer gives them.
///
/// ```
/// use strands::serve::ui::OidcSignIn;
///
/// // Amazon Cognito: its token endpoint is on another host than its issuer.
/// let sign_in = OidcSignIn::new("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a1b2c3d4e", "3n4b5urk1ft4fl3mg5e62d9ado")?
///     .endpoint_origin("https://travel.auth.eu-west-1.amazoncognito.com")?
///     .scopes(["openid", "profile"]);
/// # drop(sign_in);
/// # Ok::<(), strands::serve::ui::UrlError>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[must_use = "a sign-in does nothing until it is given to the settings"]
pub struct OidcSignIn {
    issuer: String,
    client_id: String,
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<String, String>,
    /// Origins to which the page sends requests.
    #[serde(skip)]
    pub(super) origins: Vec<String>,
}

impl OidcSignIn {
    /// Creates the sign-in of a client at an issuer, with the scopes `openid` and `profile`.
    ///
    /// # Errors
    ///
    /// Returns [`UrlError`] if the issuer is not an `https` URL, or an `http` URL of a loopback host.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Result<Self, UrlError> {
        let issuer = issuer.into();
        let origins = vec![origin(&issuer)?];
        let scopes = vec!["openid".to_owned(), "profile".to_owned()];
        Ok(Self { issuer, client_id: client_id.into(), scopes, parameters: BTreeMap::new(), origins })
    }

    /// Sets the requested scopes. Add `offline_access` if the issuer gives refresh tokens for it only.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a parameter of the authorization request, such as `audience`, without which some issuers give opaque access tokens.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Allows requests to endpoints of the issuer on another origin than that of the issuer, such as its token endpoint.
    ///
    /// # Errors
    ///
    /// Returns [`UrlError`] as [`new`](Self::new).
    pub fn endpoint_origin(mut self, url: &str) -> Result<Self, UrlError> {
        self.origins.push(origin(url)?);
        Ok(self)
    }
}

impl From<OidcSignIn> for SignIn {
    fn from(sign_in: OidcSignIn) -> Self {
        Self::Oidc(sign_in)
    }
}

/// An error of a URL that the page would use.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid URL `{url}`: use `https`, or `http` with a loopback host, without user and query")]
#[non_exhaustive]
pub struct UrlError {
    /// The URL, without its user.
    pub url: String,
}

strands_core::__debug_with_sources!(UrlError);

/// Returns a URL without its user and password, which belong in no log.
fn without_user(url: &str) -> String {
    match url.split_once("//").zip(url.rsplit_once('@')) {
        Some(((scheme, _), (_, rest))) => format!("{scheme}//{rest}"),
        None => url.to_owned(),
    }
}

/// Returns the origin of a URL: one without characters that have a meaning in a Content-Security-Policy.
fn origin(url: &str) -> Result<String, UrlError> {
    let invalid = || UrlError { url: without_user(url) };
    let parsed: Uri = url.parse().map_err(|_| invalid())?;
    let authority = parsed.authority().map(|authority| authority.as_str()).ok_or_else(invalid)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let host = parsed.host().unwrap_or_default();
    let is_loopback =
        matches!(host, "localhost" | "[::1]") || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    let is_secure = match parsed.scheme_str() {
        Some("https") => true,
        Some("http") => is_loopback,
        _ => false,
    };
    if !is_secure || host.is_empty() || !authority.chars().all(is_plain) || parsed.query().is_some() {
        return Err(invalid());
    }
    Ok(format!("{}://{authority}", parsed.scheme_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_secure_and_loopback_issuers() {
        for (url, expected) in [
            ("https://login.example.com/tenant", "https://login.example.com"),
            ("https://login.example.com:8443", "https://login.example.com:8443"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://localhost:9000/", "http://localhost:9000"),
            ("http://[::1]:9000/", "http://[::1]:9000"),
        ] {
            assert_eq!(origin(url).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn refuses_other_urls() {
        for url in [
            "",
            "login.example.com",
            "/login",
            "ftp://login.example.com",
            "http://login.example.com",
            "http://127.evil.com",
            "https://user@login.example.com",
            "https://*.example.com",
            "https://a.example.com;script-src",
            "https://a.example.com 'unsafe-inline'",
            "https://login.example.com?x=1",
            "javascript:alert(1)",
        ] {
            assert_eq!(origin(url), Err(UrlError { url: without_user(url) }), "{url}");
        }
    }

    #[test]
    fn an_error_does_not_show_the_user_of_a_url() {
        for url in ["https://user:secret@login.example.com", "https://a@user:secret@login.example.com/x?y"] {
            let error = origin(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
