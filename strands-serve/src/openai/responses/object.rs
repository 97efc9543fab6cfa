//! The response object, and its output items.

use serde_json::{Map, Value, json};
use strands_core::AgentResponse;

use super::super::stop;

/// A response, without its output and its end.
pub(super) struct ResponseObject {
    pub(super) id: String,
    pub(super) created_at: u64,
    pub(super) model: String,
    /// True if the session remains.
    pub(super) is_stored: bool,
    pub(super) previous_response_id: Option<String>,
    pub(super) conversation: Option<String>,
    pub(super) metadata: Map<String, Value>,
}

/// State of a response.
pub(super) struct Ended {
    status: &'static str,
    incomplete_details: Value,
    error: Value,
    usage: Value,
    stop_reason: Value,
}

impl Ended {
    /// State of a response that has just begun.
    pub(super) fn not_yet() -> Self {
        Self {
            status: "in_progress",
            incomplete_details: Value::Null,
            error: Value::Null,
            usage: Value::Null,
            stop_reason: Value::Null,
        }
    }

    pub(super) fn of(response: &AgentResponse) -> Self {
        let reason = &response.stop_reason;
        Self {
            status: if stop::is_incomplete(reason) { "incomplete" } else { "completed" },
            incomplete_details: stop::incomplete_reason(reason).map_or(Value::Null, |reason| json!({"reason": reason})),
            usage: stop::responses_usage(&response.usage),
            stop_reason: json!(reason),
            ..Self::not_yet()
        }
    }

    pub(super) fn failed(message: &str) -> Self {
        Self { status: "failed", error: json!({"code": "server_error", "message": message}), ..Self::not_yet() }
    }

    pub(super) fn status(&self) -> &'static str {
        self.status
    }
}

impl ResponseObject {
    /// Returns the JSON of the response with its output and its state.
    pub(super) fn ended(&self, items: &[Item], ended: Ended) -> Value {
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": ended.status,
            "stop_reason": ended.stop_reason,
            "background": false,
            "error": ended.error,
            "incomplete_details": ended.incomplete_details,
            "instructions": null,
            "max_output_tokens": null,
            "model": self.model,
            "output": items.iter().map(|item| item.json("completed")).collect::<Vec<_>>(),
            "parallel_tool_calls": true,
            "previous_response_id": self.previous_response_id,
            "conversation": self.conversation.as_ref().map(|id| json!({"id": id})),
            "reasoning": {"effort": null, "summary": null},
            "store": self.is_stored,
            "temperature": null,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": ended.usage,
            "metadata": self.metadata,
        })
    }
}

/// An output item: a message of the assistant.
pub(super) struct Item {
    pub(super) id: String,
    pub(super) text: String,
}

impl Item {
    pub(super) fn new(response_id: &str, index: usize, text: String) -> Self {
        Self { id: format!("{}_{index}", response_id.replacen("resp_", "msg_", 1)), text }
    }

    /// Returns the JSON of the whole item.
    pub(super) fn json(&self, status: &str) -> Value {
        json!({"id": self.id, "type": "message", "role": "assistant", "status": status, "content": [part(&self.text)]})
    }

    /// Returns the JSON of the item at its start.
    pub(super) fn empty_json(&self) -> Value {
        json!({"id": self.id, "type": "message", "role": "assistant", "status": "in_progress", "content": []})
    }
}

/// Returns the JSON of a content part.
pub(super) fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}
