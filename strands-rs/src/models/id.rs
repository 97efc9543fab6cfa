//! Choice of a model by its name at run time.

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

/// An error of an id, or of the environment, that gives no model.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ModelIdError {
    /// The environment names no model.
    #[error(
        "no model is chosen: the environment variable {MODEL_VARIABLE} is not set; set it to an id such as `{EXAMPLE}` or `offline`"
    )]
    NotSet,
    /// The environment's value is not text.
    #[error(
        "the environment variable {MODEL_VARIABLE} is not valid UTF-8; set it to an id such as `{EXAMPLE}` or `offline`"
    )]
    NotUnicode,
    /// The id is not of the form `<provider>/<model>`.
    #[error("`{id}` is no model id; write `<provider>/<model>`, such as `{EXAMPLE}`, or `offline`")]
    Malformed {
        /// The id.
        id: String,
    },
    /// The id names a provider and no model.
    #[error("`{provider}` is a provider; name the model too: `{provider}/<model>`")]
    ModelMissing {
        /// The provider.
        provider: String,
    },
    /// The id is one of Amazon Bedrock's, without the provider.
    #[error("`{id}` is what Amazon Bedrock calls a model; write `bedrock/{id}`")]
    ProviderMissing {
        /// The id.
        id: String,
    },
    /// No provider has this name.
    #[error("`{id}` names the provider `{provider}`, which this version does not know; it knows {}", PROVIDERS.join(", "))]
    UnknownProvider {
        /// The id.
        id: String,
        /// The provider.
        provider: String,
    },
    /// The provider exists, and was not compiled in.
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
    /// The provider could not be set up: a key, a region or another setting is missing or wrong. The source says which.
    #[error("the model `{id}` can't be set up: {source}")]
    Setup {
        /// The id.
        id: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

strands_core::__debug_with_sources!(ModelIdError);

/// The model of this id: `<provider>/<model>`, or `offline`.
///
/// Keys, regions and endpoints come from the environment, as the provider documents. Nothing is sent yet. A provider
/// that was not compiled in is an error that names the cargo feature.
///
/// # Errors
///
/// [`ModelIdError`]; each says what to write or to set instead.
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

/// The model that the environment variable `STRANDS_MODEL` names: [`from_id`] of its value.
///
/// # Errors
///
/// [`ModelIdError`]; where the variable is not set, it says so and gives an example.
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

/// True for what Bedrock itself calls its models: `us.anthropic.claude-…`, `amazon.nova-…`, an ARN.
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

/// The function that sets up a model over HTTP, or says that its feature is off.
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

/// A service that speaks OpenAI's Chat Completions.
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
    async fn what_is_no_id_is_told_what_to_write() {
        for id in ["", " ", "/", "/model", "gpt-5.4", "claude"] {
            assert!(refusal(id).await.contains("write `<provider>/<model>`"), "{id}");
        }
        assert!(refusal("bedrock").await.starts_with("`bedrock` is a provider; name the model too"));
        for provider in PROVIDERS.iter().filter(|provider| **provider != "offline") {
            let refusal = refusal(&format!("{provider}/")).await;
            assert!(
                refusal.starts_with(&format!("`{provider}` is a provider; name the model too: `{provider}/<model>`")),
                "{refusal}"
            );
        }
    }

    #[tokio::test]
    async fn providers_that_do_not_exist_are_not_pretended() {
        for provider in ["claude", "Mistral", "llama.cpp", "Bedrock", "nobody"] {
            let refusal = refusal(&format!("{provider}/model")).await;
            assert!(refusal.contains(&format!("`{provider}`, which this version does not know")), "{refusal}");
            assert!(refusal.ends_with(&format!("it knows {}", PROVIDERS.join(", "))), "{refusal}");
        }
    }

    #[tokio::test]
    async fn an_id_of_bedrock_alone_is_told_its_provider() {
        for id in [
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "amazon.nova-lite-v1:0",
            "openai.gpt-oss-120b-1:0",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
        ] {
            assert!(refusal(id).await.ends_with(&format!("write `bedrock/{id}`")), "{id}");
        }
    }

    #[cfg(not(feature = "bedrock"))]
    #[tokio::test]
    async fn a_provider_that_is_off_names_its_feature() {
        let refusal = refusal("bedrock/amazon.nova-lite-v1:0").await;
        assert!(refusal.ends_with(r#"strands-rs = { version = "0.1", features = ["bedrock"] }"#), "{refusal}");
    }

    #[cfg(feature = "ollama")]
    #[tokio::test]
    async fn a_model_of_ollamas_may_have_slashes_and_colons_in_its_id() {
        for id in ["qwen3:8b", "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M"] {
            assert_eq!(from_id(&format!("ollama/{id}")).await.expect("a model").model_id(), id);
        }
    }

    #[cfg(not(feature = "openai"))]
    #[tokio::test]
    async fn both_protocols_of_openai_are_one_feature() {
        for id in ["openai/gpt-5.4", "openai-responses/gpt-5.4"] {
            let refusal = refusal(id).await;
            assert!(refusal.ends_with(r#"strands-rs = { version = "0.1", features = ["openai"] }"#), "{refusal}");
        }
    }

    #[cfg(not(feature = "openai"))]
    #[tokio::test]
    async fn services_name_the_feature_of_their_protocol() {
        for id in ["groq/llama", "azure/my-deployment", "vllm/qwen3"] {
            assert!(refusal(id).await.ends_with(r#"features = ["openai"] }"#), "{id}");
        }
    }

    #[cfg(feature = "openai")]
    #[tokio::test]
    async fn services_are_known_by_their_names() {
        for service in strands_models::openai::Service::all() {
            let name = service.name();
            assert!(PROVIDERS.contains(&name), "{name}");
            // Ids of models may have slashes. The one who runs the tests may have a key.
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
    fn providers_are_in_order() {
        assert!(PROVIDERS.is_sorted());
    }

    #[cfg(feature = "openai")]
    #[tokio::test]
    async fn a_model_of_openais_needs_a_key() {
        for id in ["openai/gpt-5.4", "openai-responses/gpt-5.4"] {
            // Where the one who runs the tests has a key, there is a model.
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
    async fn a_model_of_anthropics_needs_a_key() {
        // Where the one who runs the tests has a key, there is a model.
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
    async fn a_model_on_bedrock_goes_by_what_bedrock_calls_it() {
        let id = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
        assert_eq!(from_id(&format!("bedrock/{id}")).await.expect("a model").model_id(), id);
    }

    #[cfg(not(feature = "offline"))]
    #[tokio::test]
    async fn the_offline_model_is_a_feature_too() {
        let refusal = refusal("offline").await;
        assert!(refusal.ends_with(r#"strands-rs = { version = "0.1", features = ["offline"] }"#), "{refusal}");
    }

    #[cfg(feature = "offline")]
    #[tokio::test]
    async fn the_offline_model_goes_by_its_id() {
        for id in ["offline", "offline/travel"] {
            assert_eq!(from_id(id).await.expect("a model").model_id(), id);
        }
    }

    #[test]
    fn an_environment_without_a_model_is_told_the_variable_and_an_example() {
        for unset in [Err(VarError::NotPresent), Ok(String::new()), Ok(" ".to_owned())] {
            let refusal = setting(unset).unwrap_err().to_string();
            assert!(refusal.contains("STRANDS_MODEL") && refusal.contains("`bedrock/us.anthropic."), "{refusal}");
        }
        assert_eq!(setting(Ok("offline".to_owned())).expect("a setting"), "offline");
        let broken = setting(Err(VarError::NotUnicode("x".into()))).unwrap_err();
        assert!(broken.to_string().contains("UTF-8"));
    }
}
