//! A scripted model with a context window, a tool with large results, and validation of requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use strands_core::message::{
    DocumentBlock, DocumentFormat, ImageBlock, ImageFormat, Message, SystemBlock, ToolResultContent,
};
use strands_core::metrics::Usage;
use strands_core::models::{ErrorDetails, Model, ModelError, ModelRequest, ModelStream, estimate_tokens};
use strands_core::testing::{RecordedRequest, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait};

/// Next response of the model.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Say(String),
    /// This many concurrent tool calls, with results of this kind.
    Call(usize, ToolResponse),
    /// A context overflow.
    Overflow,
    /// An error that is not retried.
    Fail,
}

/// Result of the tool.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ToolResponse {
    Text(usize),
    Json(usize),
    Image,
    Parts(usize),
}

/// A model with a context window.
#[derive(Clone)]
pub(crate) struct Planned {
    model: ScriptedModel,
    plan: Arc<Mutex<VecDeque<Step>>>,
    window: u64,
}

impl Planned {
    /// Creates a model with this context window. It responds to requests for summaries.
    pub(crate) fn with_window(window: u64) -> Self {
        let plan: Arc<Mutex<VecDeque<Step>>> = Arc::default();
        let steps = Arc::clone(&plan);
        let model = ScriptedModel::from_fn(move |request| {
            let tokens = estimate_tokens(request);
            if tokens > window {
                return overflow();
            }
            if summarizes(request.system) {
                return ScriptedTurn::text(format!("summary of {tokens}")).with_usage(Usage::new(tokens, 5));
            }
            match steps.lock().unwrap().pop_front() {
                Some(Step::Say(text)) => ScriptedTurn::text(text),
                Some(Step::Call(times, response)) => {
                    let (kind, size) = match response {
                        ToolResponse::Text(size) => ("text", size),
                        ToolResponse::Json(size) => ("json", size),
                        ToolResponse::Image => ("image", 0),
                        ToolResponse::Parts(parts) => ("parts", parts),
                    };
                    let input = json!({"kind": kind, "size": size});
                    ScriptedTurn::tool_uses((0..times.max(1)).map(|_| ("look", input.clone())))
                }
                Some(Step::Overflow) => overflow(),
                Some(Step::Fail) => ScriptedTurn::error(ModelError::InvalidRequest { details: Box::default() }),
                None => ScriptedTurn::text("nothing more"),
            }
            .with_usage(Usage::new(tokens, 10))
        });
        Self { model, plan, window }
    }

    pub(crate) fn set_plan(&self, steps: impl IntoIterator<Item = Step>) {
        *self.plan.lock().unwrap() = steps.into_iter().collect();
    }

    /// Returns the requests, except those for summaries.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.model.requests().into_iter().filter(|request| !summarizes(&request.system)).collect()
    }

    /// Returns the texts of the requests for summaries.
    pub(crate) fn summarized(&self) -> Vec<String> {
        let summaries = self.model.requests().into_iter().filter(|request| summarizes(&request.system));
        summaries.map(|request| request.messages[0].text()).collect()
    }

    pub(crate) fn agent(&self) -> AgentBuilder {
        Agent::builder().model(self.clone()).tool(Look::new())
    }
}

fn overflow() -> ScriptedTurn {
    ScriptedTurn::error(ModelError::ContextOverflow { details: ErrorDetails::new().boxed() })
}

fn summarizes(system: &[SystemBlock]) -> bool {
    system.iter().any(|block| matches!(block, SystemBlock::Text(text) if text.contains("ummar")))
}

#[async_trait]
impl Model for Planned {
    fn model_id(&self) -> &str {
        "planned"
    }

    fn context_window(&self) -> Option<u64> {
        Some(self.window)
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        self.model.stream(request).await
    }
}

/// A tool whose results have a size given by its arguments.
pub(crate) struct Look(ToolSpec);

impl Look {
    pub(crate) fn new() -> Self {
        Self(ToolSpec::new("look", "Looks.", json!({"type": "object"})))
    }
}

#[async_trait]
impl Tool for Look {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let size = input["size"].as_u64().unwrap() as usize;

        Ok(match input["kind"].as_str().unwrap() {
            "text" => ToolOutput::text("é".repeat(size)),
            "json" => ToolOutput::json(json!({"rows": vec!["row"; size / 6]})),
            "image" => ToolOutput::new([
                ToolResultContent::Image(ImageBlock::new(ImageFormat::Png, vec![1; 64])),
                ToolResultContent::Document(DocumentBlock::new("plan", DocumentFormat::Pdf, vec![2; 64])),
            ]),
            _ => ToolOutput::new((0..size).map(|n| format!("part {n} of the result"))),
        })
    }
}

pub(crate) fn texts(messages: &[Arc<Message>]) -> Vec<String> {
    messages.iter().map(|message| message.text()).collect()
}

pub(crate) fn say(text: &str) -> Step {
    Step::Say(text.to_owned())
}
