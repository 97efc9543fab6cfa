//! Model providers of strands-rs, one feature each. Programs use them through the `strands-rs` crate, which re-exports
//! them under `strands::models`.
//!
//! | feature | model | what it needs |
//! |---|---|---|
//! | `anthropic` | [`AnthropicModel`] | a key |
//! | `gemini` | [`GeminiModel`] | a key, or a token for Google Cloud |
//! | `llamacpp` | [`LlamaCppModel`] | llama.cpp's server |
//! | `mistral` | [`MistralModel`] | a key |
//! | `ollama` | [`OllamaModel`] | a server of one's own, or a key for Ollama's cloud |
//! | `openai` | [`OpenAiModel`], [`OpenAiResponsesModel`] | a key, or a server that speaks the same protocol |
//! | `offline` | [`OfflineModel`] | nothing: it follows rules, and is no language model |

#[cfg(feature = "anthropic")]
mod anthropic;
#[cfg(feature = "_chat")]
// Not every server needs all of it.
#[cfg_attr(
    not(all(feature = "openai", feature = "mistral", feature = "llamacpp")),
    allow(dead_code, unused_imports, unused_macros)
)]
mod chat_completions;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "gemini")]
mod gemini;
#[cfg(feature = "_http")]
// Not every provider needs all of it.
#[cfg_attr(
    not(all(feature = "anthropic", feature = "gemini", feature = "ollama", feature = "openai")),
    allow(dead_code, unused_imports, unused_macros)
)]
mod http;
#[cfg(feature = "llamacpp")]
mod llamacpp;
#[cfg(any(feature = "_chat", feature = "gemini"))]
mod made_media;
#[cfg(feature = "mistral")]
mod mistral;
#[cfg(feature = "offline")]
mod offline;
#[cfg(feature = "ollama")]
mod ollama;
#[cfg(feature = "openai")]
mod openai;

#[cfg(feature = "anthropic")]
pub use anthropic::{
    AnthropicEffort, AnthropicModel, AnthropicModelBuilder, AnthropicServiceTier, AnthropicThinking, CacheTtl,
    StaleThinking, ThinkingDisplay,
};
#[cfg(feature = "_chat")]
pub use chat_completions::{ReasoningEffort, ReasoningReplay};
#[cfg(feature = "gemini")]
pub use gemini::{GeminiModel, GeminiModelBuilder, HarmBlockThreshold, HarmCategory, ThinkingLevel};
#[cfg(feature = "_http")]
pub use http::{ModelBuildError, ModelCallError, install_crypto_provider};
#[cfg(feature = "llamacpp")]
pub use llamacpp::{LlamaCppMirostat, LlamaCppModel, LlamaCppModelBuilder};
#[cfg(feature = "mistral")]
pub use mistral::{MistralModel, MistralModelBuilder};
#[cfg(feature = "offline")]
pub use offline::{OfflineModel, OfflineModelBuilder, OfflineStep, OfflineToolResult, OfflineTurn};
#[cfg(feature = "ollama")]
pub use ollama::{OllamaModel, OllamaModelBuilder, OllamaThink};
#[cfg(feature = "openai")]
pub use openai::{
    OpenAiModel, OpenAiModelBuilder, OpenAiResponsesModel, OpenAiResponsesModelBuilder, ReasoningSummary,
};
