//! Chat Completions: an agent with `OpenAiModel` beside a loop with serde_json and reqwest, or hyper alone.

mod hand_written;
mod script;
pub(crate) mod sessions;
mod transport;

use std::sync::Arc;

use reqwest::Client;
use serde_json::json;
use strands::conversation::NullConversationManager;
use strands::message::Message;
use strands::models::OpenAiModel;
use strands::{Agent, AgentBuilder, Limits, Tool as _, ToolSpec};

pub(crate) use script::scenarios;

use self::hand_written::{Chat, Provider};
use self::sessions::{Kept, Stored};
use self::transport::Transport;
use crate::script::{ANSWER, PROMPT, SYSTEM_PROMPT};
use crate::serve::Servers;
use crate::streams;
use crate::tools::{self, Unused};
use crate::work::{Outcome, Row, Side, Work, awaited, block_on, streamed};

/// Returns the rows of this protocol.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("openai cycle, 50", 50, 80, |servers| Prompt::new(servers, "openai-cycles-50").boxed()),
        Row::new("openai cycle, 200", 200, 20, |servers| Prompt::new(servers, "openai-cycles-200").boxed()),
        Row::new("openai delta", DELTAS, 100, |servers| Prompt::new(servers, "openai-deltas").boxed()),
        Row::new("openai delta, gathered", DELTAS, 100, |servers| {
            Prompt::new(servers, "openai-deltas-gathered").boxed()
        }),
        Row::new("openai turn 200, first", 1, 300, |servers| Prompt::new(servers, "openai-turn").after(199).boxed()),
        Row::new("openai turn 200, next", 1, 300, |servers| {
            Prompt::new(servers, "openai-turn").after(198).next().boxed()
        }),
        Row::new("openai turn 5,000, first", 1, 20, |servers| Prompt::new(servers, "openai-turn").after(4_999).boxed()),
        Row::new("openai turn 5,000, next", 1, 20, |servers| {
            Prompt::new(servers, "openai-turn").after(4_998).next().boxed()
        }),
        Row::waiting("openai session, turn 200", 60, |servers| Stored::after(servers, Kept::All, 199).boxed()),
        Row::waiting("openai session, turn 200, window", 60, |servers| {
            Stored::after(servers, Kept::Window, 199).boxed()
        }),
        Row::new("openai cycle, 50, to bare hyper", 50, 80, |servers| {
            Prompt::new(servers, "openai-cycles-50").bare().boxed()
        }),
        Row::new("openai delta, to bare hyper", DELTAS, 100, |servers| {
            Prompt::new(servers, "openai-deltas").bare().boxed()
        }),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const DELTAS: u32 = crate::script::DELTAS as u32;

/// One prompt of a conversation.
pub(crate) struct Prompt {
    provider: Provider,
    /// Keeps the connection of the hand-written side.
    transport: Option<Transport>,
    template: AgentBuilder,
    history: Vec<Arc<Message>>,
    next: bool,
    prepared: Option<Conversation>,
}

enum Conversation {
    HandWritten(Chat),
    Agent(Box<Agent>, Side),
}

impl Prompt {
    /// The first prompt of a new conversation.
    fn new(servers: &Servers, scenario: &str) -> Self {
        Self::with_tools(servers, scenario, 0)
    }

    /// The same with this many tools more.
    pub(crate) fn with_tools(servers: &Servers, scenario: &str, tools: usize) -> Self {
        let address = servers.address(scenario);
        Self {
            provider: provider(&address, Some(Client::new()), tools),
            transport: None,
            template: template(&address, tools),
            history: Vec::new(),
            next: false,
            prepared: None,
        }
    }

    /// The first prompt of a process after this many turns that were loaded from elsewhere, such as a session.
    pub(crate) fn after(mut self, turns: usize) -> Self {
        let turn = || [Message::user(PROMPT), Message::assistant(ANSWER)];
        self.history = (0..turns).flat_map(|_| turn()).map(Arc::new).collect();
        self
    }

    /// The prompt after that one.
    pub(crate) fn next(mut self) -> Self {
        self.next = true;
        self
    }

    /// The hand-written side uses hyper without reqwest.
    fn bare(mut self) -> Self {
        self.provider.client = None;
        self
    }

    pub(crate) fn boxed(self) -> Box<dyn Work> {
        Box::new(self)
    }
}

impl Work for Prompt {
    fn prepare(&mut self, side: Side) {
        if let Some(Conversation::HandWritten(chat)) = self.prepared.take() {
            self.transport = Some(chat.transport);
        }
        let conversation = match side {
            Side::HandWritten => {
                let transport = self.transport.take().unwrap_or_else(|| self.provider.transport());
                Conversation::HandWritten(Chat::with_turns(&self.provider, transport, self.history.len() / 2))
            }
            Side::Awaited | Side::Streamed => {
                let template = self.template.clone().messages(self.history.iter().cloned());
                Conversation::Agent(Box::new(block_on(template.build()).unwrap()), side)
            }
        };
        self.prepared = Some(conversation);
        if self.next {
            self.run();
        }
    }

    fn run(&mut self) -> Outcome {
        match self.prepared.as_mut().unwrap() {
            Conversation::HandWritten(chat) => {
                let before = chat.usage;
                let text = block_on(chat.prompt(|piece| _ = std::hint::black_box(piece)));
                Outcome { text, usage: (chat.usage.0 - before.0, chat.usage.1 - before.1) }
            }
            Conversation::Agent(agent, Side::Streamed) => block_on(streamed(agent, PROMPT)).into(),
            Conversation::Agent(agent, _) => block_on(awaited(agent, PROMPT)).into(),
        }
    }
}

/// Prompts that many conversations at the same time.
pub(crate) async fn streams(side: Side, address: &str, count: usize) {
    match side {
        Side::HandWritten => {
            let provider = provider(address, Some(Client::new()), 0);
            streams::join((0..count).map(|_| {
                let mut chat = Chat::new(&provider, provider.transport());
                async move { chat.prompt(|piece| _ = std::hint::black_box(piece)).await }
            }))
            .await;
        }
        Side::Awaited | Side::Streamed => {
            let template = template(address, 0);
            streams::join((0..count).map(|_| streams::prompt_clone(template.clone(), side))).await;
        }
    }
}

fn provider(address: &str, client: Option<Client>, tools: usize) -> Provider {
    let tools =
        std::iter::once(tools::Forecast.spec().clone()).chain(Unused::many(tools).map(|tool| tool.spec().clone()));
    let function = |spec: ToolSpec| {
        let function = json!({"name": spec.name, "description": spec.description, "parameters": spec.input_schema});
        json!({"type": "function", "function": function})
    };
    Provider::new(address, client, tools.map(function).collect())
}

fn template(address: &str, tools: usize) -> AgentBuilder {
    let base_url = format!("http://{address}/v1");
    let model = OpenAiModel::builder().model_id("gpt-4o").api_key("test-key").base_url(base_url);
    let template = Agent::builder()
        .model(model.build().unwrap())
        .system_prompt(SYSTEM_PROMPT)
        .tool(tools::Forecast)
        .limits(Limits::unlimited())
        .conversation_manager(NullConversationManager::new());
    Unused::many(tools).fold(template, AgentBuilder::tool)
}
