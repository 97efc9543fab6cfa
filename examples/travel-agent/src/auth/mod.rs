//! OpenID Connect issuer for development: sign-in page, authorization code flow with PKCE, refresh tokens.
//!
//! It stands in for the company's identity provider, such as Amazon Cognito. It keeps no state but its key: codes and refresh tokens
//! are signed, so that those of a killed process are valid in the next one. Its passwords are public, so it listens on loopback
//! addresses alone.

mod args;
mod authorize;
mod error;
mod key;
mod logout;
mod page;
mod parameters;
pub(crate) mod private_file;
mod redirect;
mod routes;
mod sealed;
mod settings;
mod throttle;
mod token;
mod used_codes;
mod users;

pub use args::AuthArgs;
pub use error::AuthError;
pub use routes::{Issuer, router};
pub use settings::{AUDIENCE, CLIENT_ID, Settings};
pub use users::{DevelopmentUser, Users};
