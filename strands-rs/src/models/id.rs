//! Model ids: selection of a model at run time, from a string or the environment.

use std::env::VarError;
use std::sync::Arc;

use strands_core::models::Model;

/// The environment variable that [`from_env`] reads.
pub const MODEL_VARIABLE: &str = "STRANDS_MODEL";

const EXAMPLE: &str = "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0";

/// Names of the providers, in alphabetical order.
const PROVIDERS: &[&str] = &[
    "anthropic",
    "azure",
    "bedrock",
    "deepseek",
    "gemini",
    "groq",
    "llamacpp",
    "lmstudio",
    "mistral",
    "moonshot",
    "offline",
    "ollama",
    "openai",
    "openai-responses",
    "openrouter",
    "perplexity",
    "together",
    "vllm",
    "xai",
];

/// An error of selecting a model by its id or from the environment.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ModelIdError {
    /// The environment variable is not set.
    #[error(
        "no model selected: the environment variable {MODEL_VARIABLE} is not set; set it to an id such as `{EXAMPLE}` or `offline`"
    )]
    NotSet,
    /// The environment's value is not text.
    #[error(
        "the environment variable {MODEL_VARIABLE} is not valid UTF-8; set it to an id such as `{EXAMPLE}` or `offline`"
    )]
    NotUnicode,
    /// The id is not of the form `<provider>/<model>`.
    #[error("invalid model id `{id}`: expected `<provider>/<model>`, such as `{EXAMPLE}`, or `offline`")]
    Malformed {
        /// The id.
        id: String,
    },
    /// The id has a provider and no model.
    #[error("the id `{provider}` has no model: expected `{provider}/<model>`")]
    ModelMissing {
        /// The provider.
        provider: String,
    },
    /// The id is a model id of Amazon Bedrock, without the provider.
    #[error("`{id}` is a model id of Amazon Bedrock: expected `bedrock/{id}`")]
    ProviderMissing {
        /// The id.
        id: String,
    },
    /// No provider has this name.
    #[error("unknown provider `{provider}` in the model id `{id}`; known providers: {}", PROVIDERS.join(", "))]
    UnknownProvider {
        /// The id.
        id: String,
        /// The provider.
        provider: String,
    },
    /// The provider's cargo feature is off.
    #[error(
        "`{id}` needs the cargo feature `{feature}`, which is off; in Cargo.toml: strands-rs = {{ version = \"{}.{}\", features = [\"{feature}\"] }}",
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR")
    )]
    FeatureOff {
        /// The id.
        id: String,
        /// The feature.
        feature: &'static str,
    },
    /// The model could not be built: an API key, a region or another setting is missing or invalid, see the source.
    #[error("could not build the model `{id}`: {source}")]
    Setup {
        /// The id.
        id: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

strands_core::__debug_with_sources!(ModelIdError);

/// Builds the model with this id: `<provider>/<model>`, or `offline`.
///
/// API keys, regions and endpoints come from the environment, as the provider documents. No request is sent.
///
/// # Errors
///
/// Returns [`ModelIdError`] if the id is invalid, the provider's feature is off ([`ModelIdError::FeatureOff`]), or a setting
/// is missing ([`ModelIdError::Setup`]).
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "offline")]
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let model = strands::models::from_id("offline").await?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// let response = agent.prompt("Hello!").await?;
/// assert!(response.text().contains("offline"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn from_id(id: &str) -> Result<Arc<dyn Model>, ModelIdError> {
    let id = id.trim();
    let (provider, model) = match id.split_once('/') {
        _ if is_bedrock_model(id) => return Err(ModelIdError::ProviderMissing { id: id.to_owned() }),
        Some((provider, model)) => (provider, model),
        None => (id, ""),
    };
    match provider {
        "offline" => offline(id),
        provider if model.is_empty() && PROVIDERS.contains(&provider) => {
            Err(ModelIdError::ModelMissing { provider: provider.to_owned() })
        }
        "anthropic" => anthropic(id, model),
        "bedrock" => bedrock(id, model).await,
        "gemini" => gemini(id, model),
        "llamacpp" => llamacpp(id, model),
        "mistral" => mistral(id, model),
        "ollama" => ollama(id, model),
        "openai" => openai(id, model),
        "openai-responses" => openai_responses(id, model),
        provider if PROVIDERS.contains(&provider) => service(id, provider, model),
        provider if provider.is_empty() || !id.contains('/') => Err(ModelIdError::Malformed { id: id.to_owned() }),
        provider => Err(ModelIdError::UnknownProvider { id: id.to_owned(), provider: provider.to_owned() }),
    }
}

