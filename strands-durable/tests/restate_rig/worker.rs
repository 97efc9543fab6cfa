//! Worker of the rig: a process of its own, which the rig kills.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use restate_sdk::http_server::HttpServer;
use serde::{Deserialize, Serialize};
use strands::durable::restate::restate_sdk::endpoint::Endpoint;
use strands::durable::restate::{DurableAgent, ObjectAgent, TurnEvent, serve};
use strands::hook::{BeforeInvocation, BeforeTools, Hook, HookResult};
use strands::models::{OpenAiModel, reqwest};
use strands::multiagent::{Graph, GraphBuilder, Node, NodeInput};
use strands::schemars::{self, JsonSchema};
use strands::{Agent, AgentBuilder, AgentTool, PromptRequest, RetryPolicy, ToolContext, async_trait, tool, tools};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::mock::ToolStart;
use crate::plan;

/// Settings of a worker, as JSON in its argument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) port: u16,
    pub(crate) mock: String,
    /// Address that gets the events, one JSON value a line.
    pub(crate) events: String,
    /// Folder of the tools' effects.
    pub(crate) effects: PathBuf,
    pub(crate) system_prompt: String,
    /// Maximum duration of a tool, in milliseconds.
    pub(crate) tool_time: u64,
    pub(crate) inactivity_timeout: Duration,
    pub(crate) step_timeout: Duration,
    /// True for a version with a hook that makes the steps of the turn others.
    pub(crate) has_hook: bool,
    /// True if only `bob` may approve.
    pub(crate) has_approver: bool,
    /// True for the server of the SDK, which sets no TCP_NODELAY.
    pub(crate) is_sdk_server: bool,
    /// Ingress of the objects, for the worker of the trees that call them.
    pub(crate) ingress: Option<String>,
}

/// Resources of the tools.
struct World {
    client: reqwest::Client,
    settings: Settings,
}

impl World {
    /// Reports the start, and has an effect once for each id.
    async fn act(
        &self,
        session: &str,
        number: u32,
        id: &str,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let start = ToolStart { session: session.to_owned(), id: id.to_owned(), worker: self.settings.port };
        let url = format!("{}/tool", self.settings.mock);
        self.client
            .post(url)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&start)?)
            .send()
            .await?;
        self.sleep().await;
        let folder = self.settings.effects.join(session);
        std::fs::create_dir_all(&folder)?;
        match OpenOptions::new().write(true).create_new(true).open(folder.join(id)) {
            Ok(mut file) => write!(file, "{number}")?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        self.sleep().await;
        Ok(plan::result(session, number))
    }

    async fn sleep(&self) {
        let time = self.settings.tool_time / 2;
        if time > 0 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=time))).await;
        }
    }
}

type ToolResult = Result<String, Box<dyn std::error::Error + Send + Sync>>;

/// Acts once.
#[tool]
async fn act(session: String, number: u32, ctx: &ToolContext, world: &World) -> ToolResult {
    world.act(&session, number, ctx.tool_use_id()).await
}

/// Pays once, if a human approves.
#[tool(approval)]
async fn pay(session: String, number: u32, ctx: &ToolContext, world: &World) -> ToolResult {
    world.act(&session, number, ctx.tool_use_id()).await
}

/// Acts after a long time.
#[tool]
async fn linger(session: String, number: u32, ctx: &ToolContext, world: &World) -> ToolResult {
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.act(&session, number, ctx.tool_use_id()).await
}

/// Returns more than a record may hold.
#[tool]
fn bulk(session: String, number: u32) -> String {
    format!("{session} {number}").repeat(6 << 20)
}

/// A hook that makes the steps of a turn others: no tool runs.
struct NoTools;

#[async_trait]
impl Hook for NoTools {
    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        event.deny = Some("no tools".to_owned());
        Ok(())
    }
}

/// User who responds.
struct By(String);

/// A hook that lets `bob` approve.
struct OnlyBob;

#[async_trait]
impl Hook for OnlyBob {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        match event.context.injected::<By>() {
            Some(By(user)) if user != "bob" => Err(format!("{user} may not approve").into()),
            _ => Ok(()),
        }
    }
}

/// Arguments of an agent of a tree.
#[derive(Deserialize, JsonSchema)]
struct Branch {
    session: String,
    number: u32,
}

