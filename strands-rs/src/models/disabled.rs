//! Documentation pages of models whose feature is off, so that `cargo doc` with default features shows every provider and
//! its feature. They exist in rustdoc builds only.

/// Documents a model and its builder while their feature is off.
macro_rules! documented {
    ($($feature:literal: $model:ident, $builder:ident, $provider:literal;)+) => {
        $(
            documented! { @page $feature, $model, concat!("Model of ", $provider, ".") }
            documented! {
                @page $feature, $builder,
                concat!("Builder for [`", stringify!($model), "`](super::", stringify!($model), ").")
            }
        )+
    };
    (@page $feature:literal, $name:ident, $what:expr) => {
        #[cfg(all(doc, not(feature = $feature)))]
        #[doc = $what]
        #[doc = concat!("Available on **crate feature `", $feature, "`** only.")]
        #[doc = ""]
        #[doc = "The feature is off in this build of the documentation, which therefore has no methods here. In `Cargo.toml`:"]
        #[doc = ""]
        #[doc = "```toml"]
        #[doc = concat!(
            "strands-rs = { version = \"", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"),
            "\", features = [\"", $feature, "\"] }"
        )]
        #[doc = "```"]
        #[doc = ""]
        #[doc = concat!("With methods: `cargo doc --open -p strands-rs --features ", $feature, "`.")]
        #[derive(Debug)]
        #[non_exhaustive]
        pub struct $name;
    };
}

documented! {
    "anthropic": AnthropicModel, AnthropicModelBuilder, "Anthropic's Claude, over its own API";
    "bedrock": BedrockModel, BedrockModelBuilder, "Amazon Bedrock";
    "gemini": GeminiModel, GeminiModelBuilder, "Google's Gemini";
    "llamacpp": LlamaCppModel, LlamaCppModelBuilder, "llama.cpp's server";
    "mistral": MistralModel, MistralModelBuilder, "Mistral";
    "offline": OfflineModel, OfflineModelBuilder, "a set of rules, for examples and tests without an API key";
    "ollama": OllamaModel, OllamaModelBuilder, "Ollama, on a local server or in its cloud";
    "openai": OpenAiModel, OpenAiModelBuilder, "OpenAI, and of servers with the Chat Completions API";
    "openai": OpenAiResponsesModel, OpenAiResponsesModelBuilder, "OpenAI, and of servers with the Responses API";
}
