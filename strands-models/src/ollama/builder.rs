//! Builder of models behind Ollama.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use strands_core::models::MessageSerializer;

use super::settings::{KeepAlive, Settings};
use super::{Inner, OllamaModel, address};
use crate::ReasoningEffort;
use crate::http::{ModelBuildError, Options, check, http_setters, request_setters};

/// Efforts that Ollama accepts.
const EFFORTS: [ReasoningEffort; 5] =
    [ReasoningEffort::None, ReasoningEffort::Low, ReasoningEffort::Medium, ReasoningEffort::High, ReasoningEffort::Max];
const EXPECTED_EFFORT: &str = "`None`, `Low`, `Medium`, `High` or `Max`";

/// Builder for [`OllamaModel`]. `Debug` shows no secrets.
///
/// ```no_run
/// use std::time::Duration;
///
/// use strands::models::OllamaModel;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // On this machine.
/// let model = OllamaModel::builder()
///     .model_id("qwen3:8b")
///     .num_ctx(32_768)
///     .keep_alive(Duration::from_secs(1_800))
///     .think(true)
///     .build()?;
///
/// // In Ollama's cloud, with the API key in `OLLAMA_API_KEY`.
/// let cloud = OllamaModel::builder().base_url("https://ollama.com").model_id("gpt-oss:120b").build()?;
/// # let _ = (model, cloud); Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct OllamaModelBuilder {
    options: Options,
    settings: Settings,
}

impl Default for OllamaModelBuilder {
    fn default() -> Self {
        Self { options: Options::new(""), settings: Settings::default() }
    }
}

impl OllamaModelBuilder {
    http_setters! {
        model_id: "Required: `qwen3:8b`, or `hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M`. Pull it first: `ollama pull`.",
        api_key: "Default: for Ollama's cloud, `https://ollama.com`, the environment variable `OLLAMA_API_KEY`; for other servers none.",
        base_url: "Default: the environment variable `OLLAMA_HOST` in any of its forms (`host`, `host:port`, `https://host/path`), then `http://localhost:11434`.",
    }

    request_setters! {
        max_tokens: "Sent as `num_predict`. Default: no limit.",
        temperature: "At least 0.0.",
        top_p: "",
        top_k: "",
        seed: "Less than 2⁶³.",
        stop_sequences: "Sent as `stop`.",
        reasoning_effort: "`None`, `Low`, `Medium`, `High` or `Max` (`think`). Some models have only on and off, which \
                           [`think`](Self::think) sets; those of the family `gpt-oss` have only levels. See [Ollama's page on \
                           thinking](https://docs.ollama.com/capabilities/thinking). The last call of this and `think` counts.",
    }

    /// Min-p sampling: minimum probability of a token, relative to the most probable one, 0.0 to 1.0.
    pub fn min_p(mut self, min_p: f64) -> Self {
        self.settings.min_p = Some(min_p);
        self
    }

    /// Context window in tokens (`num_ctx`), also used as [`context_window`](Self::context_window). Default: the server's, which
    /// may be as few as 4,096.
    pub fn num_ctx(mut self, tokens: u32) -> Self {
        self.settings.num_ctx = Some(tokens);
        self
    }

    /// Sets an entry of the body's `options` for which this version has no setter, such as `repeat_penalty`. It overrides other
    /// setters. Fields outside of `options` are set with [`extra`](Self::extra).
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.options.insert(name.into(), value.into());
        self
    }

    /// Switches reasoning on or off. Default: on, for models that have it; other models refuse the request. For a level, use
    /// [`reasoning_effort`](Self::reasoning_effort).
    pub fn think(mut self, enabled: bool) -> Self {
        self.settings.reasoning_effort = (!enabled).then_some(ReasoningEffort::None);
        self.settings.thinks = enabled;
        self
    }

    /// Time for which the model stays in memory after a response. [`Duration::ZERO`] unloads it at once, [`Duration::MAX`]
    /// never. Default: the server's, usually 5 minutes.
    pub fn keep_alive(mut self, duration: Duration) -> Self {
        self.settings.keep_alive = Some(KeepAlive(duration));
        self
    }

    /// Handling of a conversation that does not fit `num_ctx`: with `true` the server drops the oldest messages
    /// without notice, with `false` it refuses the request, and the agent's conversation manager truncates the
    /// conversation. Default: the server's, which is `true`.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.settings.truncate = Some(truncate);
        self
    }

    /// Builds the model. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError`] for invalid options.
    pub fn build(mut self) -> Result<OllamaModel, ModelBuildError> {
        // Ollama loads a model within 5 minutes, and reads a long prompt for as long again on a machine without a GPU. A
        // client that disconnects earlier makes the server start over.
        self.options.connection.long_idle = true;
        let hints = &mut self.options.connection.hints;
        hints.unreachable = Some("is `ollama serve` running?");
        hints.not_found = "is the base URL right? it has no path, as in `http://localhost:11434`";
        let exchange = address::open(&self.options, |name| std::env::var(name).ok())?;
        let sampling = &self.settings.sampling;
        sampling.check(0.0..=f64::MAX, "at least 0")?;
        sampling.check_seed(i64::MAX.unsigned_abs(), "less than 2^63")?;
        check("min_p", self.settings.min_p, 0.0..=1.0, "from 0 to 1")?;
        ReasoningEffort::check(self.settings.reasoning_effort, &EFFORTS, EXPECTED_EFFORT)?;
        let context_window = self.options.context_window.or(self.settings.num_ctx.map(u64::from));
        let settings = Settings { extra: self.options.extra, ..self.settings };
        let serializer = MessageSerializer::new();
        Ok(OllamaModel { inner: Arc::new(Inner { exchange, settings, serializer, context_window }) })
    }
}
