//! ConverseStream: an agent with `BedrockModel` beside a loop with the AWS SDK's client and serde_json.

mod hand_written;
mod script;
mod transport;

use aws_smithy_http_client::Builder as HttpClient;
use serde_json::{Value, json};
use strands::conversation::NullConversationManager;
use strands::models::BedrockModel;
use strands::models::bedrock::aws_config::retry::RetryConfig;
use strands::models::bedrock::aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use strands::models::bedrock::aws_config::{BehaviorVersion, Region, SdkConfig};
use strands::models::bedrock::aws_sdk_bedrockruntime::Client;
use strands::models::bedrock::aws_sdk_bedrockruntime::config::{Credentials, SharedCredentialsProvider};
use strands::{Agent, AgentBuilder, Limits, Tool as _};

pub(crate) use script::scenarios;

use self::hand_written::{Chat, Provider};
use crate::prompt::{HandWritten, Prompt, prompt_many};
use crate::script::{DELTAS, SYSTEM_PROMPT};
use crate::serve::Servers;
use crate::tools;
use crate::work::{Outcome, Row, Side, block_on};

const MODEL: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";

/// Returns the rows of this protocol.
pub(crate) fn rows() -> Vec<Row> {
    #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
    let deltas = DELTAS as u32;
    vec![
        Row::new("bedrock cycle, 50", 50, 80, |servers| prompt(servers, "bedrock-cycles-50").boxed()),
        Row::new("bedrock delta", deltas, 100, |servers| prompt(servers, "bedrock-deltas").boxed()),
        Row::new("bedrock delta, gathered", deltas, 100, |servers| prompt(servers, "bedrock-deltas-gathered").boxed()),
        Row::new("bedrock turn 5,000, first", 1, 20, |servers| prompt(servers, "bedrock-turn").after(4_999).boxed()),
        Row::new("bedrock turn 5,000, next", 1, 20, |servers| {
            prompt(servers, "bedrock-turn").after(4_998).next().boxed()
        }),
    ]
}

impl HandWritten for Provider {
    type Chat = Chat;

    /// The SDK's client keeps the connection.
    fn begin(&self, turns: usize, _before: Option<Chat>) -> Chat {
        Chat::with_turns(self, turns)
    }

    async fn prompt(chat: &mut Chat) -> Outcome {
        let before = chat.usage;
        let text = chat.prompt(|piece| _ = std::hint::black_box(piece)).await;
        Outcome { text, usage: (chat.usage.0 - before.0, chat.usage.1 - before.1) }
    }
}

fn prompt(servers: &Servers, scenario: &str) -> Prompt<Provider> {
    let config = config(&servers.address(scenario));
    Prompt::new(provider(&config), block_on(template(&config)))
}

/// Prompts that many conversations at the same time.
pub(crate) async fn streams(side: Side, address: &str, count: usize) {
    let config = config(address);
    prompt_many(|| provider(&config), async || template(&config).await, side, count).await;
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
