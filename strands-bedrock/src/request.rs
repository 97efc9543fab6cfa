//! Request bodies. Fields that stay the same from turn to turn come first and the conversation comes last, so that each body
//! begins with the bytes of the previous one.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strands_core::message::SystemBlock;
use strands_core::models::{ErrorDetails, ModelError, ModelRequest, OutputSchema, ToolChoice, ToolSpecs};

use crate::blocks::{CachePointJson, ResultStyle};
use crate::cache::{self, OutSystem};
use crate::conversation::{Conversation, TurnForm};
use crate::guardrail::GuardrailJson;
use crate::model::Inner;
use crate::native_output;
use crate::request_adaptation::Variant;
use crate::settings::{CacheConfig, CacheStrategy, Settings, ToolResultStatusPolicy};
use crate::tools::{self, ToolConfig};
use crate::turn_facts;

/// A request that is ready to be serialized.
pub(crate) struct Body<'a> {
    settings: &'a Settings,
    streaming: bool,
    tools: &'a ToolSpecs,
    tool_choice: Option<&'a ToolChoice>,
    system: &'a [SystemBlock],
    cache: Option<&'a CacheConfig>,
    conversation: Conversation<'a>,
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
        model: &'a Inner,
        variant: &Variant,
        streaming: bool,
    ) -> Result<Self, ModelError> {
        let Inner { settings, capabilities, serializer, .. } = model;
        let cache = settings
            .cache
            .as_ref()
            .filter(|cache| cache.strategy == CacheStrategy::Anthropic || capabilities.automatic_caching);
        let form = TurnForm {
            replay: capabilities.reasoning,
            style: ResultStyle {
                status: match settings.tool_result_status {
                    ToolResultStatusPolicy::Auto => capabilities.tool_result_status,
                    ToolResultStatusPolicy::Always => true,
                    ToolResultStatusPolicy::Never => false,
                },
                json_as_text: capabilities.json_results_as_text,
            },
            cache_point: cache::messages_point(cache),
            guards_latest: settings.guardrail.as_ref().is_some_and(|guardrail| guardrail.latest_message),
        };
        Ok(Self {
            settings,
            streaming,
            tools: request.tools,
            tool_choice: request.tool_choice,
            system: request.system,
            cache,
            conversation: Conversation {
                messages: request.messages,
                serialized: request.serialized,
                serializer: *serializer,
                form,
                separate_tool_results: variant.separate_tool_results,
            },
            additional_fields: additional_fields(settings, request.tool_choice, variant),
            output_config: request.output_schema.map(|output| output_config(output, settings)).transpose()?,
        })
    }

    /// Returns the body of Converse and ConverseStream.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] if content can't be serialized as JSON.
    pub(crate) fn converse(&self) -> Result<Vec<u8>, ModelError> {
        let fields = |uses_tools| serde_json::to_vec(&ConverseJson(self, self.tool_config(uses_tools)));
        let body = if self.settings.extra.contains_key("messages") {
            fields(turn_facts::uses_tools(self.conversation.messages))
        } else {
            self.conversation.body(fields, b"}")
        };
        body.map_err(unwritable)
    }

    /// Returns the body of CountTokens.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] if content can't be serialized as JSON.
    pub(crate) fn count_tokens(&self) -> Result<Vec<u8>, ModelError> {
        let fields = |uses_tools| {
            let mut body = br#"{"input":{"converse":"#.to_vec();
            serde_json::to_writer(&mut body, &CountJson(self, self.tool_config(uses_tools)))?;
            Ok(body)
        };
        self.conversation.body(fields, b"}}}").map_err(unwritable)
    }

    fn tool_config(&self, uses_tools: bool) -> Option<ToolConfig<'a>> {
        let strict = self.settings.strict_tools;
        let tools = if !self.tools.is_empty() {
            tools::translated(self.tools, strict)
        } else if uses_tools {
            tools::placeholder(strict)
        } else {
            return None;
        };
        Some(ToolConfig { tools, cache: cache::tools_point(self.cache), choice: self.tool_choice })
    }
}

fn unwritable(error: serde_json::Error) -> ModelError {
    ModelError::InvalidRequest { details: ErrorDetails::new().with_source(error).boxed() }
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

/// Fields of Converse, without the messages.
struct ConverseJson<'b, 'a>(&'b Body<'a>, Option<ToolConfig<'a>>);

impl Serialize for ConverseJson<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(body, tool_config) = self;
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &body.settings.extra };
        if let Some(tools) = tool_config {
            fields.put("toolConfig", tools)?;
        }
        fields.put("system", &SystemJson(&cache::system(body.system, body.cache, tool_config.is_some())))?;
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

/// Fields of the request to count, without the messages.
struct CountJson<'b, 'a>(&'b Body<'a>, Option<ToolConfig<'a>>);

impl Serialize for CountJson<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(body, tool_config) = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(tools) = tool_config {
            map.serialize_entry("toolConfig", tools)?;
        }
        map.serialize_entry("system", &SystemJson(&cache::system(body.system, body.cache, tool_config.is_some())))?;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strands_core::message::Message;
    use strands_core::models::SerializedMessages;

    use super::*;
    use crate::BedrockModel;

    #[tokio::test]
    async fn serializes_each_message_once() {
        let model =
            BedrockModel::builder().cache(CacheConfig::new()).base_url("http://localhost:1").build().await.unwrap();
        let inner = model.inner();
        let messages = ["a", "b", "c"].map(|text| Arc::new(Message::user(text)));
        let serialized = SerializedMessages::default();
        let request = ModelRequest::new(&messages).with_serialized(&serialized);
        let body = |streaming| Body::new(&request, inner, &Variant::default(), streaming).unwrap();
        let first = body(true).converse().unwrap();
        // Later requests would get this error for a message that is not cached.
        let write = |_: &mut Vec<u8>, _: &Message| Err("serialized again");
        assert_eq!(serialized.read_noted(inner.serializer, &messages, write, |cached| cached.notes().len()), Ok(3));
        assert_eq!(body(true).converse().unwrap(), first);
        let counted = body(false).count_tokens().unwrap();
        let list = |body: &[u8]| String::from_utf8_lossy(body).split_once(r#""messages":"#).unwrap().1.to_owned();
        assert_eq!(list(&counted), format!("{}}}}}", list(&first)));
    }
}
