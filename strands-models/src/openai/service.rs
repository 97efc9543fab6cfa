//! Services and local servers with Chat Completions: base URLs and environment variables, as a table. Their behavior is in the
//! table of hosts, which also applies if only a base URL is set.

use secrecy::SecretString;

use crate::http::{ApiKey, DefaultEndpoint, ModelBuildError, Options};

/// Service or local server with Chat Completions.
///
/// # Examples
///
/// ```
/// use strands::models::OpenAiModel;
/// use strands::models::openai::Service;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // The key is in `GROQ_API_KEY`.
/// let model = OpenAiModel::builder().service(Service::GROQ).model_id("openai/gpt-oss-120b").build()?;
/// # let _ = model; Ok(()) }
/// let vllm = Service::named("vllm").map(|service| (service.base_url(), service.api_key_variable()));
/// assert_eq!(vllm, Some((Some("http://localhost:8000/v1"), "VLLM_API_KEY")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    name: &'static str,
    base_url: Option<&'static str>,
    base_url_variable: &'static str,
    /// One variable.
    api_key_variables: &'static [&'static str],
    needs_key: bool,
}

/// Returns a hosted service.
const fn hosted(
    name: &'static str,
    base_url: &'static str,
    base_url_variable: &'static str,
    api_key_variables: &'static [&'static str],
) -> Service {
    Service { name, base_url: Some(base_url), base_url_variable, api_key_variables, needs_key: true }
}

/// Returns a local server.
const fn local(
    name: &'static str,
    base_url: &'static str,
    base_url_variable: &'static str,
    api_key_variables: &'static [&'static str],
) -> Service {
    Service { needs_key: false, ..hosted(name, base_url, base_url_variable, api_key_variables) }
}

impl Service {
    /// Azure OpenAI. The model id is the name of a deployment, and the endpoint that of a resource:
    /// `https://my-resource.openai.azure.com`. Requests go to its v1 API; with an API version in
    /// `AZURE_OPENAI_API_VERSION` or `OPENAI_API_VERSION`, to the API of that version.
    pub const AZURE: Self = Self {
        name: "azure",
        base_url: None,
        base_url_variable: "AZURE_OPENAI_ENDPOINT",
        api_key_variables: &["AZURE_OPENAI_API_KEY"],
        needs_key: true,
    };
    /// DeepSeek.
    pub const DEEPSEEK: Self =
        hosted("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_BASE_URL", &["DEEPSEEK_API_KEY"]);
    /// Groq.
    pub const GROQ: Self = hosted("groq", "https://api.groq.com/openai/v1", "GROQ_BASE_URL", &["GROQ_API_KEY"]);
    /// LM Studio.
    pub const LM_STUDIO: Self =
        local("lmstudio", "http://localhost:1234/v1", "LMSTUDIO_BASE_URL", &["LMSTUDIO_API_KEY"]);
    /// Moonshot AI, outside of China; inside, set the base URL to `https://api.moonshot.cn/v1`.
    pub const MOONSHOT: Self =
        hosted("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_BASE_URL", &["MOONSHOT_API_KEY"]);
    /// OpenRouter.
    pub const OPENROUTER: Self =
        hosted("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_BASE_URL", &["OPENROUTER_API_KEY"]);
    /// Perplexity.
    pub const PERPLEXITY: Self =
        hosted("perplexity", "https://api.perplexity.ai", "PERPLEXITY_BASE_URL", &["PERPLEXITY_API_KEY"]);
    /// Together AI.
    pub const TOGETHER: Self =
        hosted("together", "https://api.together.xyz/v1", "TOGETHER_BASE_URL", &["TOGETHER_API_KEY"]);
    /// vLLM.
    pub const VLLM: Self = local("vllm", "http://localhost:8000/v1", "VLLM_BASE_URL", &["VLLM_API_KEY"]);
    /// xAI.
    pub const XAI: Self = hosted("xai", "https://api.x.ai/v1", "XAI_BASE_URL", &["XAI_API_KEY"]);

    const ALL: [Self; 10] = [
        Self::AZURE,
        Self::DEEPSEEK,
        Self::GROQ,
        Self::LM_STUDIO,
        Self::MOONSHOT,
        Self::OPENROUTER,
        Self::PERPLEXITY,
        Self::TOGETHER,
        Self::VLLM,
        Self::XAI,
    ];

    /// Returns all services, in alphabetical order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// Returns the service of a name, such as `groq`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|service| service.name == name)
    }

    /// Returns the name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Returns the base URL, which the environment variable [`base_url_variable`](Self::base_url_variable) overrides. `None` if
    /// every account has its own.
    pub fn base_url(self) -> Option<&'static str> {
        self.base_url
    }

    /// Returns the environment variable for another base URL.
    pub fn base_url_variable(self) -> &'static str {
        self.base_url_variable
    }

    /// Returns the environment variable of the API key.
    pub fn api_key_variable(self) -> &'static str {
        self.api_key_variables.first().copied().unwrap_or_default()
    }

    /// Returns true if the service requires an API key.
    pub fn needs_key(self) -> bool {
        self.needs_key
    }

    /// Returns the host of the service itself, even if the base URL is that of a gateway.
    pub(super) fn host(self) -> Option<&'static str> {
        self.base_url?.split("://").nth(1)?.split(['/', ':']).next()
    }

    /// Returns the address of the service: options that are set, else those of the environment.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError::MissingBaseUrl`] or [`ModelBuildError::MissingApiKey`] with the variable to set.
    pub(super) fn address(
        self,
        options: &Options,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Address, ModelBuildError> {
        let place = DefaultEndpoint {
            base_url: self.base_url.unwrap_or_default(),
            base_url_variable: Some(self.base_url_variable),
            key_variables: self.api_key_variables,
        };
        let (base_url, key) =
            if self.needs_key { options.find_with_key(place, environment)? } else { options.find(place, environment) };
        if base_url.is_empty() {
            return Err(ModelBuildError::MissingBaseUrl { variable: self.base_url_variable });
        }
        let address = Address { base_url, path: Vec::new(), api_version: None, key, key_header: None };
        Ok(if self == Self::AZURE { address.on_azure(&options.model_id, environment) } else { address })
    }
}

