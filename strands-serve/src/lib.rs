//! Hosts for agents: one service on HTTP, Amazon Bedrock AgentCore Runtime, AWS Lambda and the command line.
//!
//! An [`AgentService`] has the agent's template, the store of sessions, and limits. Its one function is
//! [`turn`](AgentService::turn): a prompt of an identity in a session. Hosts only translate between it and the protocols of their
//! platforms. Each is behind a feature.
//!
//! ```
//! use strands::identity::Identity;
//! use strands::serve::AgentService;
//! use strands::session::SessionStore;
//! use strands::{Agent, testing::ScriptedModel};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let folder = std::env::temp_dir().join(format!("strands-serve-doc-{}", std::process::id()));
//! let template = Agent::builder().model(ScriptedModel::responding("Oslo is sunny."));
//! let service = AgentService::builder(template, SessionStore::files(&folder)).build();
//!
//! let response = service.turn(Identity::new("alice"), (), "How is the weather in Oslo?").await?;
//! assert_eq!(response.text(), "Oslo is sunny.");
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "a2a")]
#[cfg_attr(docsrs, doc(cfg(feature = "a2a")))]
pub mod a2a;
#[cfg(feature = "agentcore")]
#[cfg_attr(docsrs, doc(cfg(feature = "agentcore")))]
pub mod agentcore;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub mod http;
#[cfg(feature = "lambda")]
#[cfg_attr(docsrs, doc(cfg(feature = "lambda")))]
pub mod lambda;
#[cfg(feature = "openai")]
#[cfg_attr(docsrs, doc(cfg(feature = "openai")))]
pub mod openai;
mod run;
#[cfg(feature = "http")]
mod server;
mod service;
mod turn_metrics;
#[cfg(feature = "ui")]
#[cfg_attr(docsrs, doc(cfg(feature = "ui")))]
pub mod ui;

pub use run::{RunEvent, Turn};
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use server::tls;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use server::{Server, ServerEnd, ServerError, stop_signal};
pub use service::{
    AgentService, AgentServiceBuilder, AgentTemplate, BusySession, Disconnect, Drained, PendingApproval, Replied,
    Reply, SESSION_TITLE, ServiceLimits, SessionChoice, SessionSummary, SessionTranscript, TurnError, TurnRequest,
};
pub use turn_metrics::TurnMetrics;
// Crates that public signatures name.
#[cfg(feature = "http")]
#[doc(no_inline)]
pub use axum;
#[cfg(feature = "http")]
#[doc(no_inline)]
pub use tokio::net::ToSocketAddrs;
