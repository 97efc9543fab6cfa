//! Model providers of strands-rs, one feature each. Programs use them through the `strands-rs` crate, which re-exports
//! them under `strands::models`.
//!
//! | feature | model | what it needs |
//! |---|---|---|
//! | `offline` | [`OfflineModel`] | nothing: it follows rules, and is no language model |

#[cfg(feature = "offline")]
mod offline;

#[cfg(feature = "offline")]
pub use offline::{OfflineModel, OfflineModelBuilder, OfflineStep, OfflineToolResult, OfflineTurn};
