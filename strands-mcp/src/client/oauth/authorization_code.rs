//! Authorization by a user, in a browser: the authorization code grant with PKCE.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use url::Url;

use super::client::OAuthClient;
use super::discovery::{Discovered, PendingAuthorization, parameter};
use super::error::{OAuthError, quoted};
use super::http::OAuthHttp;
use super::loopback::Loopback;
use super::store::{Credentials, RegisteredClient, Tokens};
use super::token_request::{Authentication, AuthorizationServer, Client};

const DEFAULT_NAME: &str = "strands-rs";

type Callback = dyn Fn(String) -> BoxFuture<'static, Result<String, Box<dyn StdError + Send + Sync>>> + Send + Sync;

/// Authorization by a user: the authorization code grant with PKCE.
///
/// The callback receives the URL that the user visits, and returns the URL that the authorization server redirects to, with
/// its query. A web application redirects its user, and returns from the callback when the redirect arrives. A program on the
/// user's computer has [`on_loopback`](Self::on_loopback).
///
/// The client is, in this order: the one that the program sets, the one of [`client_metadata_url`](Self::client_metadata_url) if the
/// authorization server supports it, or one that is registered dynamically.
///
/// ```
/// use strands::mcp::{AuthorizationCode, OAuth};
///
/// # async fn visit(url: String) -> Result<String, std::io::Error> { Ok(url) }
/// let grant = AuthorizationCode::new("http://127.0.0.1:3000/callback", |url| visit(url)).client_name("Travel agent");
/// let oauth = OAuth::new(grant);
/// # let _ = oauth;
/// ```
#[derive(Clone)]
#[must_use]
pub struct AuthorizationCode {
    redirect_uri: String,
    callback: Arc<Callback>,
    name: String,
    client: Option<OAuthClient>,
    metadata_url: Option<String>,
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode")
            .field("redirect_uri", &self.redirect_uri)
            .field("name", &self.name)
            .field("client", &self.client)
            .field("metadata_url", &self.metadata_url)
            .finish_non_exhaustive()
    }
}

