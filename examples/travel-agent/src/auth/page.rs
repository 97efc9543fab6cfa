//! Pages of the issuer: static HTML without scripts.

use std::fmt::{self, Write as _};

use strands::serve::axum::{
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{Html, IntoResponse, Response},
};
use url::{Host, Url};

use super::users::DevelopmentUser;

const CSS: &str = include_str!("sign_in.css");

/// Text in HTML, also within a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The sign-in page.
pub(super) struct SignInPage<'a> {
    /// The sealed request.
    pub(super) form: &'a str,
    pub(super) username: &'a str,
    pub(super) error: Option<&'a str>,
    pub(super) users: &'a [DevelopmentUser],
    /// The page that the browser returns to: a policy for forms covers redirects, too.
    pub(super) redirect_uri: &'a str,
}

impl SignInPage<'_> {
    pub(super) fn into_response(self, status: StatusCode) -> Response {
        let Self { form, username, error, users, redirect_uri } = self;
        let (form, username) = (Escaped(form), Escaped(username));
        let (alert, invalid) = match error {
            Some(error) => (
                format!(r#"<p class="error" id="error" role="alert">{}</p>"#, Escaped(error)),
                r#" aria-invalid="true" aria-describedby="error""#,
            ),
            None => (String::new(), ""),
        };
        let mut rows = String::new();
        for user in users {
            let _ = write!(
                rows,
                r#"<tr><th scope="row">{}</th><td>{}</td><td><code>{}</code></td></tr>"#,
                Escaped(&user.username),
                user.role,
                Escaped(&user.password())
            );
        }
        // The field that is to be filled in gets the focus.
        let (name_focus, password_focus) = if username.0.is_empty() { (" autofocus", "") } else { ("", " autofocus") };
        let body = format!(
            r#"<h1>Sign in to AcmeCorp Travel</h1>
<p class="warning"><strong>For development only.</strong> The passwords are public.</p>
{alert}
<form method="post" action="/sign-in">
<input type="hidden" name="form" value="{form}">
<label for="username">User name</label>
<input id="username" name="username" value="{username}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required{name_focus}{invalid}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="64" required{password_focus}{invalid}>
<button type="submit">Sign in</button>
</form>
<table>
<caption>Users</caption>
<thead><tr><th scope="col">User name</th><th scope="col">Role</th><th scope="col">Password</th></tr></thead>
<tbody>{rows}</tbody>
</table>"#
        );
        let target = Url::parse(redirect_uri).map(|url| form_target(&url)).unwrap_or_default();
        page(status, "Sign in", &body, &format!("'self' {target}"))
    }
}

/// Returns the origin of a URL as a source in a policy, which can't name addresses of IPv6.
fn form_target(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv6(_)) => format!("{}:", url.scheme()),
        _ => url.origin().ascii_serialization(),
    }
}

/// Returns a page that tells the user why it does not go on.
pub(super) fn error_page(status: StatusCode, problem: &str, action: &str) -> Response {
    let body = format!(
        r#"<h1>You can't sign in here</h1>
<p class="error" role="alert">{}</p>
<p>{}</p>"#,
        Escaped(problem),
        Escaped(action)
    );
    page(status, "You can't sign in here", &body, "'none'")
}

/// Returns the page after a sign-out that names no other page.
pub(super) fn signed_out() -> Response {
    page(StatusCode::OK, "Signed out", "<h1>You are signed out</h1>\n<p>You can close this page.</p>", "'none'")
}

fn page(status: StatusCode, title: &str, body: &str, form_action: &str) -> Response {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} – AcmeCorp Travel</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/sign-in.css">
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"#
    );
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; form-action {form_action}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    // With `no-referrer` a browser sends no origin with the form.
    let referrer_policy = HeaderName::from_static("referrer-policy");
    headers.insert(referrer_policy, HeaderValue::from_static("same-origin"));
    response
}

/// The style of all pages.
pub(super) async fn css() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")], CSS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_text_and_attributes() {
        let text = Escaped(r#"<script>"'&"#).to_string();
        assert_eq!(text, "&lt;script&gt;&quot;&#39;&amp;");
    }
}
