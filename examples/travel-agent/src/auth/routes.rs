//! The issuer, and its routes.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ring::hmac;
use serde_json::{Map, Value, json};
use strands::serve::axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{
        HeaderName, HeaderValue, Method, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS},
        request::Parts,
    },
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

use super::{
    AuthError, Settings, Users, authorize, error::OAuthError, key::SigningKey, logout, page, redirect, token,
    used_codes::UsedCodes,
};

/// Maximum size of a request's body, in bytes.
const BODY_LIMIT: usize = 32 * 1024;

/// The issuer: its settings, users and key.
pub struct Issuer {
    settings: Settings,
    users: Users,
    key: SigningKey,
    used_codes: UsedCodes,
    clock: fn() -> SystemTime,
}

impl Issuer {
    /// Creates the issuer. Its key is read from a file, which is created on first use.
    ///
    /// # Errors
    ///
    /// Returns [`AuthError::KeyFile`] or [`AuthError::InvalidKey`] if the file can't be used.
    pub fn new(settings: Settings, users: Users, key_file: &Path) -> Result<Self, AuthError> {
        let key = SigningKey::load(key_file)?;
        Ok(Self { settings, users, key, used_codes: UsedCodes::default(), clock: SystemTime::now })
    }

    /// Sets the clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: fn() -> SystemTime) -> Self {
        self.clock = clock;
        self
    }

    pub(super) fn url(&self) -> &str {
        &self.settings.url
    }

    pub(super) fn client_id(&self) -> &str {
        &self.settings.client_id
    }

    pub(super) fn audience(&self) -> &str {
        &self.settings.audience
    }

    /// Returns the lifetime of access tokens, in seconds.
    pub(super) fn token_lifetime(&self) -> u64 {
        self.settings.token_lifetime.as_secs()
    }

    pub(super) fn users(&self) -> &Users {
        &self.users
    }

    pub(super) fn sealing(&self) -> &hmac::Key {
        self.key.sealing()
    }

    pub(super) fn sign(&self, media_type: &str, claims: &Value) -> Result<String, OAuthError> {
        self.key.sign(media_type, claims).ok_or(OAuthError::server_error())
    }

    pub(super) fn verified(&self, token: &str) -> Option<Map<String, Value>> {
        self.key.verified(token)
    }

    /// Marks a code as used. Returns false if it is already.
    pub(super) fn use_code(&self, id: &str, expires: u64) -> bool {
        self.used_codes.mark(id, expires, self.now())
    }

    /// Returns the time, in seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        (self.clock)().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
    }

    fn discovery(&self) -> Value {
        let url = self.url();
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks.json"),
            "end_session_endpoint": format!("{url}/logout"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "scopes_supported": ["openid", "profile", "offline_access"],
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "username", "preferred_username", "name", "roles"],
            "token_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        })
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Returns the router of an issuer.
pub fn router(issuer: Issuer) -> Router {
    // Pages of this machine read these; the others are for the browser's address bar.
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(|origin: &HeaderValue, _: &Parts| is_local_page(origin)))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE]);
    let for_pages = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/.well-known/oauth-authorization-server", get(discovery))
        .route("/jwks.json", get(jwks))
        .route("/token", post(token::token))
        .layer(cors);
    Router::new()
        .merge(for_pages)
        .route("/authorize", get(authorize::authorize).post(authorize::authorize_form))
        .route("/sign-in", post(authorize::sign_in))
        .route("/sign-in.css", get(page::css))
        .route("/logout", get(logout::logout).post(logout::logout_form))
        .route("/healthz", get(async || "ok"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(guarded))
        .with_state(Arc::new(issuer))
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(issuer.discovery())
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(issuer.key.jwks())
}

/// Returns true for the origin of a page of this machine.
fn is_local_page(origin: &HeaderValue) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
    origin.is_some_and(|origin| origin.host().is_some_and(redirect::is_loopback))
}

/// Refuses requests for other hosts, which a page can send by DNS rebinding, and sets headers that all responses have.
async fn guarded(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    let host = host.and_then(|host| host.parse::<Uri>().ok()?.host().map(str::to_owned));
    let is_own = host.and_then(|host| url::Host::parse(&host).ok());
    let is_own = is_own.is_some_and(|host| match host {
        url::Host::Domain(name) => redirect::is_loopback(url::Host::Domain(&name)),
        url::Host::Ipv4(address) => redirect::is_loopback(url::Host::Ipv4(address)),
        url::Host::Ipv6(address) => redirect::is_loopback(url::Host::Ipv6(address)),
    });
    let mut response = if is_own {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "this issuer is of this machine alone").into_response()
    };
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(HeaderName::from_static("referrer-policy")).or_insert(HeaderValue::from_static("no-referrer"));
    response
}
