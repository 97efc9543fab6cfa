//! Request bodies, serialized in one pass from the borrowed conversation. Fields that stay the same from turn to turn come
//! first and the conversation comes last, so that each body begins with the bytes of the previous one.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::models::{ErrorDetails, ModelError, ModelRequest, OutputSchema, ToolChoice};

use crate::blocks::{CachePointJson, ResultStyle, TurnJson};
use crate::cache::{self, OutSystem};
use crate::capabilities::Capabilities;
use crate::guardrail::{self, GuardrailJson};
use crate::native_output;
use crate::request_adaptation::Variant;
use crate::settings::{CacheConfig, CacheStrategy, Settings, ToolResultStatusPolicy};
use crate::tools::{self, ToolConfig};
use crate::turns::{self, OutTurn};

/// A request that is ready to be serialized.
pub(crate) struct Body<'a> {
    settings: &'a Settings,
    streaming: bool,
    tool_config: Option<ToolConfig<'a>>,
    system: Vec<OutSystem<'a>>,
    turns: Vec<OutTurn<'a>>,
    style: ResultStyle,
    additional_fields: Map<String, Value>,
    output_config: Option<Value>,
}

impl<'a> Body<'a> {
    /// Prepares the body of a request.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] if Bedrock does not support the output schema.
    pub(crate) fn new(
        request: &ModelRequest<'a>,
        settings: &'a Settings,
        capabilities: &Capabilities,
        variant: &Variant,
        streaming: bool,
    ) -> Result<Self, ModelError> {
        let output_config = request.output_schema.map(|output| output_config(output, settings)).transpose()?;
        let cache = settings
            .cache
            .as_ref()
            .filter(|cache| cache.strategy == CacheStrategy::Anthropic || capabilities.automatic_caching);
        let tool_config = tool_config(request, settings, cache);
        let system = cache::system(request.system, cache, tool_config.is_some());
        let guarded = settings
            .guardrail
            .as_ref()
            .filter(|guardrail| guardrail.latest_message)
            .and_then(|_| guardrail::latest_user_message(request.messages));
        let mut turns = turns::outgoing(request.messages, capabilities.reasoning, guarded);
        if let Some(cache) = cache {
            cache::messages(&mut turns, cache);
        }
        if variant.separate_tool_results {
            turns::separate_tool_results(&mut turns);
        }
        Ok(Self {
            settings,
            streaming,
            tool_config,
            system,
            turns,
            style: ResultStyle {
                status: match settings.tool_result_status {
                    ToolResultStatusPolicy::Auto => capabilities.tool_result_status,
                    ToolResultStatusPolicy::Always => true,
                    ToolResultStatusPolicy::Never => false,
                },
                json_as_text: capabilities.json_results_as_text,
            },
            additional_fields: additional_fields(settings, request.tool_choice, variant),
            output_config,
        })
    }

    /// Returns the body of Converse and ConverseStream.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] if content can't be serialized as JSON.
    pub(crate) fn converse(&self) -> Result<Vec<u8>, ModelError> {
        serde_json::to_vec(&ConverseJson(self)).map_err(unwritable)
    }

    /// Returns the body of CountTokens.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] if content can't be serialized as JSON.
    pub(crate) fn count_tokens(&self) -> Result<Vec<u8>, ModelError> {
        #[derive(Serialize)]
        struct Count<'b, 'a> {
            input: Input<'b, 'a>,
        }
        #[derive(Serialize)]
        struct Input<'b, 'a> {
            converse: CountJson<'b, 'a>,
        }
        let converse = CountJson(self);
        serde_json::to_vec(&Count { input: Input { converse } }).map_err(unwritable)
    }
}

fn unwritable(error: serde_json::Error) -> ModelError {
    ModelError::InvalidRequest { details: ErrorDetails::new().with_source(error).boxed() }
}

fn tool_config<'a>(
    request: &ModelRequest<'a>,
    settings: &'a Settings,
    cache: Option<&'a CacheConfig>,
) -> Option<ToolConfig<'a>> {
    let strict = settings.strict_tools;
    let tools = if !request.tools.is_empty() {
        tools::translated(request.tools, strict)
    } else if turns::uses_tools(request.messages) {
        tools::placeholder(strict)
    } else {
        return None;
    };
    Some(ToolConfig { tools, cache: cache::tools_point(cache), choice: request.tool_choice })
}

/// Returns `additionalModelRequestFields`, without `thinking` if a tool call is forced: Bedrock rejects both together.
fn additional_fields(settings: &Settings, choice: Option<&ToolChoice>, variant: &Variant) -> Map<String, Value> {
    let mut fields = settings.additional_request_fields.clone();
    if is_forced(choice) {
        fields.shift_remove("thinking");
    } else if variant.drop_stale_thinking {
        crate::request_adaptation::drop_stale_thinking(&mut fields);
    }
    fields
}

