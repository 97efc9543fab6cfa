//! How a model behind llama.cpp's server is told what to be.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use strands_core::models::{MessageSerializer, ModelCapabilities};
use strands_core::schema::SchemaDialect;

use super::{LlamaCppModel, refusal};
use crate::chat_completions::{
    Chat, Dialect, Documents, Media, ReasoningEffort, ReasoningReplay, Settings, Sounds, chat_options,
    sampling_options, setting_methods,
};
use crate::http::{ApiKey, ModelBuildError, Options, Place, http_options};

/// The server answers with the model that it was started with, whatever it is called.
const DEFAULT_MODEL: &str = "default";
const LOCAL: Place = Place { base_url: "http://localhost:8080/v1", base_url_variable: None, key_variables: &[] };

/// How the server speaks Chat Completions:
/// <https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md>.
const DIALECT: Dialect = Dialect {
    provider: Cow::Borrowed("llamacpp"),
    media: Media { documents: Documents::Text, sounds: Sounds::Named, image_objects: true },
    asks_for_usage: true,
    plain_text: false,
    any_tool: "required",
    // A choice that is an object is passed over there.
    named_choice: false,
    call_ids: None,
    media_in_results: false,
    after_results: None,
    schemas: &SchemaDialect::LLAMACPP,
    replay: ReasoningReplay::Content,
    empty_reasoning: false,
    sort: refusal::sort,
};

/// Version of Mirostat sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mirostat {
    /// None: the other samplers do.
    Off,
    /// Mirostat.
    V1,
    /// Mirostat 2.0.
    V2,
}

/// Tells a [`LlamaCppModel`] what to be; [`LlamaCppModel::builder`] makes one.
///
/// What is not set here is as the server was started.
///
/// `Debug` shows no key.
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
    http_options! {
        model_id: "A server with one model takes any name; a router picks the model by it. Default: `default`.",
        api_key: "Default: none. A server that was started with `--api-key` wants one.",
        base_url: "Default: `http://localhost:8080/v1`.",
    }

    sampling_options! { temperature: "from 0." }
    chat_options!();

    setting_methods! {
        /// The most tokens that the model may write in one answer, thoughts included. Default: no limit.
        max_tokens(tokens: u32) => "max_tokens";
        /// The number that chance begins with. Default: another one for each request.
        seed(seed: u32) => "seed";
        /// How many of the likeliest tokens the model chooses from; 0 for all.
        top_k(tokens: u32) => "top_k";
        /// How likely a token must be to be chosen, relative to the likeliest, from 0 to 1.
        min_p(share: f64) => "min_p";
        /// Locally typical sampling with this parameter, from 0 to 1; 1 for none.
        typical_p(share: f64) => "typical_p";
        /// How much tokens are avoided that were said before; 1 for not at all.
        repeat_penalty(penalty: f64) => "repeat_penalty";
        /// How many of the last tokens the repeat penalty looks at; 0 for none, -1 for all.
        repeat_last_n(tokens: i32) => "repeat_last_n";
        /// How far the temperature may move to both sides; 0 for not at all.
        dynatemp_range(range: f64) => "dynatemp_range";
        /// How the temperature moves with what the model is unsure of.
        dynatemp_exponent(exponent: f64) => "dynatemp_exponent";
        /// How much sequences are avoided that were said before (DRY); 0 for not at all.
        dry_multiplier(multiplier: f64) => "dry_multiplier";
        /// How fast DRY's penalty grows with the length of the sequence.
        dry_base(base: f64) => "dry_base";
        /// How long a sequence may be before DRY avoids it, in tokens.
        dry_allowed_length(tokens: u32) => "dry_allowed_length";
        /// How many of the last tokens DRY looks at; 0 for none, -1 for all.
        dry_penalty_last_n(tokens: i32) => "dry_penalty_last_n";
        /// How often the likeliest tokens are left out (XTC), from 0 to 1.
        xtc_probability(probability: f64) => "xtc_probability";
        /// How likely tokens are that XTC leaves out; above 0.5 for none.
        xtc_threshold(threshold: f64) => "xtc_threshold";
        /// Mirostat's target entropy (tau).
        mirostat_tau(tau: f64) => "mirostat_tau";
        /// Mirostat's learning rate (eta).
        mirostat_eta(eta: f64) => "mirostat_eta";
        /// How many tokens the samplers leave at least; 0 for no such limit.
        min_keep(tokens: u32) => "min_keep";
        /// Whether the model goes on after its end of a turn.
        ignore_eos(ignore: bool) => "ignore_eos";
        /// How long the model may write after its first token, in milliseconds; it stops after a line that is whole then.
        max_predict_ms(milliseconds: u64) => "t_max_predict_ms";
        /// Whether what the request has in common with an earlier one is taken from the server's cache. Default: true.
        cache_prompt(cache: bool) => "cache_prompt";
        /// Which of the server's slots answers. Default: one that is idle, rather one that knows the conversation.
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

    /// The samplers that choose the words, by name and in order: `dry`, `top_k`, `typ_p`, `top_p`, `min_p`, `xtc`,
    /// `temperature`.
    pub fn samplers(mut self, samplers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let samplers: Vec<String> = samplers.into_iter().map(Into::into).collect();
        self.settings.set("samplers", samplers);
        self
    }

    /// At which characters DRY begins anew.
    pub fn dry_sequence_breakers(mut self, breakers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let breakers: Vec<String> = breakers.into_iter().map(Into::into).collect();
        self.settings.set("dry_sequence_breakers", breakers);
        self
    }

    /// Bias of each of these tokens, which makes it likelier; a token is named by its number or by its text.
    pub fn logit_bias(mut self, biases: impl IntoIterator<Item = (impl Into<Value>, f64)>) -> Self {
        let biases: Vec<Value> = biases.into_iter().map(|(token, bias)| json!([token.into(), bias])).collect();
        self.settings.set("logit_bias", biases);
        self
    }

    /// The grammar that every answer follows, in GBNF. The server takes no tools beside it.
    pub fn grammar(mut self, grammar: impl Into<String>) -> Self {
        self.settings.set("grammar", grammar.into());
        self
    }

    /// The JSON schema that every answer follows. For one answer of a type, ask the agent for it.
    pub fn json_schema(mut self, schema: Value) -> Self {
        self.settings.set("json_schema", schema);
        self
    }

    /// An argument for the model's chat template, such as `enable_thinking` (`chat_template_kwargs`).
    pub fn template_argument(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.template.insert(name.into(), value.into());
        self
    }

    /// Reasoning effort, where the chat template has one.
    pub fn reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.settings.set("reasoning_effort", effort.as_str());
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(self) -> Result<LlamaCppModel, ModelBuildError> {
        let Self { mut options, mut settings, template } = self;
        // A long prompt is read for minutes on a machine without a GPU.
        options.connection.patient = true;
        options.connection.hints.unreachable = Some("is `llama-server` running?");
        if !template.is_empty() {
            settings.set("chat_template_kwargs", template);
        }
        settings.check("temperature", 0.0..=f64::MAX, "at least 0")?;
        for share in ["top_p", "min_p", "typical_p", "xtc_probability"] {
            settings.check(share, 0.0..=1.0, "from 0 to 1")?;
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
    fn a_server_that_reads_a_long_prompt_is_waited_for() {
        let model = LlamaCppModelBuilder::default().build().unwrap();
        assert_eq!(model.chat.exchange.endpoint.silence().unwrap().as_secs(), 600);
    }
}
