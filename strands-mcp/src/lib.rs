//! Model Context Protocol (MCP) for strands-rs: tools of MCP servers for agents, and agents and tools as MCP servers.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod config;
mod server;

pub use client::{
    AuthorizationCode, Challenge, ClientCredentials, CredentialStore, EnterpriseManaged, IdentityProvider, OAuth,
    OAuthClient, OAuthError, OAuthGrant, OAuthTokenSource, TokenSource, WorkloadIdentity,
};
