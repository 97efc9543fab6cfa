//! Model providers of strands-rs, one feature each. Programs use them through the `strands-rs` crate, which re-exports
//! them under `strands::models`.
//!
//! | feature | model | what it needs |
//! |---|---|---|
//! | `ollama` | [`OllamaModel`] | a server of one's own, or a key for Ollama's cloud |
//! | `openai` | [`OpenAiModel`], [`OpenAiResponsesModel`] | a key, or a server that speaks the same protocol |
//! | `offline` | [`OfflineModel`] | nothing: it follows rules, and is no language model |

#[cfg(feature = "_http")]
// Not every provider needs all of it.
#[cfg_attr(
    not(all(feature = "anthropic", feature = "gemini", feature = "ollama", feature = "openai")),
    allow(dead_code, unused_imports, unused_macros)
)]
mod http;
#[cfg(feature = "offline")]
mod offline;
#[cfg(feature = "ollama")]
mod ollama;
#[cfg(feature = "openai")]
mod openai;

#[cfg(feature = "_http")]
pub use http::{ModelBuildError, ModelCallError};
#[cfg(feature = "offline")]
pub use offline::{OfflineModel, OfflineModelBuilder, OfflineStep, OfflineToolResult, OfflineTurn};
#[cfg(feature = "ollama")]
pub use ollama::{OllamaModel, OllamaModelBuilder, OllamaThink};
#[cfg(feature = "openai")]
pub use openai::{
    OpenAiModel, OpenAiModelBuilder, OpenAiResponsesModel, OpenAiResponsesModelBuilder, ReasoningEffort,
    ReasoningReplay, ReasoningSummary,
};
