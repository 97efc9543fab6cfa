//! ConverseStream: an agent with `BedrockModel` beside a loop with the AWS SDK's client and serde_json.

mod hand_written;
mod script;
mod transport;

use std::sync::Arc;

use aws_smithy_http_client::Builder as HttpClient;
use serde_json::{Value, json};
use strands::conversation::NullConversationManager;
use strands::message::Message;
use strands::models::BedrockModel;
use strands::models::bedrock::aws_config::retry::RetryConfig;
use strands::models::bedrock::aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use strands::models::bedrock::aws_config::{BehaviorVersion, Region, SdkConfig};
use strands::models::bedrock::aws_sdk_bedrockruntime::Client;
use strands::models::bedrock::aws_sdk_bedrockruntime::config::{Credentials, SharedCredentialsProvider};
use strands::{Agent, AgentBuilder, Limits, Tool as _};

pub(crate) use script::scenarios;

use self::hand_written::{Chat, Provider};
use crate::script::{ANSWER, DELTAS, PROMPT, SYSTEM_PROMPT};
use crate::serve::Servers;
use crate::streams;
use crate::tools;
use crate::work::{Outcome, Row, Side, Work, awaited, block_on, streamed};

const MODEL: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";

/// Returns the rows of this protocol.
pub(crate) fn rows() -> Vec<Row> {
    #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
    let deltas = DELTAS as u32;
    vec![
        Row::new("bedrock cycle, 50", 50, 80, |servers| Prompt::new(servers, "bedrock-cycles-50").boxed()),
        Row::new("bedrock delta", deltas, 100, |servers| Prompt::new(servers, "bedrock-deltas").boxed()),
        Row::new("bedrock delta, gathered", deltas, 100, |servers| {
            Prompt::new(servers, "bedrock-deltas-gathered").boxed()
        }),
        Row::new("bedrock turn 5,000, first", 1, 20, |servers| {
            Prompt::new(servers, "bedrock-turn").after(4_999).boxed()
        }),
        Row::new("bedrock turn 5,000, next", 1, 20, |servers| {
            Prompt::new(servers, "bedrock-turn").after(4_998).next().boxed()
        }),
    ]
}

/// One prompt of a conversation.
struct Prompt {
    provider: Provider,
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
        let config = config(&servers.address(scenario));
        Self {
            provider: provider(&config),
            template: block_on(template(&config)),
            history: Vec::new(),
            next: false,
            prepared: None,
        }
    }

    /// The first prompt of a process after this many turns that were loaded from elsewhere, such as a session.
    fn after(mut self, turns: usize) -> Self {
        let turn = || [Message::user(PROMPT), Message::assistant(ANSWER)];
        self.history = (0..turns).flat_map(|_| turn()).map(Arc::new).collect();
        self
    }

    /// The prompt after that one.
    fn next(mut self) -> Self {
        self.next = true;
        self
    }

    fn boxed(self) -> Box<dyn Work> {
        Box::new(self)
    }
}

impl Work for Prompt {
    fn prepare(&mut self, side: Side) {
        self.prepared = Some(match side {
            Side::HandWritten => Conversation::HandWritten(Chat::with_turns(&self.provider, self.history.len() / 2)),
            Side::Awaited | Side::Streamed => {
                let template = self.template.clone().messages(self.history.iter().cloned());
                Conversation::Agent(Box::new(block_on(template.build()).unwrap()), side)
            }
        });
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
    let config = config(address);
    match side {
        Side::HandWritten => {
            let provider = provider(&config);
            streams::join((0..count).map(|_| {
                let mut chat = Chat::with_turns(&provider, 0);
                async move { chat.prompt(|piece| _ = std::hint::black_box(piece)).await }
            }))
            .await;
        }
        Side::Awaited | Side::Streamed => {
            let template = template(&config).await;
            streams::join((0..count).map(|_| streams::prompt_clone(template.clone(), side))).await;
        }
    }
}

/// Configuration of both sides. Requests are signed; there are no retries by the SDK.
fn config(address: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret of the benchmark", None, None, "benches");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-north-1"))
        .endpoint_url(format!("http://{address}"))
        .http_client(HttpClient::new().build_http())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

fn provider(config: &SdkConfig) -> Provider {
    Provider::new(Client::new(config), tool_config())
}

fn tool_config() -> Value {
    let spec = tools::Forecast.spec();
    let schema = json!({"json": spec.input_schema});
    let spec = json!({"name": spec.name, "description": spec.description, "inputSchema": schema});
    json!({"tools": [{"toolSpec": spec}], "toolChoice": {"auto": {}}})
}

async fn template(config: &SdkConfig) -> AgentBuilder {
    let model = BedrockModel::builder().model_id(MODEL).sdk_config(config).build().await.unwrap();
    Agent::builder()
        .model(model)
        .system_prompt(SYSTEM_PROMPT)
        .tool(tools::Forecast)
        .limits(Limits::unlimited())
        .conversation_manager(NullConversationManager::new())
}
