//! Models: the [`Model`] trait, its decorators and errors, and the providers by cargo feature. [`from_id`] and [`from_env`]
//! select a model by its id at run time.
//!
//! | feature | model | builder | id |
//! |---|---|---|---|
//! | `anthropic` | [`AnthropicModel`] | [`AnthropicModelBuilder`] | `anthropic/claude-sonnet-4-6` |
//! | `bedrock` | [`BedrockModel`] | [`BedrockModelBuilder`] | `bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0` |
//! | `gemini` | [`GeminiModel`] | [`GeminiModelBuilder`] | `gemini/gemini-3.5-flash` |
//! | `llamacpp` | [`LlamaCppModel`] | [`LlamaCppModelBuilder`] | `llamacpp/default` |
//! | `mistral` | [`MistralModel`] | [`MistralModelBuilder`] | `mistral/mistral-large-latest` |
//! | `offline` | [`OfflineModel`] | [`OfflineModelBuilder`] | `offline` |
//! | `ollama` | [`OllamaModel`] | [`OllamaModelBuilder`] | `ollama/qwen3:8b` |
//! | `openai` | [`OpenAiModel`] | [`OpenAiModelBuilder`] | `openai/gpt-5.4` |
//! | `openai` | [`OpenAiResponsesModel`] | [`OpenAiResponsesModelBuilder`] | `openai-responses/gpt-5.4` |
//!
//! With `openai`, ids of services with a compatible API start with the name of the service: `azure/`, `deepseek/`, `groq/`,
//! `lmstudio/`, `moonshot/`, `openrouter/`, `perplexity/`, `together/`, `vllm/`, `xai/`.
//!
//! Enable a feature in `Cargo.toml`: `strands-rs = { version = "0.1", features = ["anthropic"] }`. Other types of a provider
//! are in its module, behind the same feature: `anthropic::CacheTtl`.

#[cfg(feature = "bedrock")]
pub mod bedrock;
mod disabled;
mod id;

#[cfg(all(
    doc,
    not(all(
        feature = "anthropic",
        feature = "bedrock",
        feature = "gemini",
        feature = "llamacpp",
        feature = "mistral",
        feature = "offline",
        feature = "ollama",
        feature = "openai"
    ))
))]
pub use disabled::*;
#[doc(inline)]
pub use strands_core::models::*;

pub use id::{MODEL_VARIABLE, ModelIdError, from_env, from_id};

// Re-exported by name, so that the compiler suggests the feature of a missing item.
#[cfg(feature = "bedrock")]
#[doc(inline)]
pub use strands_bedrock::{BedrockModel, BedrockModelBuilder};
#[cfg(feature = "anthropic")]
#[doc(inline)]
pub use strands_models::{AnthropicModel, AnthropicModelBuilder, anthropic};
#[cfg(feature = "gemini")]
#[doc(inline)]
pub use strands_models::{GeminiModel, GeminiModelBuilder, gemini};
#[cfg(feature = "llamacpp")]
#[doc(inline)]
pub use strands_models::{LlamaCppModel, LlamaCppModelBuilder, llamacpp};
#[cfg(feature = "mistral")]
#[doc(inline)]
pub use strands_models::{MistralModel, MistralModelBuilder, mistral};
#[cfg(any(
    feature = "anthropic",
    feature = "gemini",
    feature = "llamacpp",
    feature = "mistral",
    feature = "ollama",
    feature = "openai"
))]
#[doc(inline)]
pub use strands_models::{ModelBuildError, ModelCallError, ReasoningEffort, install_crypto_provider};
#[cfg(feature = "offline")]
#[doc(inline)]
pub use strands_models::{OfflineModel, OfflineModelBuilder, offline};
#[cfg(feature = "ollama")]
#[doc(inline)]
pub use strands_models::{OllamaModel, OllamaModelBuilder, ollama};
#[cfg(feature = "openai")]
#[doc(inline)]
pub use strands_models::{OpenAiModel, OpenAiModelBuilder, OpenAiResponsesModel, OpenAiResponsesModelBuilder, openai};
#[cfg(any(
    feature = "anthropic",
    feature = "gemini",
    feature = "llamacpp",
    feature = "mistral",
    feature = "ollama",
    feature = "openai"
))]
#[doc(no_inline)]
pub use strands_models::{reqwest, secrecy};
