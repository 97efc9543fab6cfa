//! How a model behind Ollama is told what to be.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use strands_core::models::MessageSerializer;

use super::settings::{KeepAlive, Settings, Think};
use super::{Inner, OllamaModel, address};
use crate::http::{ModelBuildError, Options, check, http_options};

/// Tells an [`OllamaModel`] what to be; [`OllamaModel::builder`] makes one.
///
/// `Debug` shows no key.
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
/// // In Ollama's cloud, with the key in `OLLAMA_API_KEY`.
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
    http_options! {
        model_id: "It has to be given: `qwen3:8b`, or `hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M`. The server has to have it already: `ollama pull`.",
        api_key: "Default: for Ollama's cloud, `https://ollama.com`, the variable `OLLAMA_API_KEY`. Other servers need none, and only get one that is given here.",
        base_url: "Default: the variable `OLLAMA_HOST` in any of its forms (`host`, `host:port`, `https://host/path`), then `http://localhost:11434`.",
    }

    /// The most tokens that the model may write in one answer, thoughts included (`num_predict`).
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.settings.sampling.num_predict = Some(tokens);
        self
    }

    /// Context window in tokens (`num_ctx`), which is also what
    /// [`context_window`](Self::context_window) is taken to be. Default: what the server has configured, which may be
    /// as few as 4,096.
    pub fn num_ctx(mut self, tokens: u32) -> Self {
        self.settings.sampling.num_ctx = Some(tokens);
        self
    }

    /// Sampling temperature, from 0.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.settings.sampling.temperature = Some(temperature);
        self
    }

    /// Nucleus sampling (top-p), from 0 to 1.
    pub fn top_p(mut self, top_p: f64) -> Self {
        self.settings.sampling.top_p = Some(top_p);
        self
    }

    /// Top-k sampling: the number of likeliest tokens that the model chooses from.
    pub fn top_k(mut self, top_k: u32) -> Self {
        self.settings.sampling.top_k = Some(top_k);
        self
    }

    /// Min-p sampling: the least likelihood of a token, compared with the likeliest, from 0 to 1.
    pub fn min_p(mut self, min_p: f64) -> Self {
        self.settings.sampling.min_p = Some(min_p);
        self
    }

    /// The same number gives the same answer to the same request.
    pub fn seed(mut self, seed: i64) -> Self {
        self.settings.sampling.seed = Some(seed);
        self
    }

    /// Words at which the model stops (`stop`).
    pub fn stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.sampling.stop = Some(sequences.into_iter().map(Into::into).collect());
        self
    }

    /// An entry of the body's `options` that this version has no method for, such as `repeat_penalty`. It wins over what
    /// is sent otherwise. A field beside `options` goes through [`extra`](Self::extra).
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.sampling.more.insert(name.into(), value.into());
        self
    }

    /// Reasoning before the response: `true`, `false` or a level. Default: models that can
    /// think do. Those that can't refuse to be asked for it.
    pub fn think(mut self, think: impl Into<Think>) -> Self {
        self.settings.think = Some(think.into());
        self
    }

    /// Time for which the model stays in memory after a response. [`Duration::ZERO`] lets it go at once, [`Duration::MAX`]
    /// keeps it for ever. Default: what the server has configured, mostly 5 minutes.
    pub fn keep_alive(mut self, duration: Duration) -> Self {
        self.settings.keep_alive = Some(KeepAlive(duration));
        self
    }

    /// Handling of a conversation that does not fit `num_ctx`: with `true` the server drops the oldest messages
    /// and says nothing, with `false` it refuses, and the agent's conversation manager decides what to forget. Default:
    /// what the server does by itself, which is to forget.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.settings.truncate = Some(truncate);
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(mut self) -> Result<OllamaModel, ModelBuildError> {
        // Ollama's own patience with a model that is being loaded is 5 minutes, and a long prompt is read for as long again
        // on a machine without a GPU. Whoever hangs up before makes the server start anew.
        self.options.connection.patient = true;
        let hints = &mut self.options.connection.hints;
        hints.unreachable = Some("is `ollama serve` running?");
        hints.not_found = "is the base URL right? it has no path, as in `http://localhost:11434`";
        let exchange = address::open(&self.options, |name| std::env::var(name).ok())?;
        let sampling = &self.settings.sampling;
        check("temperature", sampling.temperature, 0.0..=f64::MAX, "0 or more")?;
        check("top_p", sampling.top_p, 0.0..=1.0, "from 0 to 1")?;
        check("min_p", sampling.min_p, 0.0..=1.0, "from 0 to 1")?;
        let context_window = self.options.context_window.or(sampling.num_ctx.map(u64::from));
        let settings = Settings { extra: self.options.extra, ..self.settings };
        let serializer = MessageSerializer::new();
        Ok(OllamaModel { inner: Arc::new(Inner { exchange, settings, serializer, context_window }) })
    }
}
