//! A custom model provider: an engine in this process, a server with its own protocol, or here a rule. The loop, tools,
//! streaming and sessions work with it as with any other.
//!
//! ```text
//! $ cargo run -p quickstart --bin custom_model
//! backwards-1: .olleh
//! stopped with end_turn, 2 tokens
//! ```

use futures_util::stream;
use strands::message::Role;
use strands::metrics::{ModelMetrics, Usage};
use strands::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent};
use strands::{Agent, AgentEvent, Stream, StreamExt, async_trait};

/// Repeats the prompt backwards.
struct Backwards;

#[async_trait]
impl Model for Backwards {
    fn model_id(&self) -> &str {
        "backwards-1"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let prompt = request.messages.iter().rev().find(|message| message.role == Role::User);
        let text: String = prompt.map(|message| message.text().chars().rev().collect()).unwrap_or_default();
        // The request is borrowed, so the stream copies what it needs. A provider reads a server's response in chunks here;
        // an interrupted response must end with an error, `ModelError::transport(..)`.
        Ok(Box::pin(events(text)))
    }
}

fn events(text: String) -> impl Stream<Item = Result<StreamEvent, ModelError>> + Send {
    let mut usage = Usage::default();
    (usage.input_tokens, usage.output_tokens, usage.total_tokens) = (1, 1, 2);
    let letters: Vec<_> = text.chars().map(|letter| StreamEvent::text(0, letter)).collect();
    let end = [
        StreamEvent::block_stop(0),
        StreamEvent::stop(StopReason::EndTurn),
        StreamEvent::metadata(usage, ModelMetrics::default()),
    ];
    stream::iter([StreamEvent::start()].into_iter().chain(letters).chain(end).map(Ok))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut agent = Agent::builder().model(Backwards).build().await?;
    print!("{}: ", agent.model().model_id());
    let mut events = agent.prompt("hello.").stream();
    while let Some(event) = events.next().await {
        match event? {
            AgentEvent::TextDelta { text } => print!("{text}"),
            AgentEvent::Result { response } => {
                println!("\nstopped with {}, {} tokens", response.stop_reason, response.usage.total_tokens);
            }
            _ => {}
        }
    }
    Ok(())
}