impl AuthorizationCode {
    /// Creates a grant with the redirect URI of the client, and the callback that lets a user authorize.
    ///
    /// One callback runs at a time, for all requests that need the token. The timeouts of the client don't count meanwhile: to
    /// give up, return an error. The callback is dropped when no request needs the token any more.
    pub fn new<C, F, E>(redirect_uri: impl Into<String>, callback: C) -> Self
    where
        C: Fn(String) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let callback = move |url| callback(url).map(|redirect| redirect.map_err(Into::into)).boxed();
        Self {
            redirect_uri: redirect_uri.into(),
            callback: Arc::new(callback),
            name: DEFAULT_NAME.to_owned(),
            client: None,
            metadata_url: None,
        }
    }

    /// Creates a grant for a program on the user's computer: it listens on a port of the loopback address while the user
    /// authorizes, for ten minutes at most. The function opens a URL in the user's browser, or prints it.
    ///
    /// ```
    /// use strands::mcp::{AuthorizationCode, OAuth};
    ///
    /// let oauth = OAuth::new(AuthorizationCode::on_loopback(8912, |url| eprintln!("Please visit {url}")));
    /// # let _ = oauth;
    /// ```
    pub fn on_loopback(port: u16, open: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let (loopback, open) = (Loopback::new(port), Arc::new(open));
        Self::new(loopback.redirect_uri(), move |url| {
            let open = Arc::clone(&open);
            async move { loopback.visit(url, |url| open(url)).await }
        })
    }

    /// Sets the client's name for dynamic registration, which users see. Default: `strands-rs`.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets a client that is registered at the authorization server. Default: none.
    pub fn client(mut self, client: OAuthClient) -> Self {
        self.client = Some(client);
        self
    }

    /// Sets the `https` URL of the client's metadata document, which is its id where the authorization server supports it.
    /// Default: none.
    pub fn client_metadata_url(mut self, url: impl Into<String>) -> Self {
        self.metadata_url = Some(url.into());
        self
    }

    /// Client that the program set, if any.
    pub(super) fn preregistered(&self) -> Option<&OAuthClient> {
        self.client.as_ref()
    }

    /// Client for requests with tokens of `client_id`.
    pub(super) fn client_of(&self, client_id: &str, credentials: &Credentials) -> Option<Client> {
        if let Some(client) = &self.client {
            return (client.client.id == client_id).then(|| client.client.clone());
        }
        if self.metadata_url.as_deref() == Some(client_id) {
            return Some(Client { id: client_id.to_owned(), authentication: Authentication::None });
        }
        let client = credentials.client.as_ref().filter(|client| client.id == client_id)?;
        Some(client.into())
    }

    async fn choose_client(
        &self,
        discovered: &mut Discovered,
        credentials: &mut Credentials,
        scopes: &[String],
    ) -> Result<Client, OAuthError> {
        if let Some(client) = &self.client {
            return Ok(client.client.clone());
        }
        if let Some(url) = &self.metadata_url
            && discovered.flag("client_id_metadata_document_supported")
        {
            return match Url::parse(url) {
                Ok(parsed) if parsed.scheme() == "https" && parsed.path() != "/" => {
                    Ok(Client { id: url.clone(), authentication: Authentication::None })
                }
                _ => Err(OAuthError::InvalidUrl(quoted(url))),
            };
        }
        if let Some(client) = credentials.client.as_ref().filter(|client| client.redirect_uri == self.redirect_uri) {
            return Ok(client.into());
        }
        let (id, secret) = discovered.register(&self.name, &self.redirect_uri, scopes).await?;
        let client = RegisteredClient { id, secret, redirect_uri: self.redirect_uri.clone() };
        Ok((&*credentials.client.insert(client)).into())
    }

    /// Lets a user authorize, and requests tokens with the code.
    pub(super) async fn authorize(
        &self,
        http: &OAuthHttp,
        discovered: &mut Discovered,
        credentials: &mut Credentials,
        scopes: Vec<String>,
    ) -> Result<Tokens, OAuthError> {
        let client = self.choose_client(discovered, credentials, &scopes).await?;
        let pending = discovered.start(&client.id, &self.redirect_uri, &scopes).await?;
        http.check(&pending.url)?;
        let redirect = (self.callback)(pending.url.to_string()).await.map_err(OAuthError::callback)?;
        let code = code_of(&redirect, &pending)?;
        let resource = parameter(&pending.url, "resource").unwrap_or_default();
        let server = AuthorizationServer {
            metadata: &discovered.metadata,
            audience: self.client.as_ref().and_then(|client| client.audience.as_deref()),
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", pending.state.pkce_verifier.as_str()),
            ("resource", resource.as_str()),
        ];
        Ok(server.request(http, &client, &form).await?.into_tokens(&client.id, scopes))
    }
}

impl From<&RegisteredClient> for Client {
    fn from(client: &RegisteredClient) -> Self {
        let secret = client.secret.clone().map(SecretString::from);
        Self { id: client.id.clone(), authentication: secret.map_or(Authentication::None, Authentication::Secret) }
    }
}

/// Code of a redirect, if it is the response of this authorization server to this authorization.
fn code_of(redirect: &str, pending: &PendingAuthorization) -> Result<String, OAuthError> {
    let redirect = Url::parse(redirect).map_err(|_| OAuthError::InvalidRedirect("not a URL"))?;
    let state = &pending.state;
    if parameter(&redirect, "state").as_deref() != Some(state.csrf_token.as_str()) {
        return Err(OAuthError::InvalidRedirect("its `state` is not that of this authorization"));
    }
    match (parameter(&redirect, "iss"), &state.expected_issuer) {
        (Some(received), Some(expected)) if received != *expected => {
            return Err(OAuthError::IssuerMismatch { expected: expected.clone(), received: quoted(&received) });
        }
        (Some(_), None) => {
            return Err(OAuthError::InvalidRedirect("it has an issuer, and the server's metadata has none"));
        }
        (None, _) if state.require_issuer => return Err(OAuthError::InvalidRedirect("it has no issuer")),
        _ => {}
    }
    if let Some(code) = parameter(&redirect, "error") {
        let description = parameter(&redirect, "error_description").map(|text| quoted(&text));
        return Err(OAuthError::Denied { code: quoted(&code), description });
    }
    parameter(&redirect, "code").ok_or(OAuthError::InvalidRedirect("it has no code"))
}
