//! Conversations that outlive the process: what a store of sessions is, and the stores there are, one feature each.

pub use strands_core::session::*;

#[cfg(feature = "session")]
pub use strands_session::*;
