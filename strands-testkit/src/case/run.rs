//! A running case: its server, and an agent with its tools and its history.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use strands_core::async_trait;
use strands_core::message::ContentBlock;
use strands_core::models::{Model, ModelError, ModelRequest, Turn};
use strands_core::{
    Agent, AgentError, AgentResponse, Limits, Prompt, RetryPolicy, Tool, ToolContext, ToolError, ToolOutput, ToolSpec,
};

use super::{Case, CaseResult, CaseTool};
use crate::provider::{ask, turn};
use crate::server::Server;

/// A tool call that ran: the tool's name and its arguments.
pub type Called = (String, Value);

/// A case whose server is listening. The agent retries three times at most, with short delays, and makes eight model
/// calls at most.
pub struct Running {
    /// The loopback server, with the requests it received.
    pub server: Server,
    /// The agent.
    pub agent: Agent,
    model: Arc<dyn Model>,
    prompts: VecDeque<Prompt>,
    called: Arc<Mutex<Vec<Called>>>,
}

impl Case {
    /// Starts the server, and an agent with the model that `model` returns for it.
    pub async fn start(&self, model: impl FnOnce(&Server) -> Arc<dyn Model>) -> Running {
        let server = Server::sequence(self.replies.iter().map(super::Reply::response)).await;
        let model = model(&server);
        let called = Arc::default();
        let tools = self.tools.iter().map(|tool| ScriptedTool::new(tool, &called));
        let retry = RetryPolicy::new().max_attempts(3).initial_delay(Duration::from_millis(1));
        let mut agent = Agent::builder()
            .model(Arc::clone(&model))
            .messages(self.history.clone())
            .retry(retry)
            .limits(Limits::new().turns(8));
        for tool in tools {
            agent = agent.tool(tool);
        }
        let agent = agent.build().await.unwrap_or_else(|error| panic!("case {}: {error:?}", self.name));
        let prompts = self.prompts.iter().map(|prompt| self.prompt(prompt)).collect();
        Running { server, agent, model, prompts, called }
    }

    fn prompt(&self, prompt: &Value) -> Prompt {
        if let Value::String(text) = prompt {
            return text.as_str().into();
        }
        let blocks: Result<Vec<ContentBlock>, _> = serde_json::from_value(prompt.clone());
        blocks.unwrap_or_else(|error| panic!("case {}: a prompt is {prompt}: {error}", self.name)).into()
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Running")
            .field("server", &self.server)
            .field("called", &self.called)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// Sends the next prompt of the case to the agent.
    ///
    /// # Errors
    ///
    /// Returns the agent's error.
    pub async fn prompt(&mut self) -> Result<AgentResponse, AgentError> {
        let prompt = self.next_prompt();
        self.agent.prompt(prompt).await
    }

    /// Returns the next prompt of the case, for tests that prompt the agent themselves. Panics if there is none.
    pub fn next_prompt(&mut self) -> Prompt {
        self.prompts.pop_front().unwrap_or_else(|| panic!("the case has no more prompts"))
    }

    /// Requests one response from the model, without an agent.
    ///
    /// # Errors
    ///
    /// Returns the model's error.
    pub async fn turn(&self) -> Result<Turn, ModelError> {
        turn(&*self.model, ModelRequest::new(&ask("hi"))).await
    }

    /// Returns the tool calls that ran, in order.
    pub fn called(&self) -> Vec<Called> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the bodies of the requests so far.
    pub fn bodies(&self) -> Vec<Value> {
        self.server.requests().iter().map(crate::Request::json).collect()
    }
}

/// A tool that returns the result given by the case, and records its calls.
#[derive(Debug)]
struct ScriptedTool {
    spec: ToolSpec,
    result: CaseResult,
    called: Arc<Mutex<Vec<Called>>>,
}

impl ScriptedTool {
    fn new(tool: &CaseTool, called: &Arc<Mutex<Vec<Called>>>) -> Self {
        let spec = ToolSpec::new(tool.name.as_str(), tool.description.as_str(), tool.schema.clone());
        Self { spec, result: tool.result.clone(), called: Arc::clone(called) }
    }
}

#[async_trait]
impl Tool for ScriptedTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner).push((self.spec.name.clone(), input));
        Ok(match &self.result {
            CaseResult::Text(text) => ToolOutput::text(text),
            CaseResult::Content { content } => ToolOutput::new(content.clone()),
        })
    }
}