/// Builds the model whose id is in the environment variable `STRANDS_MODEL`, with [`from_id`].
///
/// # Errors
///
/// Returns [`ModelIdError::NotSet`] if the variable is not set or empty; otherwise as for [`from_id`].
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let agent = strands::Agent::builder().model(strands::models::from_env().await?).build().await?;
/// # drop(agent); Ok(()) }
/// ```
pub async fn from_env() -> Result<Arc<dyn Model>, ModelIdError> {
    from_id(&setting(std::env::var(MODEL_VARIABLE))?).await
}

fn setting(variable: Result<String, VarError>) -> Result<String, ModelIdError> {
    match variable {
        Ok(id) if !id.trim().is_empty() => Ok(id),
        Ok(_) | Err(VarError::NotPresent) => Err(ModelIdError::NotSet),
        Err(VarError::NotUnicode(_)) => Err(ModelIdError::NotUnicode),
    }
}

/// Returns true for a model id of Bedrock: `us.anthropic.claude-…`, `amazon.nova-…`, an ARN.
fn is_bedrock_model(id: &str) -> bool {
    const VENDORS: [&str; 13] = [
        "ai21",
        "amazon",
        "anthropic",
        "cohere",
        "deepseek",
        "google",
        "meta",
        "minimax",
        "mistral",
        "moonshot",
        "openai",
        "qwen",
        "writer",
    ];
    let is_profile = |id: &str| id.split('.').rev().skip(1).any(|part| VENDORS.contains(&part));
    (id.starts_with("arn:") && id.contains(":bedrock:")) || (!id.contains('/') && is_profile(id))
}

#[cfg(feature = "offline")]
fn offline(id: &str) -> Result<Arc<dyn Model>, ModelIdError> {
    Ok(Arc::new(strands_models::OfflineModel::builder().model_id(id).build()))
}

#[cfg(not(feature = "offline"))]
fn offline(id: &str) -> Result<Arc<dyn Model>, ModelIdError> {
    Err(ModelIdError::FeatureOff { id: id.to_owned(), feature: "offline" })
}

#[cfg(feature = "bedrock")]
async fn bedrock(id: &str, model: &str) -> Result<Arc<dyn Model>, ModelIdError> {
    match strands_bedrock::BedrockModel::builder().model_id(model).build().await {
        Ok(model) => Ok(Arc::new(model)),
        Err(error) => Err(ModelIdError::Setup { id: id.to_owned(), source: error.into() }),
    }
}

#[cfg(not(feature = "bedrock"))]
fn bedrock(id: &str, _model: &str) -> std::future::Ready<Result<Arc<dyn Model>, ModelIdError>> {
    std::future::ready(Err(ModelIdError::FeatureOff { id: id.to_owned(), feature: "bedrock" }))
}

/// Defines the function that builds a model over HTTP, or returns an error if its feature is off.
macro_rules! over_http {
    ($name:ident, $feature:literal, $model:ident) => {
        #[cfg(feature = $feature)]
        fn $name(id: &str, model: &str) -> Result<Arc<dyn Model>, ModelIdError> {
            match strands_models::$model::builder().model_id(model).build() {
                Ok(model) => Ok(Arc::new(model)),
                Err(error) => Err(ModelIdError::Setup { id: id.to_owned(), source: error.into() }),
            }
        }

        #[cfg(not(feature = $feature))]
        fn $name(id: &str, _model: &str) -> Result<Arc<dyn Model>, ModelIdError> {
            Err(ModelIdError::FeatureOff { id: id.to_owned(), feature: $feature })
        }
    };
}

