//! Client: connections to MCP servers, and their tools for agents.

mod oauth;
mod token;

pub use oauth::{
    AuthorizationCode, ClientCredentials, CredentialStore, EnterpriseManaged, IdentityProvider, OAuth, OAuthClient,
    OAuthError, OAuthGrant, OAuthTokenSource, WorkloadIdentity,
};
pub use token::{Challenge, TokenSource};
