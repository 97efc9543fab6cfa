//! Agents in Rust: plain functions as tools, a typed agentic loop, any model provider.

pub use strands_core::*;

/// The models to choose from, by feature.
pub mod models {
    #[cfg(feature = "bedrock")]
    pub use strands_bedrock::*;
    #[cfg(feature = "offline")]
    pub use strands_models::*;
}
