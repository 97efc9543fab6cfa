//! Guardrails: their configuration in requests, the content that they evaluate, and redaction of blocked content.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use strands_core::message::{ContentBlock, ImageFormat, Message, Role};
use strands_core::models::{StopReason, StreamEvent};

use crate::settings::{Guardrail, Redaction};
use crate::turns::{OutBlock, OutTurn};

/// The `guardrailConfig` of a request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GuardrailJson<'a> {
    guardrail_identifier: &'a str,
    guardrail_version: &'a str,
    trace: &'static str,
    /// For ConverseStream only: Converse rejects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_processing_mode: Option<&'static str>,
}

impl<'a> GuardrailJson<'a> {
    pub(crate) fn new(guardrail: &'a Guardrail, streaming: bool) -> Self {
        Self {
            guardrail_identifier: &guardrail.id,
            guardrail_version: &guardrail.version,
            trace: guardrail.trace.as_str(),
            stream_processing_mode: guardrail
                .stream_mode
                .filter(|_| streaming)
                .map(crate::settings::GuardrailStreamMode::as_str),
        }
    }
}

/// Returns the index of the last user message with text or images, as opposed to tool results.
pub(crate) fn latest_user_message(messages: &[Arc<Message>]) -> Option<usize> {
    messages.iter().rposition(|message| {
        message.role == Role::User
            && message.content.iter().any(|block| matches!(block, ContentBlock::Text(_) | ContentBlock::Image(_)))
    })
}

/// Marks the blocks of a message for the guardrail that are text, but not blank, or images in a supported format.
pub(crate) fn guard(turn: &mut OutTurn<'_>) {
    for out in &mut turn.content {
        if let OutBlock::Plain(block) = out
            && is_supported(block)
        {
            // An empty text takes the place of the block while it moves.
            let block = std::mem::replace(block, Cow::Owned(ContentBlock::text("")));
            *out = OutBlock::Guarded(block);
        }
    }
}

fn is_supported(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Text(text) => !text.text.trim().is_empty(),
        ContentBlock::Image(image) => {
            matches!(image.format, ImageFormat::Png | ImageFormat::Jpeg)
        }
        _ => false,
    }
}

impl Redaction {
    /// Returns the redaction event, if the guardrail blocked content. Text that Bedrock has masked stays. Without a trace, the
    /// stop reason decides.
    pub(crate) fn event(&self, trace: Option<&Value>, stop_reason: Option<&StopReason>) -> Option<StreamEvent> {
        let blocked = match trace.and_then(|trace| trace.get("guardrail")).filter(|trace| !trace.is_null()) {
            Some(guardrail) => ["inputAssessment", "outputAssessments"]
                .into_iter()
                .filter_map(|side| guardrail.get(side))
                .any(has_blocked),
            None => stop_reason == Some(&StopReason::GuardrailIntervened),
        };
        (blocked && (self.input || self.output)).then(|| StreamEvent::RedactContent {
            redact_user_content_message: self.input.then(|| self.input_message.clone()),
            redact_assistant_content_message: self.output.then(|| self.output_message.clone()),
        })
    }
}

fn has_blocked(assessment: &Value) -> bool {
    match assessment {
        Value::Object(fields) => {
            let blocked = fields.get("action").and_then(Value::as_str) == Some("BLOCKED")
                && fields.get("detected") == Some(&Value::Bool(true));
            blocked || fields.values().any(has_blocked)
        }
        Value::Array(items) => items.iter().any(has_blocked),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(action: &str, detected: bool) -> Value {
        json!({"guardrail": {"inputAssessment": {"gr": {"topicPolicy": {"topics": [
            {"name": "x", "action": "NONE", "detected": false},
            {"name": "y", "action": action, "detected": detected},
        ]}}}}})
    }

    #[test]
    fn redacts_only_blocked_content() {
        let redaction = Redaction::default();
        let stopped = Some(&StopReason::GuardrailIntervened);
        let redacts = |trace: Option<&Value>, stop| redaction.event(trace, stop).is_some();
        assert!(redacts(Some(&policy("BLOCKED", true)), stopped));
        assert!(redacts(Some(&policy("BLOCKED", true)), Some(&StopReason::EndTurn)));
        assert!(!redacts(Some(&policy("ANONYMIZED", true)), stopped));
        assert!(!redacts(Some(&policy("BLOCKED", false)), stopped));
        assert!(redacts(None, stopped));
        assert!(redacts(Some(&json!({"promptRouter": {}})), stopped));
        assert!(!redacts(None, Some(&StopReason::EndTurn)));
    }

    #[test]
    fn redacts_both_sides_with_one_event() {
        let redaction = Redaction { output: true, ..Redaction::default() };
        assert_eq!(
            redaction.event(None, Some(&StopReason::GuardrailIntervened)),
            Some(StreamEvent::RedactContent {
                redact_user_content_message: Some("[User input redacted.]".to_owned()),
                redact_assistant_content_message: Some("[Assistant output redacted.]".to_owned()),
            })
        );
        let nothing = Redaction { input: false, ..Redaction::default() };
        assert_eq!(nothing.event(None, Some(&StopReason::GuardrailIntervened)), None);
    }
}
