//! Agent2Agent protocol (A2A): agents as A2A servers, and agents on A2A servers as agents of a program.
//!
//! Protocol 1.0 is spoken over JSON-RPC and HTTP+JSON, and protocol 0.3, which Strands for Python speaks, over JSON-RPC.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "client")]
mod client;
#[cfg(any(feature = "client", feature = "server"))]
mod json;
#[cfg(any(feature = "client", feature = "server"))]
mod parts;
#[cfg(feature = "server")]
mod server;
#[cfg(any(feature = "client", feature = "server"))]
mod v03;

#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use client::{A2aAgent, A2aAgentBuilder, A2aError, TaskFailure, Transport};
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use server::{
    A2aContext, A2aLimits, A2aServer, A2aServerBuilder, A2aServerError, Caller, CardSigner, DiscardInterrupts,
    IdentifyCaller, MemoryTaskStore, PushTargets, PutOutcome, RecordKey, RecordKind, RecordStream, RecordVersion,
    Refusal, SigningKeyError, Skill, StoredRecord, TaskStore, TaskStoreError,
};
// Crates that public signatures name.
#[cfg(feature = "server")]
#[doc(no_inline)]
pub use axum;
