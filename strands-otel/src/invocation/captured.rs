//! Content of an invocation on its spans: messages, system prompt and arguments, if the program captures them.

use opentelemetry::KeyValue;
use serde_json::json;
use strands_core::hook::BeforeModelCall;
use strands_core::message::{Message, Role, ToolUse};
use strands_core::models::StopReason;

use super::Invocation;
use crate::span::OpenSpan;
use crate::{content, semconv};

impl Invocation {
    /// Records the arguments of a call, at its end: only then are they as other hooks have left them.
    pub(super) fn add_call(&self, span: &OpenSpan, call: &ToolUse) {
        let conventions = self.shared.conventions;
        let id = call.tool_use_id.clone();
        if conventions.latest {
            span.set(semconv::TOOL_CALL_ARGUMENTS, call.input.to_string());
            let part = content::tool_call(&json!(call.name), &json!(id), &call.input);
            let input = KeyValue::new(semconv::INPUT_MESSAGES, content::tool_message(part));
            span.add_content(conventions, semconv::DETAILS_EVENT, vec![input]);
        } else {
            let attributes = vec![
                KeyValue::new(semconv::ROLE, "tool"),
                KeyValue::new(semconv::CONTENT, call.input.to_string()),
                KeyValue::new(semconv::ID, id),
            ];
            span.add_content(conventions, semconv::TOOL_MESSAGE_EVENT, attributes);
        }
    }

    pub(super) fn add_system(&self, span: &OpenSpan, event: &BeforeModelCall<'_>) {
        if event.system.is_empty() {
            return;
        }
        if self.shared.conventions.latest {
            let instructions = KeyValue::new(semconv::SYSTEM_INSTRUCTIONS, system_instructions(event));
            span.add_content(self.shared.conventions, semconv::DETAILS_EVENT, vec![instructions]);
        } else {
            let content = KeyValue::new(semconv::CONTENT, content::json_of(&event.system).to_string());
            span.add_content(self.shared.conventions, semconv::SYSTEM_MESSAGE_EVENT, vec![content]);
        }
    }

    pub(super) fn add_messages<'m>(&self, span: &OpenSpan, messages: impl IntoIterator<Item = &'m Message>) {
        let conventions = self.shared.conventions;
        if conventions.latest {
            let messages = content::latest(messages, None);
            let input = KeyValue::new(semconv::INPUT_MESSAGES, messages);
            span.add_content(conventions, semconv::DETAILS_EVENT, vec![input]);
            return;
        }
        for message in messages {
            let event = match message.role {
                Role::Assistant => semconv::ASSISTANT_MESSAGE_EVENT,
                Role::User if message.tool_results().next().is_some() => semconv::TOOL_MESSAGE_EVENT,
                Role::User => semconv::USER_MESSAGE_EVENT,
            };
            span.add_content(conventions, event, vec![KeyValue::new(semconv::CONTENT, content::legacy(message))]);
        }
    }

    /// Records the response of a model.
    pub(super) fn add_choice(&self, span: &OpenSpan, message: &Message, reason: &StopReason) {
        let conventions = self.shared.conventions;
        if conventions.latest {
            let output = content::latest([message], Some(reason.as_str()));
            span.add_content(
                conventions,
                semconv::DETAILS_EVENT,
                vec![KeyValue::new(semconv::OUTPUT_MESSAGES, output)],
            );
        } else {
            let attributes = vec![
                KeyValue::new(semconv::FINISH_REASON, reason.as_str().to_owned()),
                KeyValue::new(semconv::MESSAGE, content::legacy(message)),
            ];
            span.add_content(conventions, semconv::CHOICE_EVENT, attributes);
        }
    }

    /// Records the text of a response of the agent.
    pub(super) fn add_response(&self, span: &OpenSpan, text: &str, reason: &StopReason) {
        let conventions = self.shared.conventions;
        if conventions.latest {
            return self.add_choice(span, &Message::assistant(text), reason);
        }
        let attributes = vec![
            KeyValue::new(semconv::MESSAGE, text.to_owned()),
            KeyValue::new(semconv::FINISH_REASON, reason.as_str().to_owned()),
        ];
        span.add_content(conventions, semconv::CHOICE_EVENT, attributes);
    }
}

/// Returns the system prompt as parts of a message.
pub(super) fn system_instructions(event: &BeforeModelCall<'_>) -> String {
    let texts = event.system.iter().map(content::json_of);
    let parts: Vec<_> =
        texts.filter_map(|block| Some(json!({"type": "text", "content": block.get("text")?}))).collect();
    json!(parts).to_string()
}
