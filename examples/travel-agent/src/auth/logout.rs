//! Sign-out. The issuer has no session, so it only returns to the client; tokens end with their lifetimes.

use std::sync::Arc;

use strands::serve::axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::{
    error::OAuthError,
    page::{error_page, signed_out},
    parameters::Parameters,
    redirect,
    routes::Issuer,
};

/// `GET /logout`.
pub(super) async fn logout(State(issuer): State<Arc<Issuer>>, RawQuery(query): RawQuery) -> Response {
    end(&issuer, Parameters::parse(query.unwrap_or_default().as_bytes()))
}

/// `POST /logout`.
pub(super) async fn logout_form(State(issuer): State<Arc<Issuer>>, headers: HeaderMap, body: Bytes) -> Response {
    end(&issuer, Parameters::of_form(&headers, &body))
}

fn end(issuer: &Issuer, parameters: Result<Parameters, OAuthError>) -> Response {
    match parameters.and_then(|parameters| target(issuer, &parameters)) {
        Ok(Some((target, state))) => redirect::to(target, &[("state", state.as_deref())]),
        Ok(None) => signed_out(),
        Err(error) => {
            let problem = format!("Invalid request: {}.", error.description);
            error_page(StatusCode::BAD_REQUEST, &problem, "You can close this page: tokens end with their lifetimes.")
        }
    }
}

/// Returns the page to return to, with the state.
fn target(issuer: &Issuer, parameters: &Parameters) -> Result<Option<(url::Url, Option<String>)>, OAuthError> {
    if parameters.get("client_id").is_some_and(|client| client != issuer.client_id()) {
        return Err(OAuthError::invalid_request("the client is unknown"));
    }
    // An expired token is a good hint, too.
    let is_own = |token: &str| {
        let claims = issuer.verified(token);
        claims.is_some_and(|claims| claims.get("aud").and_then(|client| client.as_str()) == Some(issuer.client_id()))
    };
    if parameters.get("id_token_hint").is_some_and(|token| !is_own(token)) {
        return Err(OAuthError::invalid_request("the id token is not one of this issuer for this client"));
    }
    let Some(uri) = parameters.get("post_logout_redirect_uri") else { return Ok(None) };
    let target = redirect::loopback(uri);
    let target = target.ok_or(OAuthError::invalid_request("the URI after the sign-out must be of this machine"))?;
    Ok(Some((target, parameters.echo("state")?)))
}
