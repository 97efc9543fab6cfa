//! An agent as a virtual object of Restate: its settings, its description for the server, and the dispatch of its handlers.

use std::sync::Arc;
use std::time::Duration;

use restate_sdk::discovery::{self, HandlerType, InputPayload, OutputPayload, ServiceType};
use restate_sdk::endpoint::{self, ContextInternal};
use restate_sdk::errors::HandlerResult;
use restate_sdk::serde::Json;
use restate_sdk::service::macro_support::{ServiceBoxFuture, service_definition};
use restate_sdk::service::{IntoServiceDefinition, Service, ServiceDefinition};
use serde_json::{Map, Value};
use strands_core::bytes::Bytes;

use super::events::EventPublisher;
use super::messages::{GrantedLimits, RunReference, SessionHistory, WatchedTurn};
use super::running::RunningTurns;
use super::{state, turn, watch};
use crate::answerer::Answerer;
use crate::{AgentTemplate, Answers, TurnRequest, TurnResponse};

/// An agent as a virtual object of Restate, whose key is the id of the session.
///
/// | handler | input | output |
/// |---|---|---|
/// | `prompt` | [`TurnRequest`] | [`TurnResponse`]: runs a turn. Turns of one session are queued |
/// | `stream` | [`TurnRequest`] | [`TurnResponse`]: as `prompt`, with events to the [`EventPublisher`] |
/// | `answer` | [`Answers`] | [`RunReference`]: responds to interrupts of the running turn. If a hook refuses them, the turn waits for others, and `history` says why |
/// | `cancel` | none, or [`RunReference`] | [`RunReference`]: cancels the running turn, or the given one, which may be queued. A running one ends with the stop reason `cancelled`: at once if it runs in this worker, or else at the end of its step. A run of another session is not found |
/// | `watch` | [`RunReference`] | [`WatchedTurn`]: waits until a turn ends or fails, or waits for responses to interrupts. A run of another session is not found |
/// | `granted` | [`RunReference`] | [`GrantedLimits`]: the limits of the running turn by its request |
/// | `history` | none | [`SessionHistory`] |
///
/// Callers are trusted: each one that reaches the handlers of a session can read it and approve its tool calls. Put your service
/// with its own authentication before Restate's ingress.
///
/// # Examples
///
/// ```no_run
/// use strands::Agent;
/// use strands::durable::restate::{self, DurableAgent, restate_sdk::endpoint::Endpoint};
/// use strands::testing::ScriptedModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let agent = DurableAgent::new("Assistant", Agent::builder().model(ScriptedModel::responding("Good morning.")))?;
/// let endpoint = Endpoint::builder().bind(agent).build();
/// let listener = restate::TcpListener::bind("0.0.0.0:9080").await?;
/// restate::serve(listener, endpoint, async { _ = tokio::signal::ctrl_c().await }).await;
/// # Ok(())
/// # }
/// ```
pub struct DurableAgent {
    name: discovery::ServiceName,
    inactivity_timeout: Duration,
    shared: Shared,
}

/// Settings that the handlers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) template: Arc<dyn AgentTemplate>,
    pub(super) publisher: Option<Arc<dyn EventPublisher>>,
    pub(super) answerer: Answerer,
    pub(super) step_timeout: Duration,
    pub(super) running: RunningTurns,
}

/// An error of a name that Restate does not accept for a service.
#[derive(thiserror::Error)]
#[error("invalid service name `{name}`: expected letters, digits, `_`, `.` and `-`, with a letter or `_` first")]
#[non_exhaustive]
pub struct ServiceNameError {
    /// The name.
    pub name: String,
}

strands_core::__debug_with_sources!(ServiceNameError);

/// Time that a step gets beyond its timeout, so that it ends in the worker before the server aborts it.
const ABORT_MARGIN: Duration = Duration::from_secs(30);

impl DurableAgent {
    /// Creates a service with a name and the template of its agent.
    ///
    /// # Errors
    ///
    /// Returns [`ServiceNameError`] if Restate does not accept the name.
    pub fn new(name: impl Into<String>, template: impl AgentTemplate) -> Result<Self, ServiceNameError> {
        let name = name.into();
        Ok(Self {
            name: discovery::ServiceName::try_from(name.clone()).map_err(|_| ServiceNameError { name })?,
            inactivity_timeout: Duration::from_secs(60),
            shared: Shared {
                template: Arc::new(template),
                publisher: None,
                answerer: Answerer::default(),
                step_timeout: Duration::from_secs(15 * 60),
                running: RunningTurns::default(),
            },
        })
    }