/// Returns an agent that is an object elsewhere.
fn elsewhere(ingress: &str, service: &str, name: &str) -> ObjectAgent {
    let builder = ObjectAgent::builder(ingress, service).name(name).description("An agent elsewhere.");
    let by = |request: &PromptRequest| {
        let user = request.injected::<By>().map(|By(user)| ("user".to_owned(), user.clone().into()));
        user.into_iter().collect()
    };
    builder.response_metadata(by).build().unwrap()
}

/// Returns the graph of a tree, whose nodes are objects elsewhere.
fn newsroom(ingress: &str) -> Graph {
    let node = |graph: GraphBuilder, id: &'static str| {
        let prompt = move |_: &(), input: &NodeInput| {
            let task = input.task.text();
            format!("branch {} {}", plan::node_session(task.trim(), id), plan::MARKER)
        };
        graph.node(id, Node::new(elsewhere(ingress, "Rig", id)).input(prompt))
    };
    let graph = plan::NODES.into_iter().fold(Graph::builder("newsroom").description("Writes news."), node);
    graph.edge("facts", "write").edge("prices", "write").edge("write", "judge").build().unwrap()
}

/// Returns the agent of trees: its tools are agents elsewhere, and a graph of them.
fn tree(settings: &Settings, ingress: &str) -> Result<AgentBuilder, Box<dyn std::error::Error>> {
    let agents = plan::AGENTS.into_iter().map(|(name, word, _)| {
        elsewhere(ingress, "Rig", name).as_tool().input(move |Branch { session, number }| {
            format!("{word} {} {}", plan::inner_session(&session, number), plan::MARKER)
        })
    });
    let again = elsewhere(ingress, "Tree", "again").as_tool().input(|Branch { session, number }| {
        format!("tree_deep {} {}", plan::inner_session(&session, number), plan::MARKER)
    });
    let newsroom =
        AgentTool::new(newsroom(ingress)).input(|Branch { session, number }| plan::inner_session(&session, number));
    let plain = Settings { has_approver: false, ..settings.clone() };
    Ok(agent(&plain)?.name("tree").tools(agents.collect::<Vec<_>>()).tools([newsroom, again]))
}

fn agent(settings: &Settings) -> Result<AgentBuilder, Box<dyn std::error::Error>> {
    let model =
        OpenAiModel::builder().base_url(format!("{}/v1", settings.mock)).api_key("test").model_id("mock").build()?;
    let world = World { client: reqwest::Client::new(), settings: settings.clone() };
    let agent = Agent::builder().model(model).system_prompt(&*settings.system_prompt).inject(world);
    let agent = agent.tools(tools![Act, Pay, Linger, Bulk]);
    let agent = if settings.has_hook { agent.hook(NoTools) } else { agent };
    let agent = if settings.has_approver { agent.hook(OnlyBob) } else { agent };
    Ok(agent.retry(RetryPolicy::new().max_attempts(4).initial_delay(Duration::from_secs(2))))
}

/// Returns the sender of events to the rig. Those that can't be sent in time are dropped.
fn events(address: String) -> mpsc::Sender<TurnEvent> {
    let (sender, mut receiver) = mpsc::channel::<TurnEvent>(10_000);
    tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        while let Some(event) = receiver.recv().await {
            let mut line = serde_json::to_vec(&event).unwrap();
            line.push(b'\n');
            if stream.write_all(&line).await.is_err() {
                return;
            }
        }
    });
    sender
}

pub(crate) async fn run(settings: Settings) {
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await.unwrap();
    let sender = events(settings.events.clone());
    let agent = match &settings.ingress {
        Some(ingress) => DurableAgent::new("Tree", tree(&settings, ingress).unwrap()).unwrap(),
        None => DurableAgent::new("Rig", agent(&settings).unwrap()).unwrap(),
    };
    let agent = agent
        .events(move |event| _ = sender.try_send(event))
        .inactivity_timeout(settings.inactivity_timeout)
        .step_timeout(settings.step_timeout);
    let agent = match settings.has_approver {
        true => agent.answered_by(|metadata| {
            let user = metadata.get("user").and_then(|user| user.as_str()).ok_or("the metadata has no `user`")?;
            Ok::<_, &str>(By(user.to_owned()))
        }),
        false => agent,
    };
    let endpoint = Endpoint::builder().bind(agent).build();
    if settings.is_sdk_server {
        HttpServer::new(endpoint).serve(listener).await;
    } else {
        serve(listener, endpoint, std::future::pending()).await;
    }
}