/// Address of the requests to a service.
pub(super) struct Address {
    pub(super) base_url: String,
    /// Path between the base URL and the path of the protocol.
    pub(super) path: Vec<String>,
    /// Query parameter `api-version`.
    pub(super) api_version: Option<String>,
    key: Option<SecretString>,
    /// Header of the API key, if it is not a bearer token.
    key_header: Option<&'static str>,
}

impl Address {
    /// Azure's endpoints name a resource; the path contains the deployment or the v1 API.
    fn on_azure(mut self, deployment: &str, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        self.key_header = Some("api-key");
        let endpoint = self.base_url.trim().trim_end_matches('/');
        let endpoint =
            endpoint.strip_suffix("/openai/v1").or_else(|| endpoint.strip_suffix("/openai")).unwrap_or(endpoint);
        self.base_url = endpoint.to_owned();
        self.api_version = set("AZURE_OPENAI_API_VERSION").or_else(|| set("OPENAI_API_VERSION"));
        self.path = match &self.api_version {
            Some(_) => vec!["openai".to_owned(), "deployments".to_owned(), deployment.to_owned()],
            None => vec!["openai".to_owned(), "v1".to_owned()],
        };
        self
    }

    pub(super) fn api_key(&self) -> ApiKey<'_> {
        match (&self.key, self.key_header) {
            (Some(key), Some(header)) => ApiKey::Header(header, key),
            (key, _) => ApiKey::bearer(key.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::hosts;
    use super::*;
    use crate::chat_completions::ReasoningReplay;

    fn address(service: Service, known: &[(&str, &str)]) -> Result<Address, ModelBuildError> {
        service.address(&Options::new("my-model"), &|name| {
            known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn lists_services_in_order_with_distinct_variables() {
        let names: Vec<_> = Service::all().map(Service::name).collect();
        assert!(names.is_sorted(), "{names:?}");
        for service in Service::all() {
            assert_eq!(Service::named(service.name()), Some(service));
            let others = Service::all().filter(|other| *other != service);
            for other in others {
                assert_ne!(service.api_key_variable(), other.api_key_variable());
                assert_ne!(service.base_url_variable, other.base_url_variable);
            }
        }
    }

    #[test]
    fn returns_the_host_of_a_base_url() {
        assert_eq!(Service::MOONSHOT.host(), Some("api.moonshot.ai"));
        assert_eq!(Service::VLLM.host(), Some("localhost"));
        assert_eq!(Service::AZURE.host(), None);
        for (service, replay) in [
            (Service::DEEPSEEK, ReasoningReplay::Content),
            (Service::MOONSHOT, ReasoningReplay::Content),
            (Service::OPENROUTER, ReasoningReplay::Details),
            (Service::GROQ, ReasoningReplay::Never),
        ] {
            let host = service.host().unwrap();
            assert_eq!(hosts::of(host).replay, replay, "{host}");
        }
    }

    #[test]
    fn names_a_missing_variable() {
        for service in Service::all().filter(|service| service.needs_key()) {
            let error = address(service, &[]).err().unwrap().to_string();
            assert!(error.contains(service.api_key_variable()), "{error}");
        }
        let error = address(Service::AZURE, &[("AZURE_OPENAI_API_KEY", "k")]).err().unwrap().to_string();
        assert!(error.contains("AZURE_OPENAI_ENDPOINT"), "{error}");
    }

    #[test]
    fn reads_key_and_base_url_of_the_environment() {
        for service in Service::all().filter(|service| service.base_url().is_some()) {
            let key = [(service.api_key_variable(), " k\n")];
            let found = address(service, &key).ok().unwrap();
            assert_eq!((Some(found.base_url.as_str()), found.path.len()), (service.base_url(), 0));
            assert!(matches!(found.api_key(), ApiKey::Bearer(key) if key.expose_secret() == "k"));
            let moved = [key[0], (service.base_url_variable, "http://127.0.0.1:1/v1")];
            assert_eq!(address(service, &moved).ok().unwrap().base_url, "http://127.0.0.1:1/v1");
        }
        for local in [Service::VLLM, Service::LM_STUDIO] {
            assert!(matches!(address(local, &[]).ok().unwrap().api_key(), ApiKey::None));
        }
    }

    #[test]
    fn uses_either_path_of_azure() {
        let key = ("AZURE_OPENAI_API_KEY", "k");
        for endpoint in
            ["https://r.openai.azure.com", "https://r.openai.azure.com/", "https://r.openai.azure.com/openai/v1/"]
        {
            let found = address(Service::AZURE, &[key, ("AZURE_OPENAI_ENDPOINT", endpoint)]).ok().unwrap();
            assert_eq!(
                (found.base_url.as_str(), found.path.join("/")),
                ("https://r.openai.azure.com", "openai/v1".to_owned())
            );
            assert!(matches!(found.api_key(), ApiKey::Header("api-key", _)));
            let versioned = [key, ("AZURE_OPENAI_ENDPOINT", endpoint), ("OPENAI_API_VERSION", "2024-10-21")];
            let found = address(Service::AZURE, &versioned).ok().unwrap();
            assert_eq!(found.path.join("/"), "openai/deployments/my-model");
            assert_eq!(found.api_version.as_deref(), Some("2024-10-21"));
        }
    }
}