    /// Sets the publisher of the events of `stream`. Default: none, so that `stream` is the same as `prompt`.
    pub fn events(mut self, publisher: impl EventPublisher) -> Self {
        self.shared.publisher = Some(Arc::new(publisher));
        self
    }

    /// Sets the function that makes a value of the metadata of [`Answers`], which is injected into the invocation that they
    /// resume: for approvals, the `Approver`. An error refuses them with status 400, and the turn waits on. It is called again in
    /// each replay, so it must decide by the metadata alone: verify tokens before you call `answer`. Default: none; metadata is
    /// refused, and the user for whom the agent works is the approver.
    ///
    /// ```
    /// use strands::Agent;
    /// use strands::durable::restate::DurableAgent;
    /// use strands::identity::{Approver, Identity};
    /// use strands::testing::ScriptedModel;
    ///
    /// let agent = DurableAgent::new("Assistant", Agent::builder().model(ScriptedModel::responding("Good morning.")))?;
    /// let agent = agent.answered_by(|metadata| {
    ///     let user = metadata.get("user").and_then(|user| user.as_str()).ok_or("the metadata has no `user`")?;
    ///     Ok::<_, &str>(Approver::new(Identity::new(user).with_role("manager")))
    /// });
    /// # Ok::<(), strands::durable::restate::ServiceNameError>(())
    /// ```
    pub fn answered_by<V, E>(mut self, of: impl Fn(&Map<String, Value>) -> Result<V, E> + Send + Sync + 'static) -> Self
    where
        V: Send + Sync + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.shared.answerer = Answerer::new(of);
        self
    }

    /// Sets the maximum time of a step: a model call, or the time until the next of concurrent tool calls ends. A step that
    /// takes longer is stopped, and the turn fails. Default: 15 minutes.
    ///
    /// It is also the abort timeout of the service: Restate aborts a step that takes longer than inactivity timeout and abort
    /// timeout together, and repeats it for ever.
    pub fn step_timeout(mut self, time: Duration) -> Self {
        self.shared.step_timeout = time;
        self
    }

    /// Sets the time after which Restate suspends a turn that waits, so that it holds no memory in the worker. After a step
    /// that takes longer, the turn is suspended and replayed as well. Default: one minute.
    pub fn inactivity_timeout(mut self, time: Duration) -> Self {
        self.inactivity_timeout = time;
        self
    }

    fn description(&self) -> discovery::Service {
        let abort_timeout = self.shared.step_timeout.saturating_add(ABORT_MARGIN);
        discovery::Service {
            abort_timeout: Some(milliseconds(abort_timeout)),
            documentation: Some("An agent. The key is the id of the session.".to_owned()),
            enable_lazy_state: None,
            handlers: HANDLERS.iter().filter_map(|handler| handler.description()).collect(),
            idempotency_retention: None,
            inactivity_timeout: Some(milliseconds(self.inactivity_timeout)),
            ingress_private: None,
            journal_retention: None,
            metadata: Default::default(),
            name: self.name.clone(),
            retry_policy_exponentiation_factor: None,
            retry_policy_initial_interval: None,
            retry_policy_max_attempts: None,
            retry_policy_max_interval: None,
            retry_policy_on_max_attempts: None,
            ty: ServiceType::VirtualObject,
        }
    }
}

impl std::fmt::Debug for DurableAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DurableAgent").field("name", &*self.name).finish_non_exhaustive()
    }
}

impl IntoServiceDefinition for DurableAgent {
    fn into_service_definition(self) -> ServiceDefinition {
        let description = self.description();
        service_definition(Dispatcher(self.shared), description)
    }
}

/// Description of a handler.
struct HandlerRow {
    name: &'static str,
    documentation: &'static str,
    is_shared: bool,
    /// True if the state is read from the server when it is needed: later than at the start.
    is_lazy: bool,
    input: fn() -> InputPayload,
    output: fn() -> OutputPayload,
}

