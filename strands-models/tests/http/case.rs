//! Models for cases in files.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::models::Model;
use strands_testkit::Server;
use strands_testkit::case::{Case, Running};

/// Starts a case with the model that it names.
pub(crate) async fn start(case: &Case) -> Running {
    case.start(|server| model(case, server)).await
}

/// Configures a builder for a case: the address of the server, and the options that the builder has.
macro_rules! configure {
    ($builder:expr, $case:expr, $server:expr, $path:literal; $($flag:ident),*) => {{
        let (case, server): (&Case, &Server) = ($case, $server);
        let mut builder = $builder;
        if let Some(model) = &case.model {
            builder = builder.model_id(model);
        }
        builder = match &case.host {
            Some(host) => builder.client(client(host, server.address())).allow_http(true),
            None => builder,
        };
        $(
            if let Some(flag) = case.flag(stringify!($flag)) {
                builder = builder.$flag(flag);
            }
        )*
        let known = [$(stringify!($flag)),*];
        let unknown: Vec<_> = case.options.keys().filter(|name| !known.contains(&name.as_str())).collect();
        assert!(unknown.is_empty(), "case {}: unknown options: {unknown:?}", case.name);
        let host = case.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned());
        let base_url = format!("http://{host}:{}{}", server.address().port(), $path);
        Arc::new(builder.base_url(base_url).build().unwrap())
    }};
}

/// Returns the model that a case names, connected to its server.
pub(crate) fn model(case: &Case, server: &Server) -> Arc<dyn Model> {
    match case.provider.as_str() {
        #[cfg(feature = "anthropic")]
        "anthropic" => {
            configure!(strands_models::AnthropicModel::builder().model_id("claude-sonnet-4-6").api_key("test-key"), case, server, ""; streaming)
        }
        #[cfg(feature = "gemini")]
        "gemini" => {
            configure!(strands_models::GeminiModel::builder().api_key("test-key"), case, server, "/v1beta"; streaming)
        }
        #[cfg(feature = "llamacpp")]
        "llamacpp" => configure!(strands_models::LlamaCppModel::builder(), case, server, "/v1"; streaming),
        #[cfg(feature = "mistral")]
        "mistral" => {
            configure!(strands_models::MistralModel::builder().api_key("test-key"), case, server, "/v1"; streaming)
        }
        #[cfg(feature = "ollama")]
        "ollama" => {
            configure!(strands_models::OllamaModel::builder().model_id("qwen3:8b"), case, server, ""; streaming)
        }
        #[cfg(feature = "openai")]
        "openai" => {
            let builder = strands_models::OpenAiModel::builder().api_key("test-key");
            configure!(builder, case, server, "/v1"; streaming, structured_output)
        }
        #[cfg(feature = "openai")]
        "responses" => {
            let builder = strands_models::OpenAiResponsesModel::builder().api_key("test-key");
            configure!(builder, case, server, "/v1"; streaming, structured_output, stateful)
        }
        other => panic!("case {}: no provider `{other}` is compiled in", case.name),
    }
}

/// Returns a client that resolves this host to the loopback address.
fn client(host: &str, address: SocketAddr) -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).resolve(host, address).build().unwrap()
}

/// Expected outcome of a case.
#[derive(Clone, Default)]
pub(crate) struct Expected {
    text: &'static str,
    called: Vec<(&'static str, Value)>,
    usage: Option<(u64, u64)>,
}

impl Expected {
    pub(crate) fn text(text: &'static str) -> Self {
        Self { text, ..Self::default() }
    }

    /// The tool `get_weather` runs for each of these cities, and the final text is `Hi.`.
    pub(crate) fn weather_in(cities: &[&str]) -> Self {
        let called = cities.iter().map(|city| ("get_weather", json!({"city": city})));
        Self { called: called.collect(), ..Self::text("Hi.") }
    }

    pub(crate) fn usage(self, input: u64, output: u64) -> Self {
        Self { usage: Some((input, output)), ..self }
    }

    /// Runs the first prompt of a case and checks its outcome.
    pub(crate) async fn check(&self, case: &Case) -> Running {
        let name = &case.name;
        let mut running = start(case).await;
        let response = running.prompt().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let called = running.called();
        let called: Vec<_> = called.iter().map(|(tool, input)| (tool.as_str(), input.clone())).collect();
        assert_eq!(called, self.called, "{name}");
        assert_eq!(response.text(), self.text, "{name}");
        if let Some((input, output)) = self.usage {
            assert_eq!((response.usage.input_tokens, response.usage.output_tokens), (input, output), "{name}");
        }
        running
    }
}

/// Returns a complete response in the format of each provider that is compiled in.
pub(crate) fn greetings() -> Vec<(&'static str, Value)> {
    let chat = json!({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]});
    let words = json!([{"type": "text", "text": "hello"}]);
    let all = [
        (cfg!(feature = "anthropic"), "anthropic", json!({"content": words, "stop_reason": "end_turn"})),
        (
            cfg!(feature = "gemini"),
            "gemini",
            json!({"candidates": [{"content": {"parts": [{"text": "hello"}]}, "finishReason": "STOP"}]}),
        ),
        (cfg!(feature = "llamacpp"), "llamacpp", chat.clone()),
        (cfg!(feature = "mistral"), "mistral", chat.clone()),
        (cfg!(feature = "ollama"), "ollama", json!({"message": {"content": "hello"}, "done": true})),
        (cfg!(feature = "openai"), "openai", chat),
        (
            cfg!(feature = "openai"),
            "responses",
            json!({"status": "completed", "output": [{"type": "message", "content": words}]}),
        ),
    ];
    all.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, provider, reply)| (provider, reply)).collect()
}

#[tokio::test]
async fn every_provider_runs_a_case() {
    for (provider, reply) in greetings() {
        let options = json!({"streaming": false});
        let case = json!({"provider": provider, "options": options, "prompts": ["hi"], "replies": [{"json": reply}]});
        let mut running = start(&Case::parse(provider, &case.to_string())).await;
        let response = running.prompt().await.unwrap_or_else(|error| panic!("{provider}: {error:?}"));
        assert_eq!(response.text(), "hello", "{provider}");
    }
}
