//! Authorization endpoint: checks a request, shows the sign-in page, and returns to the client with a code.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use strands::serve::axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{COOKIE, HOST, ORIGIN, RETRY_AFTER, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use url::Url;

use super::{
    error::OAuthError,
    key::random_id,
    page::{SignInPage, error_page},
    parameters::Parameters,
    redirect,
    routes::Issuer,
    sealed::{Code, Form, SignInRequest, open, seal},
    settings::{CODE_LIFETIME, FORM_LIFETIME},
    users::{DevelopmentUser, SignIn},
};

/// Cookie of a browser that has a sign-in form.
const COOKIE_NAME: &str = "travel-auth-browser";

/// Scopes that the issuer knows. Others are ignored.
const SCOPES: [&str; 3] = ["openid", "profile", "offline_access"];

/// `GET /authorize`.
pub(super) async fn authorize(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    start(&issuer, &headers, Parameters::parse(query.unwrap_or_default().as_bytes()))
}

/// `POST /authorize`, which OpenID Connect requires, too.
pub(super) async fn authorize_form(State(issuer): State<Arc<Issuer>>, headers: HeaderMap, body: Bytes) -> Response {
    start(&issuer, &headers, Parameters::of_form(&headers, &body))
}

fn start(issuer: &Issuer, headers: &HeaderMap, parameters: Result<Parameters, OAuthError>) -> Response {
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(error) => return refused(error),
    };
    // Until the redirect URI is checked, errors are shown to the user: anything else would be an open redirect.
    let target = match target(issuer, &parameters) {
        Ok(target) => target,
        Err(error) => return refused(error),
    };
    match request(&parameters, &target) {
        Ok(request) => {
            let (browser, is_new) = match browser(headers) {
                Some(browser) => (browser, false),
                None => match random_id() {
                    Some(browser) => (browser, true),
                    None => return OAuthError::server_error().into_response(),
                },
            };
            let form = Form { request, browser, expires: issuer.now() + FORM_LIFETIME };
            let username = parameters.get("login_hint").filter(|hint| hint.len() <= 64).unwrap_or_default();
            let mut response = sign_in_page(issuer, &form, username, None, StatusCode::OK);
            if is_new {
                let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax", form.browser);
                if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                    response.headers_mut().insert(SET_COOKIE, cookie);
                }
            }
            response
        }
        Err(error) => {
            let state = parameters.echo("state").ok().flatten();
            let parameters = [
                ("error", Some(error.code)),
                ("error_description", Some(error.description)),
                ("state", state.as_deref()),
                ("iss", Some(issuer.url())),
            ];
            redirect::to(target, &parameters)
        }
    }
}

/// Returns the URI to return to, if the client may.
fn target(issuer: &Issuer, parameters: &Parameters) -> Result<Url, OAuthError> {
    if parameters.get("client_id") != Some(issuer.client_id()) {
        return Err(OAuthError::new("invalid_client", "the client is unknown"));
    }
    let uri = parameters.get("redirect_uri").and_then(redirect::loopback);
    uri.ok_or(OAuthError::invalid_request("the redirect URI must be of this machine, such as http://127.0.0.1:8080/"))
}

/// Checks all else.
fn request(parameters: &Parameters, target: &Url) -> Result<SignInRequest, OAuthError> {
    for (name, error) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")] {
        if parameters.get(name).is_some() {
            return Err(OAuthError::new(error, "request objects are not supported"));
        }
    }
    if parameters.get("response_type") != Some("code") {
        return Err(OAuthError::new("unsupported_response_type", "the response type must be code"));
    }
    if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(OAuthError::invalid_request("the response mode must be query"));
    }
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(OAuthError::invalid_request("PKCE with the code challenge method S256 is required"));
    }
    let challenge = parameters.get("code_challenge").unwrap_or_default();
    if URL_SAFE_NO_PAD.decode(challenge).map_or(0, |hash| hash.len()) != 32 {
        return Err(OAuthError::invalid_request("the code challenge must be a SHA-256 hash in base64url"));
    }
    let scopes = parameters.get("scope").unwrap_or_default().split(' ').filter(|scope| SCOPES.contains(scope));
    let request = SignInRequest {
        // As given: the token request must repeat it exactly.
        redirect_uri: parameters.get("redirect_uri").map_or_else(|| target.to_string(), str::to_owned),
        scope: Vec::from_iter(scopes).join(" "),
        state: parameters.echo("state")?,
        nonce: parameters.echo("nonce")?,
        code_challenge: challenge.to_owned(),
    };
    // There is no session at the issuer, so each request needs the page.
    if parameters.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|prompt| prompt == "none")) {
        return Err(OAuthError::new("login_required", "the user must sign in"));
    }
    Ok(request)
}

