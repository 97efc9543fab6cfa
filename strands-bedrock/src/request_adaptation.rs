//! Request adaptation: changes to requests that Bedrock has rejected. Some of them are changed and sent again. Others show a
//! limit of the model, which its capabilities report from then on. The stored history is not changed, and Bedrock has
//! generated nothing before it rejects a request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};
use strands_core::models::{ModelRequest, OutputSchema};

use crate::error::Refusal;
use crate::request::is_forced;
use crate::settings::Settings;
use crate::turn_facts;

/// Differences of a request from the default form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) separate_tool_results: bool,
    pub(crate) drop_stale_thinking: bool,
}

/// Limits of a model, learned from rejected requests.
#[derive(Clone, Debug, Default)]
struct LearnedLimits {
    separate_tool_results: bool,
    drop_stale_thinking: bool,
    no_forced_choice: bool,
    no_native_output: bool,
    rejected_schemas: Vec<String>,
    no_token_count: bool,
}

/// Learned limits of the models of one account, by model id.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    models: Mutex<HashMap<String, LearnedLimits>>,
}

/// Maximum number of remembered models. A forgotten limit costs one rejected request.
const MAX_MODELS: usize = 256;
/// Maximum number of remembered schemas per model.
const MAX_SCHEMAS: usize = 64;

/// Messages of errors for models that don't support forced tool calls.
const NO_FORCED_CHOICE: [&str; 2] =
    [r#"tool_choice: type "tool" and "any" are not supported"#, "doesn't support the toolConfig.toolChoice"];
/// Messages of errors for models without native structured output.
const NO_NATIVE_OUTPUT: [&str; 2] =
    ["doesn't support the outputConfig field", "output_config.format: Extra inputs are not permitted"];
/// Messages of errors for schemas that the model does not support.
const REFUSED_SCHEMA: [&str; 3] = ["output_config.format.schema", "Schemas contains too many", "Schema is too complex"];
const TOOL_RESULT_TURN: &str = "Conversation blocks and tool result blocks cannot be provided in the same turn.";
const STALE_THINKING: &str = "bound to a different conversation";
const THINKING_BETA: &str = "thinking-binding-controls-2026-08-01";

impl Memory {
    /// Returns the variant of the first attempt.
    pub(crate) fn variant(&self, model_id: &str) -> Variant {
        self.learned(model_id, |limits| Variant {
            separate_tool_results: limits.separate_tool_results,
            drop_stale_thinking: limits.drop_stale_thinking,
        })
    }

    /// Returns true if the model has rejected a forced tool call.
    pub(crate) fn refuses_forced_choice(&self, model_id: &str) -> bool {
        self.learned(model_id, |limits| limits.no_forced_choice)
    }

    /// Returns true if the model has rejected `outputConfig`.
    pub(crate) fn refuses_native_output(&self, model_id: &str) -> bool {
        self.learned(model_id, |limits| limits.no_native_output)
    }

    /// Returns true if the model has rejected this schema.
    pub(crate) fn refuses_schema(&self, model_id: &str, output: &OutputSchema) -> bool {
        self.learned(model_id, |limits| limits.rejected_schemas.contains(&schema_key(output)))
    }

    /// Returns the variant to send after this error, or `None` if no change helps. Limits that the error shows are remembered.
    pub(crate) fn adapt(
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
        let contains_any = |fragments: &[&str]| fragments.iter().any(|fragment| refusal.message.contains(fragment));
        if contains_any(&[TOOL_RESULT_TURN])
            && !sent.separate_tool_results
            && turn_facts::mixes_tool_results(request.messages)
        {
            return Some(Variant { separate_tool_results: true, ..sent });
        }
        if contains_any(&[STALE_THINKING]) && !sent.drop_stale_thinking && !is_forced(request.tool_choice) {
            let mut fields = settings.additional_request_fields.clone();
            // The caller's own setting for stale reasoning takes precedence.
            if !drop_stale_thinking(&mut fields) {
                return None;
            }
            self.learn(model_id, |limits| limits.drop_stale_thinking = true);
            return Some(Variant { drop_stale_thinking: true, ..sent });
        }
        if is_forced(request.tool_choice) && contains_any(&NO_FORCED_CHOICE) {
            self.learn(model_id, |limits| limits.no_forced_choice = true);
        }
        if let Some(output) = request.output_schema {
            if contains_any(&NO_NATIVE_OUTPUT) {
                self.learn(model_id, |limits| limits.no_native_output = true);
            } else if contains_any(&REFUSED_SCHEMA) {
                self.learn(model_id, |limits| {
                    if limits.rejected_schemas.len() < MAX_SCHEMAS {
                        limits.rejected_schemas.push(schema_key(output));
                    }
                });
            }
        }
        None
    }

    /// Records that a request succeeded. Only its success shows that separate tool results are needed.
    pub(crate) fn succeeded(&self, model_id: &str, sent: Variant) {
        if sent.separate_tool_results {
            self.learn(model_id, |limits| limits.separate_tool_results = true);
        }
    }

    /// Records that Bedrock does not count tokens for this model, or not for this account.
    pub(crate) fn no_token_count(&self, model_id: &str) {
        self.learn(model_id, |limits| limits.no_token_count = true);
    }

    /// Returns true unless Bedrock has rejected counting tokens for this model.
    pub(crate) fn counts_tokens(&self, model_id: &str) -> bool {
        !self.learned(model_id, |limits| limits.no_token_count)
    }

    /// Reads the limits learned about a model. Returns a default value if there are none.
    fn learned<T: Default>(&self, model_id: &str, read: impl FnOnce(&LearnedLimits) -> T) -> T {
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.get(model_id).map(read).unwrap_or_default()
    }

    fn learn(&self, model_id: &str, update: impl FnOnce(&mut LearnedLimits)) {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if models.len() >= MAX_MODELS && !models.contains_key(model_id) {
            models.clear();
        }
        update(models.entry(model_id.to_owned()).or_default());
    }
}

fn schema_key(output: &OutputSchema) -> String {
    format!("{} {}", output.name, output.schema)
}

/// Asks the model to drop reasoning that is stale after an edit of the history. Returns false if no field is changed.
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
