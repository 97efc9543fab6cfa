//! Chat page for the agent of a service: static files in the binary, on the routes `/` and `/ui/*` of the HTTP host.
//!
//! The page needs no build step and no other host: it signs in at the issuer, prompts, streams the response, shows tool calls,
//! approvals and sessions. Its files are public; all data comes from the routes that authenticate. The settings are at
//! `/ui/settings.json`.
//!
//! ```
//! use strands::identity::JwtVerifier;
//! use strands::serve::AgentService;
//! use strands::serve::http::HttpHost;
//! use strands::serve::ui::{OidcSignIn, UiSettings};
//!
//! # fn router(service: AgentService, verifier: JwtVerifier) -> Result<strands::serve::axum::Router, Box<dyn std::error::Error>> {
//! let sign_in = OidcSignIn::new("https://login.example.com", "travel-page")?;
//! let settings = UiSettings::new("Travel agent").sign_in(sign_in).suggestions(["Book me a trip to Oslo next Monday."]);
//! let router = HttpHost::new(service, verifier).ui(settings).into_router();
//! # Ok(router)
//! # }
//! ```
//!
//! # Security
//!
//! The page runs under a strict Content-Security-Policy: scripts and styles of this origin only, requests to this origin and the
//! issuer only, no frames, and no markup from texts (Trusted Types). Tokens are in the local storage of the page's origin, so that
//! tabs share one sign-in: host no other pages on that origin.

mod files;
mod policy;
mod routes;
mod settings;
mod sign_in;

pub(crate) use routes::router;
pub use settings::{Attachments, TokenPrices, UiSettings};
pub use sign_in::{OidcSignIn, SignIn, UrlError};
