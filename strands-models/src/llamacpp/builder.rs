//! Builder of models behind llama.cpp's server, and the server's dialect of Chat Completions.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use strands_core::models::{MessageSerializer, ModelCapabilities};
use strands_core::schema::SchemaDialect;

use super::{LlamaCppModel, error};
use crate::chat_completions::{
    AudioForm, Chat, Dialect, DocumentForm, Media, ReasoningReplay, Settings, field_setters, penalty_setters,
};
use crate::http::{ApiKey, DefaultEndpoint, ModelBuildError, Options, SamplingFields, http_setters, request_setters};

/// The server uses the model that it was started with, for any id.
const DEFAULT_MODEL: &str = "default";
const LOCAL: DefaultEndpoint =
    DefaultEndpoint { base_url: "http://localhost:8080/v1", base_url_variable: None, key_variables: &[] };

/// The server's dialect:
/// <https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md>.
const DIALECT: Dialect = Dialect {
    provider: Cow::Borrowed("llamacpp"),
    media: Media { documents: DocumentForm::Text, audio: AudioForm::Named, image_objects: true },
    sampling: SamplingFields::CHAT,
    asks_for_usage: true,
    any_tool: "required",
    // A choice that is an object is ignored.
    named_choice: false,
    call_ids: None,
    media_in_results: false,
    after_results: None,
    schemas: &SchemaDialect::LLAMACPP,
    replay: ReasoningReplay::Content,
    empty_reasoning: false,
    classify: error::classify,
};

/// Version of Mirostat sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mirostat {
    /// No Mirostat: the other samplers are used.
    Off,
    /// Mirostat 1.0.
    V1,
    /// Mirostat 2.0.
    V2,
}

/// Builder for [`LlamaCppModel`]. Options that are not set are those with which the server was started. `Debug` shows no
/// secrets.
///
/// ```no_run
/// use strands::models::LlamaCppModel;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = LlamaCppModel::builder()
///     .base_url("http://192.168.1.7:8080/v1")
///     .top_k(40)
///     .min_p(0.05)
///     .repeat_penalty(1.1)
///     .template_argument("enable_thinking", false)
///     .build()?;
/// # let _ = model; Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct LlamaCppModelBuilder {
    options: Options,
    settings: Settings,
    template: Map<String, Value>,
}

impl Default for LlamaCppModelBuilder {
    fn default() -> Self {
        Self { options: Options::new(DEFAULT_MODEL), settings: Settings::default(), template: Map::new() }
    }
}

impl LlamaCppModelBuilder {
    http_setters! {
        model_id: "A server with one model accepts any id; a router selects the model by it. Default: `default`.",
        api_key: "Required by a server that was started with `--api-key`. Default: none.",
        base_url: "Default: `http://localhost:8080/v1`.",
    }

    request_setters! {
        max_tokens: "Default: no limit.",
        temperature: "At least 0.0.",
        top_p: "",
        top_k: "0 samples from all tokens.",
        seed: "Less than 2³². Default: a random seed for each request.",
        stop_sequences: "Sent as `stop`.",
        reasoning_effort: "For models whose chat template has it.",
        parallel_tool_calls: "Default: the server's.",
    }

    penalty_setters!();

    field_setters! {
        /// Min-p sampling: minimum probability of a token, relative to the most probable one, 0.0 to 1.0.
        min_p(probability: f64) => "min_p";
        /// Locally typical sampling (typical-p), 0.0 to 1.0. 1.0 disables it.
        typical_p(probability: f64) => "typical_p";
        /// Penalty for repeated tokens. 1.0 disables it.
        repeat_penalty(penalty: f64) => "repeat_penalty";
        /// Number of the last tokens that the repeat penalty considers. 0 disables it, -1 considers all.
        repeat_last_n(tokens: i32) => "repeat_last_n";
        /// Range of dynamic temperature, in both directions. 0.0 disables it.
        dynatemp_range(range: f64) => "dynatemp_range";
        /// Exponent of dynamic temperature: its dependence on the entropy of the tokens.
        dynatemp_exponent(exponent: f64) => "dynatemp_exponent";
        /// Multiplier of the DRY penalty for repeated sequences. 0.0 disables it.
        dry_multiplier(multiplier: f64) => "dry_multiplier";
        /// Base of the DRY penalty: its growth with the length of the sequence.
        dry_base(base: f64) => "dry_base";
        /// Maximum length of a repeated sequence without DRY penalty, in tokens.
        dry_allowed_length(tokens: u32) => "dry_allowed_length";
        /// Number of the last tokens that DRY considers. 0 disables it, -1 considers all.
        dry_penalty_last_n(tokens: i32) => "dry_penalty_last_n";
        /// Probability of removing the most probable tokens (XTC), 0.0 to 1.0.
        xtc_probability(probability: f64) => "xtc_probability";
        /// Minimum probability of tokens that XTC removes. Above 0.5 disables it.
        xtc_threshold(threshold: f64) => "xtc_threshold";
        /// Mirostat's target entropy (tau).
        mirostat_tau(tau: f64) => "mirostat_tau";
        /// Mirostat's learning rate (eta).
        mirostat_eta(eta: f64) => "mirostat_eta";
        /// Minimum number of tokens that the samplers keep. 0 for no minimum.
        min_keep(tokens: u32) => "min_keep";
        /// Continues after the model's end-of-sequence token.
        ignore_eos(ignore: bool) => "ignore_eos";
        /// Maximum time for writing a response after its first token, in milliseconds (`t_max_predict_ms`). The server then stops
        /// at the end of a line.
        max_predict_ms(milliseconds: u64) => "t_max_predict_ms";
        /// Reuses the server's cache for the part of the prompt that an earlier request has in common. Default: true.
        cache_prompt(cache: bool) => "cache_prompt";
        /// Index of the server's slot that processes requests (`id_slot`). Default: an idle one, preferably with the prompt in
        /// its cache.
        slot(slot: u32) => "id_slot";
    }

