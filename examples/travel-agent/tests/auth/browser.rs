//! A browser and a client of the issuer, without a network.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use strands::serve::axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, request::Builder},
};
use tempfile::TempDir;
use tower::ServiceExt as _;
use travel_agent::auth::{AUDIENCE, CLIENT_ID, Issuer, Settings, Users, router};
use url::{Url, form_urlencoded};

pub(crate) const ISSUER: &str = "http://127.0.0.1:9000";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:8080/?page=1";
pub(crate) const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";

pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];

/// An issuer with a key of its own.
pub(crate) struct Rig {
    pub(crate) router: Router,
    pub(crate) folder: TempDir,
}

pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Returns the URL that the browser goes to, without its query, and the parameters.
    pub(crate) fn redirect(&self) -> (String, HashMap<String, String>) {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        let mut url = Url::parse(self.header("location")).unwrap();
        let parameters = url.query_pairs().into_owned().collect();
        url.set_query(None);
        (url.to_string(), parameters)
    }

    /// Returns the hidden field of a form.
    pub(crate) fn form(&self) -> String {
        let (_, rest) = self.text.split_once(r#"name="form" value=""#).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }
}

pub(crate) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()))
}

/// Encodes parameters. Later ones replace earlier ones, and those without a value are left out.
pub(crate) fn encoded(parameters: &[Pairs<'_>]) -> String {
    let mut all: Vec<(&str, &str)> = Vec::new();
    for (name, value) in parameters.iter().copied().flatten() {
        all.retain(|(other, _)| other != name);
        all.push((name, value));
    }
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(all.iter().filter(|(_, value)| !value.is_empty()))
        .finish()
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with_clock(SystemTime::now, tempfile::tempdir().unwrap())
    }

    pub(crate) fn with_clock(clock: fn() -> SystemTime, folder: TempDir) -> Self {
        let settings = Settings {
            url: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            token_lifetime: Duration::from_secs(600),
        };
        let issuer = Issuer::new(settings, Users::with_load_test(2), &folder.path().join("key")).unwrap();
        Self { router: router(issuer.clock(clock)), folder }
    }

    pub(crate) async fn send(&self, request: Builder, body: String) -> Page {
        let request = request.header("host", "127.0.0.1:9000").body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(Request::get(path), String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, form: String) -> Page {
        self.send(Request::post(path).header("content-type", "application/x-www-form-urlencoded"), form).await
    }

    /// Opens the sign-in page, with other parameters than usual.
    pub(crate) async fn authorize(&self, changes: Pairs<'_>) -> Page {
        let usual: Pairs<'_> = &[
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT),
            ("scope", "openid profile unknown"),
            ("state", "a state & more"),
            ("nonce", "a nonce"),
            ("code_challenge", &challenge()),
            ("code_challenge_method", "S256"),
        ];
        self.get(&format!("/authorize?{}", encoded(&[usual, changes]))).await
    }

    /// Submits the form of a page, in the browser with its cookie.
    pub(crate) async fn submit(&self, page: &Page, fields: Pairs<'_>) -> Page {
        let cookie = page.header("set-cookie").split(';').next().unwrap();
        let form = encoded(&[&[("form", &page.form())], fields]);
        let request = Request::post("/sign-in")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", ISSUER)
            .header("cookie", format!("other=1; {cookie}"));
        self.send(request, form).await
    }

    /// Signs in. Returns the code.
    pub(crate) async fn code(&self, username: &str) -> String {
        let page = self.authorize(&[]).await;
        let page = self.submit(&page, &[("username", username), ("password", &format!("{username}-dev"))]).await;
        page.redirect().1["code"].clone()
    }

    /// Exchanges a code, with other parameters than usual.
    pub(crate) async fn exchange(&self, code: &str, changes: Pairs<'_>) -> Page {
        let usual: Pairs<'_> = &[
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        self.post("/token", encoded(&[usual, changes])).await
    }

    pub(crate) async fn refresh(&self, token: &str, changes: Pairs<'_>) -> Page {
        let usual: Pairs<'_> = &[("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", token)];
        self.post("/token", encoded(&[usual, changes])).await
    }
}