fn refused(error: OAuthError) -> Response {
    let action = "Go back to the page that sent you here, and try again.";
    error_page(StatusCode::BAD_REQUEST, &format!("Invalid request: {}.", error.description), action)
}

fn sign_in_page(issuer: &Issuer, form: &Form, username: &str, error: Option<&str>, status: StatusCode) -> Response {
    let page = SignInPage {
        form: &seal(issuer.sealing(), form),
        username,
        error,
        users: issuer.users().shown(),
        redirect_uri: &form.request.redirect_uri,
    };
    page.into_response(status)
}

/// `POST /sign-in`: the form of the sign-in page.
pub(super) async fn sign_in(State(issuer): State<Arc<Issuer>>, headers: HeaderMap, body: Bytes) -> Response {
    let parameters = match Parameters::of_form(&headers, &body) {
        Ok(parameters) => parameters,
        Err(error) => return refused(error),
    };
    let form: Option<Form> = parameters.get("form").and_then(|form| open(issuer.sealing(), form, issuer.now()));
    let Some(form) = form.filter(|form| is_from(&headers, form)) else {
        let action = "Go back to the travel page, and sign in again.";
        return error_page(StatusCode::FORBIDDEN, "This form has expired, or is of another browser.", action);
    };
    let username = parameters.get("username").unwrap_or_default();
    let password = parameters.get("password").unwrap_or_default();
    match issuer.users().sign_in(issuer.sealing(), username, password) {
        SignIn::User(user) => signed_in(&issuer, form.request, user),
        SignIn::Wrong => {
            let error = Some("Wrong user name or password.");
            sign_in_page(&issuer, &form, short(username), error, StatusCode::FORBIDDEN)
        }
        SignIn::Throttled(seconds) => {
            let error = format!("Too many wrong passwords. Try again in {seconds} seconds.");
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut response = sign_in_page(&issuer, &form, short(username), Some(&error), status);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}

fn short(username: &str) -> &str {
    if username.len() <= 64 { username } else { "" }
}

/// Returns true if the request is of the browser, and of the page, that the form was made for.
fn is_from(headers: &HeaderMap, form: &Form) -> bool {
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_own_page = origin.is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    is_own_page && browser(headers).is_some_and(|browser| browser == form.browser)
}

/// Returns the value of the browser's cookie, if it looks like one of the issuer's.
fn browser(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let value = pairs.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value).next()?;
    (URL_SAFE_NO_PAD.decode(value).map_or(0, |id| id.len()) == 16).then(|| value.to_owned())
}

/// Returns to the client with a code.
fn signed_in(issuer: &Issuer, request: SignInRequest, user: &DevelopmentUser) -> Response {
    let (Some(id), Some(target)) = (random_id(), redirect::loopback(&request.redirect_uri)) else {
        return OAuthError::server_error().into_response();
    };
    let now = issuer.now();
    let code = Code {
        id,
        username: user.username.clone(),
        redirect_uri: request.redirect_uri,
        scope: request.scope,
        nonce: request.nonce,
        code_challenge: request.code_challenge,
        signed_in: now,
        expires: now + CODE_LIFETIME,
    };
    let code = seal(issuer.sealing(), &code);
    let state = request.state.as_deref();
    redirect::to(target, &[("code", Some(&code)), ("state", state), ("iss", Some(issuer.url()))])
}
