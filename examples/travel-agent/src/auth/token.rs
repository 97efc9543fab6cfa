//! Token endpoint: tokens for a code, or for a refresh token.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use strands::serve::axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};

use super::{
    error::OAuthError,
    key::random_id,
    parameters::Parameters,
    routes::Issuer,
    sealed::{Code, Refresh, open, seal},
    settings::SESSION_LIFETIME,
};

/// A sign-in that tokens are issued for.
struct Grant {
    username: String,
    scope: String,
    nonce: Option<String>,
    signed_in: u64,
}

/// `POST /token`.
pub(super) async fn token(State(issuer): State<Arc<Issuer>>, headers: HeaderMap, body: Bytes) -> Response {
    let response = Parameters::of_form(&headers, &body).and_then(|parameters| {
        let grant = granted(&issuer, &headers, &parameters)?;
        tokens(&issuer, &grant)
    });
    match response {
        Ok(tokens) => Json(tokens).into_response(),
        Err(error) => error.into_response(),
    }
}

fn granted(issuer: &Issuer, headers: &HeaderMap, parameters: &Parameters) -> Result<Grant, OAuthError> {
    if headers.contains_key(AUTHORIZATION) || parameters.get("client_secret").is_some() {
        return Err(OAuthError::new("invalid_client", "the client is public: it has no secret"));
    }
    if parameters.get("client_id") != Some(issuer.client_id()) {
        return Err(OAuthError::new("invalid_client", "the client is unknown"));
    }
    match parameters.get("grant_type") {
        Some("authorization_code") => by_code(issuer, parameters),
        Some("refresh_token") => by_refresh_token(issuer, parameters),
        Some(_) => Err(OAuthError::new("unsupported_grant_type", "use authorization_code or refresh_token")),
        None => Err(OAuthError::invalid_request("the grant type is missing")),
    }
}

fn by_code(issuer: &Issuer, parameters: &Parameters) -> Result<Grant, OAuthError> {
    const INVALID: OAuthError = OAuthError::invalid_grant("the code is invalid, expired or used");
    let code = parameters.get("code").ok_or(OAuthError::invalid_request("the code is missing"))?;
    let verifier =
        parameters.get("code_verifier").ok_or(OAuthError::invalid_request("the code verifier is missing"))?;
    let code: Code = open(issuer.sealing(), code, issuer.now()).ok_or(INVALID)?;
    // A code that is tried with a wrong verifier has leaked: it can't be used again either.
    if !issuer.use_code(&code.id, code.expires) {
        return Err(INVALID);
    }
    if parameters.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(OAuthError::invalid_grant("the redirect URI is not that of the sign-in"));
    }
    let is_verifier = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    if !is_verifier || URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) != code.code_challenge {
        return Err(OAuthError::invalid_grant("the code verifier does not match the code challenge"));
    }
    Ok(Grant { username: code.username, scope: code.scope, nonce: code.nonce, signed_in: code.signed_in })
}

fn by_refresh_token(issuer: &Issuer, parameters: &Parameters) -> Result<Grant, OAuthError> {
    let token = parameters.get("refresh_token").ok_or(OAuthError::invalid_request("the refresh token is missing"))?;
    let refresh: Refresh = open(issuer.sealing(), token, issuer.now())
        .ok_or(OAuthError::invalid_grant("the refresh token is invalid or expired; sign in again"))?;
    let scope = match parameters.get("scope") {
        None => refresh.scope,
        Some(scope) if scope.split(' ').all(|part| refresh.scope.split(' ').any(|granted| granted == part)) => {
            scope.to_owned()
        }
        Some(_) => return Err(OAuthError::new("invalid_scope", "the scope exceeds that of the sign-in")),
    };
    Ok(Grant { username: refresh.username, scope, nonce: None, signed_in: refresh.signed_in })
}

fn tokens(issuer: &Issuer, grant: &Grant) -> Result<Value, OAuthError> {
    let gone = OAuthError::invalid_grant("the user does not exist any more");
    let user = issuer.users().find(&grant.username).ok_or(gone)?;
    let now = issuer.now();
    let id = random_id().ok_or(OAuthError::server_error())?;
    // Of the sign-in, not of this request: a session ends even if it is refreshed.
    let expires = grant.signed_in + SESSION_LIFETIME;
    let refresh = Refresh {
        id: id.clone(),
        username: grant.username.clone(),
        scope: grant.scope.clone(),
        signed_in: grant.signed_in,
        expires,
    };
    let lifetime = issuer.token_lifetime();
    let access = json!({
        "iss": issuer.url(),
        "sub": user.subject(),
        "aud": issuer.audience(),
        "client_id": issuer.client_id(),
        "scope": grant.scope,
        "iat": now,
        "exp": now + lifetime,
        "jti": id,
        "username": user.username,
        "name": user.name,
        "roles": [user.role.as_str()],
    });
    let mut response = json!({
        "access_token": issuer.sign("at+jwt", &access)?,
        "token_type": "Bearer",
        "expires_in": lifetime,
        "refresh_token": seal(issuer.sealing(), &refresh),
        "scope": grant.scope,
    });
    if grant.scope.split(' ').any(|scope| scope == "openid") {
        let mut identity = json!({
            "iss": issuer.url(),
            "sub": user.subject(),
            "aud": issuer.client_id(),
            "iat": now,
            "exp": now + lifetime,
            "auth_time": grant.signed_in,
            "username": user.username,
            "preferred_username": user.username,
            "name": user.name,
            "roles": [user.role.as_str()],
        });
        if let (Some(nonce), Some(identity)) = (&grant.nonce, identity.as_object_mut()) {
            identity.insert("nonce".to_owned(), nonce.as_str().into());
        }
        let identity = issuer.sign("JWT", &identity)?;
        if let Some(response) = response.as_object_mut() {
            response.insert("id_token".to_owned(), identity.into());
        }
    }
    Ok(response)
}
