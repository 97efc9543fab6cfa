//! Requests that every model accepts.

use std::sync::Arc;

use serde_json::json;

use super::arcs;
use crate::message::{ContentBlock, Message, Role, SystemBlock, ToolResult, ToolResultStatus, ToolUse};
use crate::models::{ModelRequest, ToolSpecs};
use crate::tool::ToolSpec;

/// The messages, tools and system prompt that requests borrow.
pub(super) struct Conversations {
    system: Vec<SystemBlock>,
    tools: ToolSpecs,
    plain: Vec<Arc<Message>>,
    conversation: Vec<Arc<Message>>,
    with_results: Vec<Arc<Message>>,
    long: Vec<Arc<Message>>,
}

impl Conversations {
    pub(super) fn new() -> Self {
        let schema = json!({
            "type": "object", "properties": {"city": {"type": "string", "description": "A city."}}, "required": ["city"],
        });
        let hello = || Message::user("Reply with one word: hello.");
        let conversation = || [hello(), Message::assistant("Hello."), Message::user("Once more, please.")];
        let call = |id| ToolUse::new(id, "get_weather", json!({"city": "Oslo"}));
        let result = |id, text: &str| ToolResult::new(id, ToolResultStatus::Success, [text]);
        let with_results = [
            Message::user("How is the weather in Oslo?"),
            Message::new(Role::Assistant, [ContentBlock::from(call("call_1")), call("call_2").into()]),
            Message::new(Role::User, [result("call_1", "Sunny."), ToolResult::error("call_2", "the service is down")]),
        ];
        let long =
            conversation().into_iter().chain([Message::assistant("Hello."), Message::user("hello ".repeat(1_000))]);
        Self {
            system: vec![SystemBlock::from("You are brief.")],
            tools: [ToolSpec::new("get_weather", "Returns the weather in a city.", schema)].into_iter().collect(),
            plain: arcs([hello()]),
            conversation: arcs(conversation()),
            with_results: arcs(with_results),
            long: arcs(long),
        }
    }

    pub(super) fn plain(&self) -> ModelRequest<'_> {
        ModelRequest::new(&self.plain)
    }

    pub(super) fn all(&self) -> [ModelRequest<'_>; 4] {
        [
            self.plain(),
            self.plain().with_system(&self.system).with_tools(&self.tools),
            ModelRequest::new(&self.conversation),
            ModelRequest::new(&self.with_results).with_tools(&self.tools),
        ]
    }

    /// Returns requests that each contain the one before.
    pub(super) fn growing(&self) -> [ModelRequest<'_>; 5] {
        [
            self.plain(),
            self.plain().with_system(&self.system),
            self.plain().with_system(&self.system).with_tools(&self.tools),
            ModelRequest::new(&self.conversation).with_system(&self.system).with_tools(&self.tools),
            ModelRequest::new(&self.long).with_system(&self.system).with_tools(&self.tools),
        ]
    }
}
