//! A server of rmcp over HTTP, in one of two protocol ages, that can be stopped and started again.
#![expect(deprecated, reason = "sampling is deprecated in the newest protocol version")]

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::task_manager::{TaskExit, TaskManager, TaskOptions};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use strands_core::serde_json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Age of the protocol that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// Sessions: 2025-11-25.
    Sessions,
    /// Self-contained requests: 2026-07-28.
    Stateless,
}

pub(crate) const AGES: [Age; 2] = [Age::Sessions, Age::Stateless];

/// State of a server, which outlives its restarts.
pub(crate) struct State {
    age: Age,
    pub(crate) written: AtomicU64,
    pub(crate) listed: AtomicU64,
    pub(crate) started: Notify,
    pub(crate) cancelled: Notify,
    /// Ends `wait`.
    pub(crate) release: Notify,
    pub(crate) description: Mutex<String>,
    pub(crate) last_meta: Mutex<Value>,
    changes: broadcast::Sender<()>,
    tasks: TaskManager,
}

/// A running server. Dropping it stops it.
pub(crate) struct Server {
    pub(crate) state: Arc<State>,
    address: SocketAddr,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) async fn start(age: Age) -> Self {
        let state = Arc::new(State {
            age,
            written: AtomicU64::new(0),
            listed: AtomicU64::new(0),
            started: Notify::new(),
            cancelled: Notify::new(),
            release: Notify::new(),
            description: Mutex::new("Writes.".to_owned()),
            last_meta: Mutex::default(),
            changes: broadcast::channel(16).0,
            tasks: TaskManager::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = Self { state, address, stop: CancellationToken::new(), serving: None };
        server.serve(listener);
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    fn serve(&mut self, listener: TcpListener) {
        self.stop = CancellationToken::new();
        let config = StreamableHttpServerConfig::default().with_cancellation_token(self.stop.child_token());
        let state = Arc::clone(&self.state);
        let handler = move || Ok(Handler(Arc::clone(&state)));
        let service = StreamableHttpService::new(handler, Arc::<LocalSessionManager>::default(), config);
        let router = axum::Router::new().nest_service("/mcp", service);
        self.serving = Some(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
    }

    /// Stops the server and its connections at once, as a crash does.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Starts the server again, at the same address and without its sessions.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        self.serve(listener);
    }

    /// Changes a tool's description, and announces it.
    pub(crate) fn describe(&self, description: &str) {
        *self.state.description.lock().unwrap() = description.to_owned();
        let _ = self.state.changes.send(());
    }
}

struct Handler(Arc<State>);

fn schema(properties: Value) -> JsonObject {
    json!({"type": "object", "properties": properties}).as_object().unwrap().clone()
}

fn text(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

fn form(message: &str) -> InputRequest {
    InputRequest::Elicitation(ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema: serde_json::from_value(schema(json!({"answer": {"type": "string"}})).into()).unwrap(),
    }))
}

fn answer(responses: Option<&InputResponses>, key: &str) -> Option<String> {
    let response = responses?.get(key)?;
    assert_eq!(response["action"], "accept", "{response}");
    Some(response["content"]["answer"].as_str()?.to_owned())
}

impl Handler {
    /// Asks twice, one question after the other, and returns both responses.
    fn ask(request: &CallToolRequestParams) -> CallToolResponse {
        let responses = request.input_responses.as_ref();
        let ask = |key: &str, message: &str, state: Option<String>| {
            let requests = [(key.to_owned(), form(message))].into();
            InputRequiredResult::new(Some(requests), state).into()
        };
        match request.request_state.as_deref() {
            None => ask("name", "Your name?", Some("first".to_owned())),
            Some("first") => match answer(responses, "name") {
                Some(name) => ask("seat", "Your seat?", Some(format!("name={name}"))),
                None => text("no name"),
            },
            Some(state) => text(format!("{state} seat={}", answer(responses, "seat").unwrap_or_default())),
        }
    }

    fn sampling() -> CallToolResponse {
        let request = CreateMessageRequestParams::new(vec![SamplingMessage::user_text("Say hi.")], 100);
        let request = InputRequest::CreateMessage(CreateMessageRequest::new(request));
        InputRequiredResult::new(Some([("sample".to_owned(), request)].into()), Some("sampled".to_owned())).into()
    }

    /// A task that asks once.
    fn asking_task(&self) -> CallToolResponse {
        let task = self.0.tasks.spawn(TaskOptions::new().with_poll_interval_ms(50), move |context| {
            Box::pin(async move {
                let answer = context.request_input("colour", form("Your colour?")).await?;
                let answer = answer["content"]["answer"].as_str().unwrap_or("none").to_owned();
                Ok(CallToolResult::success(vec![ContentBlock::text(format!("colour={answer}"))]))
            })
        });
        CallToolResponse::Task(CreateTaskResult::new(task))
    }

    fn task(&self) -> CallToolResponse {
        let state = Arc::clone(&self.0);
        let task = self.0.tasks.spawn(TaskOptions::new().with_poll_interval_ms(50), move |context| {
            Box::pin(async move {
                state.started.notify_one();
                tokio::select! {
                    () = context.cancelled() => {
                        state.cancelled.notify_one();
                        Err(TaskExit::Cancelled)
                    }
                    () = state.release.notified() => Ok(CallToolResult::success(vec![ContentBlock::text("task done")])),
                }
            })
        });
        CallToolResponse::Task(CreateTaskResult::new(task))
    }
}

impl ServerHandler for Handler {
    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        match self.0.age {
            Age::Sessions => Cow::Borrowed(&[ProtocolVersion::V_2025_11_25]),
            Age::Stateless => Cow::Borrowed(&[ProtocolVersion::V_2026_07_28]),
        }
    }

    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_tool_list_changed().enable_tasks().build();
        let mut config = ServerConfig::new(capabilities).with_instructions("Be kind.");
        if self.0.age == Age::Sessions {
            config.protocol_version = ProtocolVersion::V_2025_11_25;
        }
        config
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.0.listed.fetch_add(1, Ordering::SeqCst);
        if self.0.age == Age::Sessions {
            let (peer, mut changes) = (context.peer, self.0.changes.subscribe());
            tokio::spawn(async move {
                if changes.recv().await.is_ok() {
                    let _ = peer.notify_tool_list_changed().await;
                }
            });
        }
        let description = self.0.description.lock().unwrap().clone();
        let idempotent = ToolAnnotations::new().idempotent(true);
        let tools = [
            "write",
            "ask",
            "ask_at_once",
            "sample",
            "wait",
            "progress",
            "work",
            "work_with_question",
            "visit",
            "broken",
        ];
        let mut tools: Vec<Tool> =
            tools.map(|name| Tool::new(name, description.clone(), schema(json!({})))).into_iter().collect();
        let mut count = tools[0].clone().with_annotations(idempotent);
        count.name = "count".into();
        tools.push(count);
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        *self.0.last_meta.lock().unwrap() = serde_json::to_value(&context.meta).unwrap();
        let state = &self.0;
        match &*request.name {
            "write" | "count" => Ok(text(format!("{}", state.written.fetch_add(1, Ordering::SeqCst) + 1))),
            "broken" => Ok(CallToolResult::error(vec![ContentBlock::text("no paper")]).into()),
            "ask" => Ok(Self::ask(&request)),
            "ask_at_once" => {
                let ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } = (match form("Name?")
                {
                    InputRequest::Elicitation(request) => request.params,
                    _ => unreachable!(),
                }) else {
                    unreachable!()
                };
                let params = ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema };
                match context.peer.create_elicitation(params).await {
                    Ok(result) => Ok(text(serde_json::to_string(&result).unwrap())),
                    Err(error) => Ok(CallToolResult::error(vec![ContentBlock::text(error.to_string())]).into()),
                }
            }
            "sample" => match &request.input_responses {
                Some(responses) => Ok(text(responses["sample"]["content"]["text"].as_str().unwrap_or("nothing"))),
                None => Ok(Self::sampling()),
            },
            "work" => Ok(self.task()),
            "work_with_question" => Ok(self.asking_task()),
            "visit" if state.written.fetch_add(1, Ordering::SeqCst) == 0 => {
                let visit = json!({"mode": "url", "message": "Sign in.", "url": "https://example.com/in", "elicitationId": "e1"});
                let data = json!({"elicitations": [visit]});
                Err(ErrorData::new(ErrorCode(-32042), "sign in first", Some(data)))
            }
            "visit" => Ok(text("signed in")),
            "wait" => {
                state.written.fetch_add(1, Ordering::SeqCst);
                state.started.notify_one();
                tokio::select! {
                    () = context.ct.cancelled() => {
                        state.cancelled.notify_one();
                        Ok(text("cancelled"))
                    }
                    () = state.release.notified() => Ok(text("released")),
                }
            }
            "progress" => {
                let token = context.meta.get_progress_token().unwrap();
                for step in 1..=3 {
                    let progress = ProgressNotificationParam::new(token.clone(), f64::from(step))
                        .with_total(3.0)
                        .with_message(format!("step {step}"));
                    context.peer.notify_progress(progress).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(text("finished"))
            }
            name => Err(ErrorData::invalid_params(format!("no tool `{name}`"), None)),
        }
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.0.changes.subscribe();
        while changes.recv().await.is_ok() {
            if context.sink().notify_tool_list_changed().await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.0.tasks.get_task(&request.task_id)?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.0.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.0.tasks.cancel_task(&request.task_id)
    }
}
