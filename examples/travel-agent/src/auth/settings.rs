//! Settings of the issuer.

use std::time::Duration;

/// Default audience of access tokens.
pub const AUDIENCE: &str = "travel-agent";

/// Default client: the chat page.
pub const CLIENT_ID: &str = "travel-page";

/// Lifetime of a sign-in form, in seconds.
pub(super) const FORM_LIFETIME: u64 = 30 * 60;

/// Lifetime of an authorization code, in seconds.
pub(super) const CODE_LIFETIME: u64 = 60;

/// Time after the sign-in until which tokens can be refreshed, in seconds.
pub(super) const SESSION_LIFETIME: u64 = 12 * 60 * 60;

/// Settings of the issuer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer's URL, without a final slash.
    pub url: String,
    /// The audience of access tokens.
    pub audience: String,
    /// The one client. It is public: it has no secret.
    pub client_id: String,
    /// The lifetime of access tokens.
    pub token_lifetime: Duration,
}
