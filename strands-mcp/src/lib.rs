//! Model Context Protocol (MCP) for strands-rs: tools of MCP servers for agents, and agents and tools as MCP servers.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod config;
mod server;

pub use client::{
    AnyTransport, AuthorizationCode, Challenge, ClientCredentials, Completion, CredentialStore, Elicitation,
    ElicitationKind, ElicitationResponse, EnterpriseManaged, Http, IdentityProvider, McpClient, McpClientBuilder,
    McpError, McpTask, OAuth, OAuthClient, OAuthError, OAuthGrant, OAuthTokenSource, PromptArgument, PromptInfo,
    PromptMessages, ResourceData, ResourceInfo, ResourcePart, ResourceTemplate, SamplingLimits, Stdio, SubmittedCall,
    TaskState, TokenSource, ToolFilter, ToolPatternError, Transport, WorkloadIdentity,
};
pub use config::{McpConfigError, McpServerConfigError, load_builders, load_servers, parse_builders, parse_servers};
pub use server::{Caller, ClientRequest, IdentifyCaller, McpServer, Refusal, ResourceUpdates, ServeError};

// Routers, request parts, streams and secrets are part of the public API.
#[doc(no_inline)]
pub use {
    axum, secrecy,
    tokio::io::{AsyncRead, AsyncWrite},
};
