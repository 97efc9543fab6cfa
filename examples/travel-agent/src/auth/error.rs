//! Errors of the issuer: of its start, and of the OAuth endpoints.

use std::{io, net::SocketAddr, path::PathBuf};

use serde_json::json;
use strands::serve::{
    ServerError,
    axum::{
        Json,
        http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
        response::{IntoResponse, Response},
    },
};

/// An error of starting the issuer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The address can be reached from other machines.
    #[error("{address} can be reached from other machines, and the passwords are public; listen on 127.0.0.1")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The system has no folder for user data.
    #[error("this system has no folder for user data; choose one with --data")]
    NoDataFolder,
    /// The signing key can't be read or created.
    #[error("the signing key {path} can't be read or created")]
    KeyFile {
        /// Its file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file is no signing key.
    #[error("{path} is no P-256 key in PKCS#8; delete it, and sign in again")]
    InvalidKey {
        /// Its file.
        path: PathBuf,
    },
    /// The server can't listen.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// An error response of OAuth 2.0, RFC 6749.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OAuthError {
    pub(super) code: &'static str,
    pub(super) description: &'static str,
}

impl OAuthError {
    pub(super) const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description }
    }

    pub(super) const fn invalid_request(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }

    pub(super) const fn invalid_grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    pub(super) const fn server_error() -> Self {
        Self::new("server_error", "the system has no random numbers")
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let status = match self.code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = Json(json!({"error": self.code, "error_description": self.description}));
        let mut response = (status, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"travel-auth\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