    /// Version of Mirostat sampling.
    pub fn mirostat(mut self, version: Mirostat) -> Self {
        let version = match version {
            Mirostat::Off => 0,
            Mirostat::V1 => 1,
            Mirostat::V2 => 2,
        };
        self.settings.set("mirostat", version);
        self
    }

    /// Names of the samplers, in order: `dry`, `top_k`, `typ_p`, `top_p`, `min_p`, `xtc`,
    /// `temperature`.
    pub fn samplers(mut self, samplers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let samplers: Vec<String> = samplers.into_iter().map(Into::into).collect();
        self.settings.set("samplers", samplers);
        self
    }

    /// Texts at which DRY ends a sequence.
    pub fn dry_sequence_breakers(mut self, breakers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let breakers: Vec<String> = breakers.into_iter().map(Into::into).collect();
        self.settings.set("dry_sequence_breakers", breakers);
        self
    }

    /// Bias of tokens, each named by its id or its text. A positive bias makes a token more probable.
    pub fn logit_bias(mut self, biases: impl IntoIterator<Item = (impl Into<Value>, f64)>) -> Self {
        let biases: Vec<Value> = biases.into_iter().map(|(token, bias)| json!([token.into(), bias])).collect();
        self.settings.set("logit_bias", biases);
        self
    }

    /// Grammar of all responses, in GBNF. The server accepts no tools along with it.
    pub fn grammar(mut self, grammar: impl Into<String>) -> Self {
        self.settings.set("grammar", grammar.into());
        self
    }

    /// JSON Schema of all responses. For one response of a type, use the agent's structured output.
    pub fn json_schema(mut self, schema: Value) -> Self {
        self.settings.set("json_schema", schema);
        self
    }

    /// Sets an argument of the model's chat template, such as `enable_thinking` (`chat_template_kwargs`).
    pub fn template_argument(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.template.insert(name.into(), value.into());
        self
    }

    /// Builds the model. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError`] for invalid options.
    pub fn build(self) -> Result<LlamaCppModel, ModelBuildError> {
        let Self { mut options, mut settings, template } = self;
        // A long prompt is read for minutes on a machine without a GPU.
        options.connection.long_idle = true;
        options.connection.hints.unreachable = Some("is `llama-server` running?");
        if !template.is_empty() {
            settings.set("chat_template_kwargs", template);
        }
        settings.sampling.check(0.0..=f64::MAX, "at least 0")?;
        settings.sampling.check_seed(u32::MAX.into(), "less than 2^32")?;
        settings.check_penalties()?;
        for probability in ["min_p", "typical_p", "xtc_probability"] {
            settings.check(probability, 0.0..=1.0, "from 0 to 1")?;
        }
        let (base_url, api_key) = options.find(LOCAL, &|_| None);
        let open = |path: &[&str]| options.open(&options.connection, &base_url, path, ApiKey::bearer(api_key.as_ref()));
        Ok(LlamaCppModel {
            chat: Arc::new(Chat {
                serializer: MessageSerializer::new(),
                exchange: open(&["chat", "completions"])?,
                counter: Some(open(&["chat", "completions", "input_tokens"])?),
                dialect: Arc::new(DIALECT),
                settings,
                context_window: options.context_window,
                capabilities: ModelCapabilities::new().with_structured_output(true),
                extra: options.extra,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_server_that_reads_a_long_prompt() {
        let model = LlamaCppModelBuilder::default().build().unwrap();
        assert_eq!(model.chat.exchange.endpoint.idle_timeout().unwrap().as_secs(), 600);
    }
}
