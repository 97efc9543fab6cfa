//! A client and a server of this crate, over each binding.

use strands::a2a::axum::serve::ListenerExt as _;
use strands::a2a::{A2aAgent, A2aServer, Transport, axum};
use strands::message::{ContentBlock, ImageBlock, ImageFormat};
use strands::models::StopReason;
use strands::serde_json::{self, json};
use strands::testing::contract::check_promptable;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentBuilder, AgentEvent, CancellationToken, PromptRequest, Promptable, StreamExt, ToolContext, ToolError,
    tool, tools,
};
use strands_testkit::{Response, Server};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::peer::{CARD, prompt};

/// A server on a port of its own.
struct Served {
    server: A2aServer,
    url: String,
    serving: AbortHandle,
}

impl Served {
    async fn new(agent: AgentBuilder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = A2aServer::builder(agent.name("expert").description("Knows."), &url).build().unwrap();
        let router = server.router();
        // Without it each small chunk waits for the acknowledgement of the one before.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { server, url, serving }
    }

    /// The agent over each binding: JSON-RPC and HTTP+JSON of protocol 1.0, and JSON-RPC of 0.3.
    async fn agents(&self) -> [A2aAgent; 3] {
        let preferring = |transport| A2aAgent::builder(&self.url).preferred_transport(transport).connect();
        let old_card = json!({
            "name": "expert", "description": "Knows.", "url": self.url, "protocolVersion": "0.3.0",
            "capabilities": {"streaming": true},
        });
        let cards = Server::handler(move |request| {
            assert_eq!(request.path, CARD);
            Response::json(200, &old_card)
        });
        let cards = cards.await;
        let old = A2aAgent::builder(cards.url()).allow_origin(&self.url).connect();
        [
            preferring(Transport::JsonRpc).await.unwrap(),
            preferring(Transport::HttpJson).await.unwrap(),
            old.await.unwrap(),
        ]
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Repeats the text of the newest message, with the number of its images.
fn echo() -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| {
        let newest = request.messages.last().unwrap();
        let images = newest.content.iter().filter(|block| matches!(block, ContentBlock::Image(_))).count();
        ScriptedTurn::text(format!("{}, and {images} images", newest.text()))
    });
    Agent::builder().model(model)
}

#[tokio::test]
async fn content_reaches_the_agent() {
    let served = Served::new(echo()).await;
    for agent in served.agents().await {
        let image: ContentBlock = ImageBlock::new(ImageFormat::Png, vec![1, 2, 3]).into();
        let prompted = prompt(&agent, PromptRequest::new(["hi".into(), image.clone()])).await;
        assert_eq!(prompted.text, "hi, and 1 images");
        let response = prompted.response();
        assert_eq!((&response.stop_reason, response.text().as_str()), (&StopReason::EndTurn, "hi, and 1 images"));
    }
}

#[tokio::test]
async fn a_conversation_goes_on() {
    let model = ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("{} messages", request.messages.len())));
    let served = Served::new(Agent::builder().model(model)).await;
    for agent in served.agents().await {
        let first = prompt(&agent, PromptRequest::new("one").keep_conversation()).await.response();
        assert_eq!(first.text(), "1 messages");
        let second = prompt(&agent, PromptRequest::new("two").continue_from(first.continuation.unwrap())).await;
        assert_eq!(second.text, "3 messages");
    }
}

/// Books a flight.
#[tool]
fn book(ctx: &ToolContext) -> Result<String, ToolError> {
    let seat = ctx.interrupt("seat", json!({"price": 120}))?;
    Ok(format!("booked {seat}"))
}

#[tokio::test]
async fn interrupts_reach_the_client_and_are_resumed() {
    let model = ScriptedModel::from_fn(|request| {
        let results = request.messages.iter().flat_map(|message| message.tool_results()).next();
        match results {
            Some(result) => ScriptedTurn::text(serde_json::to_string(&result.content).unwrap()),
            None => ScriptedTurn::tool_use("book", json!({})),
        }
    });
    let served = Served::new(Agent::builder().model(model).tools(tools![Book])).await;
    for agent in served.agents().await {
        let response = prompt(&agent, "Book it.").await.response();
        let [interrupt] = response.interrupts.as_slice() else { panic!("{response:?}") };
        assert_eq!((interrupt.name.as_str(), &interrupt.reason), ("seat", &json!({"price": 120})));
        let request =
            PromptRequest::default().resume([interrupt.respond("12A")]).continue_from(response.continuation.unwrap());
        let resumed = prompt(&agent, request).await.response();
        assert_eq!(resumed.text(), r#"[{"text":"booked \"12A\""}]"#);
    }
}

#[tokio::test]
async fn a_cancelled_prompt_ends_the_task_of_the_server() {
    // After the start of the message and its text.
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("Let me wait.").stalling_after(2));
    let served = Served::new(Agent::builder().model(model)).await;
    for agent in served.agents().await {
        let token = CancellationToken::new();
        let mut events = agent.stream(PromptRequest::new("hi").cancel_with(token.clone()));
        while !matches!(events.next().await.unwrap().unwrap(), AgentEvent::TextDelta { .. }) {}
        assert_eq!(served.server.running_tasks(), 1);
        token.cancel();
        let Some(Ok(AgentEvent::Result { response })) = events.next().await else { panic!("no response") };
        assert_eq!(response.stop_reason, StopReason::Cancelled);
        drop(events);
        while served.server.running_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let served = Served::new(echo()).await;
    for agent in served.agents().await {
        check_promptable(&agent, || PromptRequest::new("hi")).await.unwrap();
    }
}