over_http!(anthropic, "anthropic", AnthropicModel);
over_http!(gemini, "gemini", GeminiModel);
over_http!(llamacpp, "llamacpp", LlamaCppModel);
over_http!(mistral, "mistral", MistralModel);
over_http!(ollama, "ollama", OllamaModel);
over_http!(openai, "openai", OpenAiModel);
over_http!(openai_responses, "openai", OpenAiResponsesModel);

/// Builds a model of a service with OpenAI's Chat Completions API.
#[cfg(feature = "openai")]
fn service(id: &str, provider: &str, model: &str) -> Result<Arc<dyn Model>, ModelIdError> {
    let Some(service) = strands_models::openai::Service::named(provider) else {
        return Err(ModelIdError::UnknownProvider { id: id.to_owned(), provider: provider.to_owned() });
    };
    match strands_models::OpenAiModel::builder().service(service).model_id(model).build() {
        Ok(model) => Ok(Arc::new(model)),
        Err(error) => Err(ModelIdError::Setup { id: id.to_owned(), source: error.into() }),
    }
}

#[cfg(not(feature = "openai"))]
fn service(id: &str, _provider: &str, _model: &str) -> Result<Arc<dyn Model>, ModelIdError> {
    Err(ModelIdError::FeatureOff { id: id.to_owned(), feature: "openai" })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(id: &str) -> String {
        match from_id(id).await {
            Ok(model) => panic!("`{id}` gave the model {}", model.model_id()),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn rejects_malformed_ids() {
        for id in ["", " ", "/", "/model", "gpt-5.4", "claude"] {
            assert!(refusal(id).await.contains("expected `<provider>/<model>`"), "{id}");
        }
        assert!(refusal("bedrock").await.starts_with("the id `bedrock` has no model"));
        for provider in PROVIDERS.iter().filter(|provider| **provider != "offline") {
            let refusal = refusal(&format!("{provider}/")).await;
            let expected = format!("the id `{provider}` has no model: expected `{provider}/<model>`");
            assert_eq!(refusal, expected);
        }
    }

    #[tokio::test]
    async fn rejects_unknown_providers() {
        for provider in ["claude", "Mistral", "llama.cpp", "Bedrock", "acme"] {
            let refusal = refusal(&format!("{provider}/model")).await;
            assert!(refusal.starts_with(&format!("unknown provider `{provider}`")), "{refusal}");
            assert!(refusal.ends_with(&format!("known providers: {}", PROVIDERS.join(", "))), "{refusal}");
        }
    }

    #[tokio::test]
    async fn suggests_the_provider_for_ids_of_bedrock() {
        for id in [
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "amazon.nova-lite-v1:0",
            "openai.gpt-oss-120b-1:0",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
        ] {
            assert!(refusal(id).await.ends_with(&format!("expected `bedrock/{id}`")), "{id}");
        }
    }

    #[cfg(not(feature = "bedrock"))]
    #[tokio::test]
    async fn names_the_feature_of_a_disabled_provider() {
        let refusal = refusal("bedrock/amazon.nova-lite-v1:0").await;
        assert!(refusal.ends_with(r#"strands-rs = { version = "0.1", features = ["bedrock"] }"#), "{refusal}");
    }

    #[cfg(feature = "ollama")]
    #[tokio::test]
    async fn accepts_slashes_and_colons_in_model_names() {
        for id in ["qwen3:8b", "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M"] {
            assert_eq!(from_id(&format!("ollama/{id}")).await.expect("a model").model_id(), id);
        }
    }

    #[cfg(not(feature = "openai"))]
    #[tokio::test]
    async fn names_one_feature_for_both_apis_of_openai() {
        for id in ["openai/gpt-5.4", "openai-responses/gpt-5.4"] {
            let refusal = refusal(id).await;
            assert!(refusal.ends_with(r#"strands-rs = { version = "0.1", features = ["openai"] }"#), "{refusal}");
        }
    }

    #[cfg(not(feature = "openai"))]
    #[tokio::test]
    async fn names_the_openai_feature_for_compatible_services() {
        for id in ["groq/llama", "azure/my-deployment", "vllm/qwen3"] {
            assert!(refusal(id).await.ends_with(r#"features = ["openai"] }"#), "{id}");
        }
    }

    #[cfg(feature = "openai")]
    #[tokio::test]
    async fn builds_models_of_all_services() {
        for service in strands_models::openai::Service::all() {
            let name = service.name();
            assert!(PROVIDERS.contains(&name), "{name}");
            // Model names may have slashes. The environment of the tests may have a key.
            match from_id(&format!("{name}/vendor/model")).await {
                Ok(model) => assert_eq!(model.model_id(), "vendor/model"),
                Err(error) => {
                    let text = error.to_string();
                    let named = [service.api_key_variable(), service.base_url_variable()];
                    assert!(service.needs_key() && named.iter().any(|name| text.contains(name)), "{text}");
                }
            }
        }
    }

    #[test]
    fn sorts_the_providers() {
        assert!(PROVIDERS.is_sorted());
    }

    #[cfg(feature = "openai")]
    #[tokio::test]
    async fn requires_a_key_for_openai() {
        for id in ["openai/gpt-5.4", "openai-responses/gpt-5.4"] {
            // The environment of the tests may have a key.
            match from_id(id).await {
                Ok(model) => assert_eq!(model.model_id(), "gpt-5.4"),
                Err(error) => {
                    let source = std::error::Error::source(&error).expect("a source").to_string();
                    assert!(source.contains("OPENAI_API_KEY"), "{source}");
                }
            }
        }
    }

    #[cfg(feature = "anthropic")]
    #[tokio::test]
    async fn requires_a_key_for_anthropic() {
        // The environment of the tests may have a key.
        match from_id("anthropic/claude-sonnet-4-6").await {
            Ok(model) => assert_eq!(model.model_id(), "claude-sonnet-4-6"),
            Err(error) => {
                let source = std::error::Error::source(&error).expect("a source").to_string();
                assert!(source.contains("ANTHROPIC_API_KEY"), "{source}");
            }
        }
    }

    #[cfg(feature = "bedrock")]
    #[tokio::test]
    async fn uses_the_model_id_of_bedrock() {
        let id = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
        assert_eq!(from_id(&format!("bedrock/{id}")).await.expect("a model").model_id(), id);
    }

    #[cfg(not(feature = "offline"))]
    #[tokio::test]
    async fn names_the_feature_of_the_offline_model() {
        let refusal = refusal("offline").await;
        assert!(refusal.ends_with(r#"strands-rs = { version = "0.1", features = ["offline"] }"#), "{refusal}");
    }

    #[cfg(feature = "offline")]
    #[tokio::test]
    async fn uses_the_whole_id_for_the_offline_model() {
        for id in ["offline", "offline/travel"] {
            assert_eq!(from_id(id).await.expect("a model").model_id(), id);
        }
    }

    #[test]
    fn names_the_variable_and_an_example_if_it_is_not_set() {
        for unset in [Err(VarError::NotPresent), Ok(String::new()), Ok(" ".to_owned())] {
            let refusal = setting(unset).unwrap_err().to_string();
            assert!(refusal.contains("STRANDS_MODEL") && refusal.contains("`bedrock/us.anthropic."), "{refusal}");
        }
        assert_eq!(setting(Ok("offline".to_owned())).expect("a setting"), "offline");
        let broken = setting(Err(VarError::NotUnicode("x".into()))).unwrap_err();
        assert!(broken.to_string().contains("UTF-8"));
    }
}