/// Returns true if the model must call a tool.
pub(crate) fn is_forced(choice: Option<&ToolChoice>) -> bool {
    choice.is_some_and(|choice| !matches!(choice, ToolChoice::Auto {}))
}

/// Returns `outputConfig` with the schema, and with the fields that the program has set there.
fn output_config(output: &OutputSchema, settings: &Settings) -> Result<Value, ModelError> {
    let format = native_output::text_format(output).map_err(|refused| {
        let why = format!("Bedrock does not support the JSON schema of `{}`: {refused}", output.name);
        ModelError::InvalidRequest { details: ErrorDetails::new().with_body(why).boxed() }
    })?;
    let mut config = match settings.extra.get("outputConfig") {
        Some(Value::Object(config)) => config.clone(),
        _ => Map::new(),
    };
    config.insert("textFormat".to_owned(), format);
    Ok(Value::Object(config))
}

struct ConverseJson<'b, 'a>(&'b Body<'a>);

impl Serialize for ConverseJson<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = self.0;
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &body.settings.extra };
        if let Some(tools) = &body.tool_config {
            fields.put("toolConfig", tools)?;
        }
        fields.put("system", &SystemJson(&body.system))?;
        fields.put("inferenceConfig", &inference(body.settings))?;
        if !body.additional_fields.is_empty() {
            fields.put("additionalModelRequestFields", &body.additional_fields)?;
        }
        let paths = &body.settings.additional_response_field_paths;
        if !paths.is_empty() {
            fields.put("additionalModelResponseFieldPaths", paths)?;
        }
        if let Some(guardrail) = &body.settings.guardrail {
            fields.put("guardrailConfig", &GuardrailJson::new(guardrail, body.streaming))?;
        }
        if let Some(tier) = body.settings.service_tier {
            fields.put("serviceTier", &json!({"type": tier.as_str()}))?;
        }
        if let Some(output) = &body.output_config {
            fields.map.serialize_entry("outputConfig", output)?;
        }
        for (name, value) in &body.settings.extra {
            if name != "outputConfig" || body.output_config.is_none() {
                fields.map.serialize_entry(name, value)?;
            }
        }
        fields.put("messages", &TurnsJson(&body.turns, body.style))?;
        fields.map.end()
    }
}

/// Fields of a body. Fields that the program has set with `extra` take precedence.
struct Fields<'a, M> {
    map: M,
    extra: &'a Map<String, Value>,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), M::Error> {
        if self.extra.contains_key(name) {
            return Ok(());
        }
        self.map.serialize_entry(name, value)
    }
}

struct CountJson<'b, 'a>(&'b Body<'a>);

impl Serialize for CountJson<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = self.0;
        let mut map = serializer.serialize_map(None)?;
        if let Some(tools) = &body.tool_config {
            map.serialize_entry("toolConfig", tools)?;
        }
        map.serialize_entry("system", &SystemJson(&body.system))?;
        map.serialize_entry("messages", &TurnsJson(&body.turns, body.style))?;
        map.end()
    }
}

fn inference(settings: &Settings) -> Value {
    let mut inference = Map::new();
    if let Some(tokens) = settings.max_tokens {
        inference.insert("maxTokens".to_owned(), tokens.into());
    }
    if let Some(temperature) = settings.temperature {
        inference.insert("temperature".to_owned(), temperature.into());
    }
    if let Some(top_p) = settings.top_p {
        inference.insert("topP".to_owned(), top_p.into());
    }
    if let Some(sequences) = &settings.stop_sequences {
        inference.insert("stopSequences".to_owned(), sequences.clone().into());
    }
    Value::Object(inference)
}

struct SystemJson<'a>(&'a [OutSystem<'a>]);

impl Serialize for SystemJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        enum Block<'a> {
            Text(&'a str),
            CachePoint(CachePointJson<'a>),
        }
        serializer.collect_seq(self.0.iter().map(|block| match block {
            OutSystem::Text(text) => Block::Text(text),
            OutSystem::CachePoint { kind, ttl } => Block::CachePoint(CachePointJson(kind, *ttl)),
        }))
    }
}

struct TurnsJson<'a>(&'a [OutTurn<'a>], ResultStyle);

impl Serialize for TurnsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut turns = serializer.serialize_seq(Some(self.0.len()))?;
        for turn in self.0 {
            turns.serialize_element(&TurnJson(turn, self.1))?;
        }
        turns.end()
    }
}
