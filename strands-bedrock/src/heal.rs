//! Lessons from Bedrock's refusals. Some refused requests are changed and sent once more; others say what the
//! model can't be asked for, which its capabilities say from then on. History is never touched, and nothing was generated
//! before the refusal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};
use strands_core::models::{ModelRequest, OutputSchema};

use crate::error::Refusal;
use crate::request::is_forced;
use crate::settings::Settings;
use crate::turns;

/// How a request differs from the plain one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) separate_tool_results: bool,
    pub(crate) drop_stale_thinking: bool,
}

/// What was learned about a model.
#[derive(Clone, Debug, Default)]
struct Learned {
    separate_tool_results: bool,
    drop_stale_thinking: bool,
    no_forced_choice: bool,
    no_native_output: bool,
    refused_schemas: Vec<String>,
    no_token_count: bool,
}

/// What was learned about the models of one account, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    models: Mutex<HashMap<String, Learned>>,
}

/// How many models, and how many schemas of one model, are remembered. Forgetting costs a refused request.
const MOST_MODELS: usize = 256;
const MOST_SCHEMAS: usize = 64;

/// Refusals that mean that the model can't be forced to call a tool.
const NO_FORCED_CHOICE: [&str; 2] =
    [r#"tool_choice: type "tool" and "any" are not supported"#, "doesn't support the toolConfig.toolChoice"];
/// Refusals that mean that the model has no structured output of its own.
const NO_NATIVE_OUTPUT: [&str; 2] =
    ["doesn't support the outputConfig field", "output_config.format: Extra inputs are not permitted"];
/// Refusals that mean that the model does not follow this schema.
const REFUSED_SCHEMA: [&str; 3] = ["output_config.format.schema", "Schemas contains too many", "Schema is too complex"];
const TOOL_RESULT_TURN: &str = "Conversation blocks and tool result blocks cannot be provided in the same turn.";
const STALE_THINKING: &str = "bound to a different conversation";
const THINKING_BETA: &str = "thinking-binding-controls-2026-08-01";

impl Memory {
    /// The variant to begin with.
    pub(crate) fn variant(&self, model_id: &str) -> Variant {
        self.known(model_id, |learned| Variant {
            separate_tool_results: learned.separate_tool_results,
            drop_stale_thinking: learned.drop_stale_thinking,
        })
    }

    /// Returns true if the model has refused to be forced to call a tool.
    pub(crate) fn refuses_forced_choice(&self, model_id: &str) -> bool {
        self.known(model_id, |learned| learned.no_forced_choice)
    }

    /// Returns true if the model has refused `outputConfig`.
    pub(crate) fn refuses_native_output(&self, model_id: &str) -> bool {
        self.known(model_id, |learned| learned.no_native_output)
    }

    /// Returns true if the model has refused to follow this schema.
    pub(crate) fn refuses_schema(&self, model_id: &str, output: &OutputSchema) -> bool {
        self.known(model_id, |learned| learned.refused_schemas.contains(&schema_key(output)))
    }

    /// What to send after this refusal; `None` when nothing can be done about it.
    pub(crate) fn remedy(
        &self,
        model_id: &str,
        request: &ModelRequest<'_>,
        settings: &Settings,
        sent: Variant,
        refusal: &Refusal,
    ) -> Option<Variant> {
        if refusal.code.as_deref() != Some("ValidationException") {
            return None;
        }
        let says = |words: &[&str]| words.iter().any(|words| refusal.message.contains(words));
        if says(&[TOOL_RESULT_TURN]) && !sent.separate_tool_results && turns::mixes_tool_results(request.messages) {
            return Some(Variant { separate_tool_results: true, ..sent });
        }
        if says(&[STALE_THINKING]) && !sent.drop_stale_thinking && !is_forced(request.tool_choice) {
            let mut fields = settings.additional_request_fields.clone();
            // A caller that says what is to become of stale thoughts is left alone.
            if !drop_stale_thinking(&mut fields) {
                return None;
            }
            self.learn(model_id, |learned| learned.drop_stale_thinking = true);
            return Some(Variant { drop_stale_thinking: true, ..sent });
        }
        if is_forced(request.tool_choice) && says(&NO_FORCED_CHOICE) {
            self.learn(model_id, |learned| learned.no_forced_choice = true);
        }
        if let Some(output) = request.output_schema {
            if says(&NO_NATIVE_OUTPUT) {
                self.learn(model_id, |learned| learned.no_native_output = true);
            } else if says(&REFUSED_SCHEMA) {
                self.learn(model_id, |learned| {
                    if learned.refused_schemas.len() < MOST_SCHEMAS {
                        learned.refused_schemas.push(schema_key(output));
                    }
                });
            }
        }
        None
    }

    /// Notes that a request went through. That tool results must stand apart is known only now.
    pub(crate) fn succeeded(&self, model_id: &str, sent: Variant) {
        if sent.separate_tool_results {
            self.learn(model_id, |learned| learned.separate_tool_results = true);
        }
    }

    /// Notes that Bedrock does not count tokens for this model, or not for us.
    pub(crate) fn no_token_count(&self, model_id: &str) {
        self.learn(model_id, |learned| learned.no_token_count = true);
    }

    /// Returns true if counting is worth a request.
    pub(crate) fn counts_tokens(&self, model_id: &str) -> bool {
        !self.known(model_id, |learned| learned.no_token_count)
    }

    /// Reads what was learned about a model; its default if that is nothing.
    fn known<T: Default>(&self, model_id: &str, read: impl FnOnce(&Learned) -> T) -> T {
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.get(model_id).map(read).unwrap_or_default()
    }

    fn learn(&self, model_id: &str, lesson: impl FnOnce(&mut Learned)) {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if models.len() >= MOST_MODELS && !models.contains_key(model_id) {
            models.clear();
        }
        lesson(models.entry(model_id.to_owned()).or_default());
    }
}

fn schema_key(output: &OutputSchema) -> String {
    format!("{} {}", output.name, output.schema)
}

/// Asks the model to forget thoughts that an edit of history made stale. False where nothing is to be changed.
pub(crate) fn drop_stale_thinking(fields: &mut Map<String, Value>) -> bool {
    let Some(Value::Object(thinking)) = fields.get_mut("thinking") else {
        return false;
    };
    if thinking.contains_key("block_binding") {
        return false;
    }
    thinking.insert("block_binding".to_owned(), json!({"prefix_mismatch_behavior": "drop_block"}));
    let mut betas = match fields.get("anthropic_beta") {
        Some(Value::Array(betas)) => betas.clone(),
        _ => Vec::new(),
    };
    if !betas.iter().any(|beta| beta == THINKING_BETA) {
        betas.push(THINKING_BETA.into());
    }
    fields.insert("anthropic_beta".to_owned(), betas.into());
    true
}
