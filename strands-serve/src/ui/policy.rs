//! Content-Security-Policy of the page.

use http::HeaderValue;

use super::{SignIn, UiSettings};

/// Returns the policy: nothing but files of this origin, and requests to this origin and the issuer. With Trusted Types, texts can't
/// become markup.
pub(super) fn content_security_policy(settings: &UiSettings) -> HeaderValue {
    let mut connect = vec!["'self'"];
    if let SignIn::Oidc(oidc) = &settings.sign_in {
        connect.extend(oidc.origins.iter().map(String::as_str));
    }
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src {}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
        connect.join(" ")
    );
    // Origins are checked when they are set; without a policy that can be written, the page must not run.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}
