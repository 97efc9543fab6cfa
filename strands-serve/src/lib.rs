//! Hosts for agents: one service on HTTP, AgentCore Runtime and Lambda.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod server;

#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use server::tls;
pub use server::{Server, ServerEnd, ServerError, stop_signal};
