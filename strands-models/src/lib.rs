//! Model providers of strands-rs, one feature each. Programs use them through the `strands-rs` crate, which re-exports
//! them under `strands::models`.
//!
//! | feature | model | requires |
//! |---|---|---|
//! | `anthropic` | `AnthropicModel` | an API key |
//! | `gemini` | `GeminiModel` | an API key, or a token for Google Cloud |
//! | `llamacpp` | `LlamaCppModel` | llama.cpp's server |
//! | `mistral` | `MistralModel` | an API key |
//! | `ollama` | `OllamaModel` | a local server, or an API key for Ollama's cloud |
//! | `openai` | `OpenAiModel`, `OpenAiResponsesModel` | an API key, or a server with the same protocol |
//! | `offline` | `OfflineModel` | nothing: it follows rules, and is not a language model |
//!
//! Models and their builders are in the crate root, the other types of a provider in its module.

// Labels name the features that users choose.
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(feature = "_chat", feature = "_http"))))]

#[cfg(feature = "anthropic")]
pub mod anthropic;
#[cfg(feature = "_chat")]
// Some parts are used by one server only.
#[cfg_attr(
    not(all(feature = "openai", feature = "mistral", feature = "llamacpp")),
    allow(dead_code, unused_imports, unused_macros)
)]
mod chat_completions;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "gemini")]
pub mod gemini;
#[cfg(any(feature = "_chat", feature = "gemini"))]
mod generated_media;
#[cfg(feature = "_http")]
// Some parts are used by one provider only.
#[cfg_attr(
    not(all(feature = "anthropic", feature = "gemini", feature = "ollama", feature = "openai")),
    allow(dead_code, unused_imports, unused_macros)
)]
mod http;
#[cfg(feature = "llamacpp")]
pub mod llamacpp;
#[cfg(feature = "mistral")]
pub mod mistral;
#[cfg(feature = "offline")]
pub mod offline;
#[cfg(feature = "ollama")]
pub mod ollama;
#[cfg(feature = "openai")]
pub mod openai;
#[cfg(feature = "_http")]
mod reasoning_effort;

#[cfg(feature = "anthropic")]
pub use anthropic::{AnthropicModel, AnthropicModelBuilder};
#[cfg(feature = "gemini")]
pub use gemini::{GeminiModel, GeminiModelBuilder};
#[cfg(feature = "_http")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(
        feature = "anthropic",
        feature = "gemini",
        feature = "llamacpp",
        feature = "mistral",
        feature = "ollama",
        feature = "openai"
    )))
)]
pub use http::{ModelBuildError, ModelCallError};
#[cfg(feature = "llamacpp")]
pub use llamacpp::{LlamaCppModel, LlamaCppModelBuilder};
#[cfg(feature = "mistral")]
pub use mistral::{MistralModel, MistralModelBuilder};
#[cfg(feature = "offline")]
pub use offline::{OfflineModel, OfflineModelBuilder};
#[cfg(feature = "ollama")]
pub use ollama::{OllamaModel, OllamaModelBuilder};
#[cfg(feature = "openai")]
pub use openai::{OpenAiModel, OpenAiModelBuilder, OpenAiResponsesModel, OpenAiResponsesModelBuilder};
#[cfg(feature = "_http")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(
        feature = "anthropic",
        feature = "gemini",
        feature = "llamacpp",
        feature = "mistral",
        feature = "ollama",
        feature = "openai"
    )))
)]
pub use reasoning_effort::ReasoningEffort;
#[cfg(feature = "_http")]
#[doc(no_inline)]
pub use strands_http::install_crypto_provider;

// Crates that public signatures name.
#[cfg(feature = "_http")]
#[cfg_attr(
    docsrs,
    doc(cfg(any(
        feature = "anthropic",
        feature = "gemini",
        feature = "llamacpp",
        feature = "mistral",
        feature = "ollama",
        feature = "openai"
    )))
)]
#[doc(no_inline)]
pub use {reqwest, secrecy};
