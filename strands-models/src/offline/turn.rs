//! Conversation view for the rules of an [`OfflineModel`](super::OfflineModel): the user's last message, and the tool
//! results after it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use strands_core::ToolSpec;
use strands_core::message::{Message, Role, SystemBlock, ToolResult, ToolResultContent, ToolResultStatus, ToolUse};
use strands_core::models::{ModelRequest, ToolChoice, ToolSpecs};

/// View of a model request for planners.
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
    /// Creates the view of a request, for example in a test of a planner.
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
        let prompt = request.messages.iter().rposition(|message| is_user_text(message));
        let user_text =
            prompt.and_then(|at| request.messages.get(at)).map(|message| message.text()).unwrap_or_default();
        let since = request.messages.get(prompt.map_or(0, |at| at + 1)..).unwrap_or_default();
        Self {
            messages: request.messages,
            tools: request.tools,
            tool_choice: request.tool_choice,
            system_prompt: system_text(request.system),
            user_text,
            results: results_in(since),
        }
    }

    /// Returns the text of the user's last message.
    pub fn user_text(&self) -> &str {
        &self.user_text
    }

    /// Returns the texts of all user messages, oldest first. Tool results are not among them.
    pub fn user_texts(&self) -> impl DoubleEndedIterator<Item = String> {
        self.messages.iter().filter(|message| is_user_text(message)).map(|message| message.text())
    }

    /// Returns the text of the system prompt, or an empty string.
    pub fn system_prompt(&self) -> &str {
        &self.system_prompt
    }

    /// Returns the tools of the request, in the order of their declaration.
    pub fn tools(&self) -> impl ExactSizeIterator<Item = &'a ToolSpec> {
        self.tools.iter()
    }

    /// Returns the tool with this name.
    pub fn tool(&self, name: &str) -> Option<&'a ToolSpec> {
        self.tools.iter().find(|spec| spec.name == name)
    }

    /// Returns the request's tool choice. The model enforces it if the planner's step does not satisfy it.
    pub fn tool_choice(&self) -> Option<&'a ToolChoice> {
        self.tool_choice
    }

    /// Returns the tool results after the user's last message, in the order of the calls.
    pub fn results(&self) -> &[OfflineToolResult<'a>] {
        &self.results
    }

    /// Returns the latest result of this tool after the user's last message.
    pub fn result(&self, tool: &str) -> Option<&OfflineToolResult<'a>> {
        self.results.iter().rev().find(|result| result.tool == tool)
    }

    /// Returns the results of the latest calls, which no model turn has processed. Empty if the last message is the user's.
    pub fn new_results(&self) -> &[OfflineToolResult<'a>] {
        let latest = self.results.last().map_or(usize::MAX, |result| result.message);
        let first = self.results.partition_point(|result| result.message < latest);
        self.results.get(first..).unwrap_or_default()
    }

    /// Returns the tool results of the whole conversation, in the order of the calls.
    pub fn all_results(&self) -> Vec<OfflineToolResult<'a>> {
        results_in(self.messages)
    }

    /// Returns the whole conversation, oldest first. The last message is the one to respond to.
    pub fn messages(&self) -> &'a [Arc<Message>] {
        self.messages
    }
}

/// A tool result with its call.
#[derive(Clone, Copy, Debug)]
pub struct OfflineToolResult<'a> {
    tool: &'a str,
    input: &'a Value,
    result: &'a ToolResult,
    message: usize,
}

impl<'a> OfflineToolResult<'a> {
    /// Returns the tool's name. Empty if the call is no longer part of the conversation.
    pub fn tool(&self) -> &'a str {
        self.tool
    }

    /// Returns the arguments of the call.
    pub fn input(&self) -> &'a Value {
        self.input
    }

    /// Returns the status: success or error.
    pub fn status(&self) -> &'a ToolResultStatus {
        &self.result.status
    }

    /// True for an error result.
    pub fn is_error(&self) -> bool {
        self.result.is_error()
    }

    /// Returns the content of the result.
    pub fn content(&self) -> &'a [ToolResultContent] {
        &self.result.content
    }

    /// Returns the first JSON value of the result.
    pub fn json(&self) -> Option<&'a Value> {
        self.result.content.iter().find_map(|content| match content {
            ToolResultContent::Json(value) => Some(value),
            _ => None,
        })
    }

    /// Returns the result as text: its text unchanged, its JSON on one line, joined with line breaks.
    pub fn text(&self) -> String {
        let texts = self.result.content.iter().filter_map(|content| match content {
            ToolResultContent::Text(text) => Some(text.clone()),
            ToolResultContent::Json(value) => Some(value.to_string()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
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