const HANDLERS: [HandlerRow; 7] = [
    HandlerRow {
        name: "prompt",
        documentation: "Runs a turn.",
        is_shared: false,
        is_lazy: false,
        input: InputPayload::from_metadata::<Json<TurnRequest>>,
        output: OutputPayload::from_metadata::<Json<TurnResponse>>,
    },
    HandlerRow {
        name: "stream",
        documentation: "Runs a turn and publishes its events.",
        is_shared: false,
        is_lazy: false,
        input: InputPayload::from_metadata::<Json<TurnRequest>>,
        output: OutputPayload::from_metadata::<Json<TurnResponse>>,
    },
    HandlerRow {
        name: "answer",
        documentation: "Responds to interrupts of the running turn.",
        is_shared: true,
        is_lazy: false,
        input: InputPayload::from_metadata::<Json<Answers>>,
        output: OutputPayload::from_metadata::<Json<RunReference>>,
    },
    HandlerRow {
        name: "cancel",
        documentation: "Cancels the running turn, or the given one.",
        is_shared: true,
        is_lazy: false,
        input: InputPayload::from_metadata::<Option<Json<RunReference>>>,
        output: OutputPayload::from_metadata::<Json<RunReference>>,
    },
    HandlerRow {
        name: "watch",
        documentation: "Waits until a turn ends or fails, or waits for responses.",
        is_shared: true,
        is_lazy: true,
        input: InputPayload::from_metadata::<Json<RunReference>>,
        output: OutputPayload::from_metadata::<Json<WatchedTurn>>,
    },
    HandlerRow {
        name: "granted",
        documentation: "Returns the limits of the running turn.",
        is_shared: true,
        is_lazy: false,
        input: InputPayload::from_metadata::<Json<RunReference>>,
        output: OutputPayload::from_metadata::<Json<GrantedLimits>>,
    },
    HandlerRow {
        name: "history",
        documentation: "Returns the conversation at the end of the last turn.",
        is_shared: true,
        is_lazy: false,
        input: InputPayload::empty,
        output: OutputPayload::from_metadata::<Json<SessionHistory>>,
    },
];

impl HandlerRow {
    fn description(&self) -> Option<discovery::Handler> {
        Some(discovery::Handler {
            abort_timeout: None,
            documentation: Some(self.documentation.to_owned()),
            enable_lazy_state: self.is_lazy.then_some(true),
            idempotency_retention: None,
            inactivity_timeout: None,
            ingress_private: None,
            input: Some((self.input)()),
            journal_retention: None,
            metadata: Default::default(),
            name: discovery::HandlerName::try_from(self.name).ok()?,
            output: Some((self.output)()),
            retry_policy_exponentiation_factor: None,
            retry_policy_initial_interval: None,
            retry_policy_max_attempts: None,
            retry_policy_max_interval: None,
            retry_policy_on_max_attempts: None,
            ty: self.is_shared.then_some(HandlerType::Shared),
            workflow_completion_retention: None,
        })
    }
}

/// Dispatch of invocations to the handlers. The SDK's macros would fix the name of the service at compile time.
struct Dispatcher(Shared);

impl Service for Dispatcher {
    type Future = ServiceBoxFuture;

    fn handle(&self, ctx: ContextInternal) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move {
            match ctx.handler_name() {
                name @ ("prompt" | "stream") => {
                    let is_streamed = name == "stream";
                    let (Json(input), metadata) = ctx.input::<Json<Value>>().await;
                    let result = turn::run(&shared, &ctx, metadata, input, is_streamed).await;
                    end(&ctx, result);
                }
                "answer" => {
                    let (Json(input), _) = ctx.input::<Json<Value>>().await;
                    let result = state::answer(&ctx, &shared, input).await;
                    end(&ctx, result);
                }
                "cancel" => {
                    let (input, metadata) = ctx.input::<Bytes>().await;
                    let result = state::cancel(&ctx, &shared.running, &metadata.invocation_id, &input).await;
                    end(&ctx, result);
                }
                "watch" => {
                    let (Json(input), metadata) = ctx.input::<Json<Value>>().await;
                    let result = watch::watch(&ctx, metadata, input).await;
                    end(&ctx, result);
                }
                "granted" => {
                    let (Json(input), _) = ctx.input::<Json<Value>>().await;
                    let result = state::granted(&ctx, input).await;
                    end(&ctx, result);
                }
                "history" => {
                    let _ = ctx.input::<()>().await;
                    let result = state::history(&ctx).await;
                    end(&ctx, result);
                }
                unknown => return Err(endpoint::Error::unknown_handler(ctx.service_name(), unknown)),
            }
            Ok(())
        })
    }
}

fn end<T: restate_sdk::serde::Serialize>(ctx: &ContextInternal, result: HandlerResult<T>) {
    ctx.handle_handler_result(result);
    ctx.end();
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
