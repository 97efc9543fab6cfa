//! Settings of a server, with their defaults.

use std::sync::Arc;
use std::time::Duration;

use strands_http::IdentifyCaller;
use tokio_util::sync::CancellationToken;

use super::request_state::RequestStates;

/// Settings of a server.
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) instructions: Option<String>,
    pub(super) allowed_hosts: Hosts,
    pub(super) allowed_origins: Vec<String>,
    pub(super) identify: Option<Arc<dyn IdentifyCaller>>,
    pub(super) max_message_bytes: usize,
    pub(super) max_calls: u32,
    pub(super) max_sessions: usize,
    pub(super) session_idle_timeout: Duration,
    pub(super) legacy_sessions: bool,
    pub(super) input_timeout: Duration,
    pub(super) request_states: RequestStates,
    pub(super) shutdown: CancellationToken,
    pub(super) shutdown_timeout: Duration,
}

/// Hosts of a server.
pub(super) enum Hosts {
    Listed(Vec<String>),
    Any,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "strands".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: None,
            allowed_hosts: Hosts::Listed(["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec()),
            allowed_origins: LOOPBACK_ORIGINS.map(str::to_owned).to_vec(),
            identify: None,
            max_message_bytes: 4 * 1024 * 1024,
            max_calls: 256,
            max_sessions: 4096,
            session_idle_timeout: Duration::from_secs(30 * 60),
            legacy_sessions: true,
            input_timeout: Duration::from_secs(10 * 60),
            request_states: RequestStates::with_random_key(),
            shutdown: CancellationToken::new(),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// Origins of pages that the same machine serves.
const LOOPBACK_ORIGINS: [&str; 6] = [
    "http://localhost:*",
    "http://127.0.0.1:*",
    "http://[::1]:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
    "https://[::1]:*",
];
