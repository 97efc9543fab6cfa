//! Chat Completions: an agent with `OpenAiModel` beside a loop with serde_json and reqwest, or hyper alone.

mod hand_written;
mod script;
pub(crate) mod sessions;
mod transport;

use reqwest::Client;
use serde_json::json;
use strands::conversation::NullConversationManager;
use strands::models::OpenAiModel;
use strands::{Agent, AgentBuilder, Limits, Tool as _, ToolSpec};

pub(crate) use script::scenarios;

use self::hand_written::{Chat, Provider};
use self::sessions::{Kept, Stored};
use crate::prompt::{HandWritten, Prompt, prompt_many};
use crate::script::SYSTEM_PROMPT;
use crate::serve::Servers;
use crate::tools::{self, Unused};
use crate::work::{Outcome, Row, Side};

/// Returns the rows of this protocol.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("openai cycle, 50", 50, 80, |servers| prompt(servers, "openai-cycles-50").boxed()),
        Row::new("openai cycle, 200", 200, 20, |servers| prompt(servers, "openai-cycles-200").boxed()),
        Row::new("openai delta", DELTAS, 100, |servers| prompt(servers, "openai-deltas").boxed()),
        Row::new("openai delta, gathered", DELTAS, 100, |servers| prompt(servers, "openai-deltas-gathered").boxed()),
        Row::new("openai turn 200, first", 1, 300, |servers| prompt(servers, "openai-turn").after(199).boxed()),
        Row::new("openai turn 200, next", 1, 300, |servers| prompt(servers, "openai-turn").after(198).next().boxed()),
        Row::new("openai turn 5,000, first", 1, 20, |servers| prompt(servers, "openai-turn").after(4_999).boxed()),
        Row::new("openai turn 5,000, next", 1, 20, |servers| {
            prompt(servers, "openai-turn").after(4_998).next().boxed()
        }),
        Row::waiting("openai session, turn 200", 60, |servers| Stored::after(servers, Kept::All, 199).boxed()),
        Row::waiting("openai session, turn 200, window", 60, |servers| {
            Stored::after(servers, Kept::Window, 199).boxed()
        }),
        Row::new("openai cycle, 50, to bare hyper", 50, 80, |servers| bare_prompt(servers, "openai-cycles-50").boxed()),
        Row::new("openai delta, to bare hyper", DELTAS, 100, |servers| bare_prompt(servers, "openai-deltas").boxed()),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const DELTAS: u32 = crate::script::DELTAS as u32;

impl HandWritten for Provider {
    type Chat = Chat;

    fn begin(&self, turns: usize, before: Option<Chat>) -> Chat {
        Chat::with_turns(self, before.map_or_else(|| self.transport(), |chat| chat.transport), turns)
    }

    async fn prompt(chat: &mut Chat) -> Outcome {
        let before = chat.usage;
        let text = chat.prompt(|piece| _ = std::hint::black_box(piece)).await;
        Outcome { text, usage: (chat.usage.0 - before.0, chat.usage.1 - before.1) }
    }
}

fn prompt(servers: &Servers, scenario: &str) -> Prompt<Provider> {
    prompt_with_tools(servers, scenario, 0)
}

/// The same with this many tools more.
pub(crate) fn prompt_with_tools(servers: &Servers, scenario: &str, tools: usize) -> Prompt<Provider> {
    let address = servers.address(scenario);
    Prompt::new(provider(&address, Some(Client::new()), tools), template(&address, tools))
}

/// The same with a hand-written side that uses hyper without reqwest.
fn bare_prompt(servers: &Servers, scenario: &str) -> Prompt<Provider> {
    let address = servers.address(scenario);
    Prompt::new(provider(&address, None, 0), template(&address, 0))
}

/// Prompts that many conversations at the same time.
pub(crate) async fn streams(side: Side, address: &str, count: usize) {
    prompt_many(|| provider(address, Some(Client::new()), 0), async || template(address, 0), side, count).await;
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
