//! The conversation as the rules of an [`OfflineModel`](super::OfflineModel) see it: what was asked last, and what the
//! tools have answered since.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use strands_core::ToolSpec;
use strands_core::message::{Message, Role, SystemBlock, ToolResult, ToolResultContent, ToolResultStatus, ToolUse};
use strands_core::models::{ModelRequest, ToolChoice, ToolSpecs};

/// The conversation as a planner sees it.
#[derive(Clone, Debug)]
pub struct OfflineTurn<'a> {
    messages: &'a [Arc<Message>],
    tools: &'a ToolSpecs,
    tool_choice: Option<&'a ToolChoice>,
    system_prompt: String,
    user_text: String,
    results: Vec<OfflineToolResult<'a>>,
}

impl<'a> OfflineTurn<'a> {
    /// The view of a request, such as a test of a planner builds.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use strands::message::Message;
    /// use strands::models::ModelRequest;
    /// use strands::models::offline::OfflineTurn;
    ///
    /// let history = [Arc::new(Message::user("What is due today?"))];
    /// let turn = OfflineTurn::new(ModelRequest::new(&history));
    /// assert_eq!(turn.user_text(), "What is due today?");
    /// ```
    pub fn new(request: ModelRequest<'a>) -> Self {
        let asked = request.messages.iter().rposition(|message| is_user_text(message));
        let user_text = asked.and_then(|at| request.messages.get(at)).map(|message| message.text()).unwrap_or_default();
        let since = request.messages.get(asked.map_or(0, |at| at + 1)..).unwrap_or_default();
        Self {
            messages: request.messages,
            tools: request.tools,
            tool_choice: request.tool_choice,
            system_prompt: system_text(request.system),
            user_text,
            results: results_in(since),
        }
    }

    /// What the user said last.
    pub fn user_text(&self) -> &str {
        &self.user_text
    }

    /// Everything that the user said, oldest first; tool results are not the user's words.
    pub fn user_texts(&self) -> impl DoubleEndedIterator<Item = String> {
        self.messages.iter().filter(|message| is_user_text(message)).map(|message| message.text())
    }

    /// The text of the system prompt; empty where there is none.
    pub fn system_prompt(&self) -> &str {
        &self.system_prompt
    }

    /// The tools that may be called, in the order in which they were declared.
    pub fn tools(&self) -> impl ExactSizeIterator<Item = &'a ToolSpec> {
        self.tools.iter()
    }

    /// The tool of this name.
    pub fn tool(&self, name: &str) -> Option<&'a ToolSpec> {
        self.tools.iter().find(|spec| spec.name == name)
    }

    /// Which tools must be called. The model sees to that itself when a planner's step does not.
    pub fn tool_choice(&self) -> Option<&'a ToolChoice> {
        self.tool_choice
    }

    /// What the tools have answered since the user spoke last, in the order of the calls.
    pub fn results(&self) -> &[OfflineToolResult<'a>] {
        &self.results
    }

    /// The latest answer of this tool since the user spoke last.
    pub fn result(&self, tool: &str) -> Option<&OfflineToolResult<'a>> {
        self.results.iter().rev().find(|result| result.tool == tool)
    }

    /// The answers to the latest calls: those that no model turn has looked at yet. Empty when the user spoke last.
    pub fn new_results(&self) -> &[OfflineToolResult<'a>] {
        let latest = self.results.last().map_or(usize::MAX, |result| result.message);
        let first = self.results.partition_point(|result| result.message < latest);
        self.results.get(first..).unwrap_or_default()
    }

    /// What the tools have answered in the whole conversation, in the order of the calls.
    pub fn all_results(&self) -> Vec<OfflineToolResult<'a>> {
        results_in(self.messages)
    }

    /// The whole conversation, oldest first. It ends with what the model is to answer.
    pub fn messages(&self) -> &'a [Arc<Message>] {
        self.messages
    }
}

/// What a tool answered, with the call that it answers.
#[derive(Clone, Copy, Debug)]
pub struct OfflineToolResult<'a> {
    tool: &'a str,
    input: &'a Value,
    result: &'a ToolResult,
    message: usize,
}

impl<'a> OfflineToolResult<'a> {
    /// The tool. Empty when the call is no longer part of the conversation.
    pub fn tool(&self) -> &'a str {
        self.tool
    }

    /// The arguments of the call.
    pub fn input(&self) -> &'a Value {
        self.input
    }

    /// Whether the tool did what it was asked.
    pub fn status(&self) -> &'a ToolResultStatus {
        &self.result.status
    }

    /// True when the tool could not do what it was asked.
    pub fn is_error(&self) -> bool {
        self.result.is_error()
    }

    /// The answer, as it stands in the conversation.
    pub fn content(&self) -> &'a [ToolResultContent] {
        &self.result.content
    }

    /// The first JSON value of the answer: what a tool that returns data answers.
    pub fn json(&self) -> Option<&'a Value> {
        self.result.content.iter().find_map(|piece| match piece {
            ToolResultContent::Json(value) => Some(value),
            _ => None,
        })
    }

    /// The answer as text: its text as it is, its JSON on one line, joined by line breaks.
    pub fn text(&self) -> String {
        let pieces = self.result.content.iter().filter_map(|piece| match piece {
            ToolResultContent::Text(text) => Some(text.clone()),
            ToolResultContent::Json(value) => Some(value.to_string()),
            _ => None,
        });
        pieces.collect::<Vec<_>>().join("\n")
    }
}

fn is_user_text(message: &Message) -> bool {
    message.role == Role::User && !message.text().trim().is_empty()
}

fn system_text(system: &[SystemBlock]) -> String {
    let texts = system.iter().filter_map(|block| match block {
        SystemBlock::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn results_in(messages: &[Arc<Message>]) -> Vec<OfflineToolResult<'_>> {
    let mut calls: HashMap<&str, &ToolUse> = HashMap::new();
    let mut results = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        calls.extend(message.tool_uses().map(|call| (call.tool_use_id.as_str(), call)));
        for result in message.tool_results() {
            let call = calls.get(result.tool_use_id.as_str());
            results.push(OfflineToolResult {
                tool: call.map_or("", |call| &call.name),
                input: call.map_or(&Value::Null, |call| &call.input),
                result,
                message: at,
            });
        }
    }
    results
}
