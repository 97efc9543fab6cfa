//! The hook: spans and metrics of agents.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, BeforeInvocation, BeforeModelCall, BeforeToolCall,
    BeforeTools, Hook, HookContext, HookReplay, HookResult,
};

use crate::conventions::Conventions;
use crate::instruments::Instruments;
use crate::invocation::Invocation;
use crate::semconv;

/// Default of [`AgentTelemetryBuilder::max_names`].
const MAX_NAMES: usize = 100;

/// A hook that records traces and metrics of agents. Cheap to clone.
///
/// Each invocation is a span `invoke_agent <name>`, with a span for each cycle, and below that one for each attempt of a model
/// call and for each tool call. The parent is the injected [`TraceContext`](strands_core::TraceContext), or else the current span
/// of OpenTelemetry. Inside of a tool, the span of its call is the current one, so that spans of other libraries are its children.
///
/// It is also a [`NodeHook`](strands_core::multiagent::NodeHook): added to a graph or a swarm, each run is a span `invoke_graph <name>` or
/// `invoke_swarm <name>`, with a span `execute_node <id>` for each attempt of a node, which is the parent of the spans of its agent. Usage is
/// on the spans of agents alone.
///
/// Prompts, responses, arguments and results are not recorded, unless
/// [`capture_content`](AgentTelemetryBuilder::capture_content) is set. Add the hook first: then it sees the events as the loop sends
/// them, and the outcomes as other hooks have changed them. A second one on the same agent does nothing.
///
/// # Examples
///
/// ```
/// use strands::telemetry::AgentTelemetry;
/// # use strands::{Agent, testing::ScriptedModel};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let model = ScriptedModel::responding("hi");
/// let mut agent = Agent::builder().model(model).hook(AgentTelemetry::new()).build().await?;
/// agent.prompt("Hello").await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct AgentTelemetry {
    shared: Arc<Shared>,
}

/// Parts that all invocations share.
pub(crate) struct Shared {
    pub(crate) tracer: BoxedTracer,
    pub(crate) instruments: Instruments,
    pub(crate) conventions: Conventions,
}

/// Builder for [`AgentTelemetry`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct AgentTelemetryBuilder {
    tracer: Option<BoxedTracer>,
    meter: Option<Meter>,
    conventions: Conventions,
    max_names: usize,
}

/// Attributes of all spans of an invocation. [Inject](strands_core::Invocation::inject) them into it.
///
/// ```
/// use strands::telemetry::TraceAttributes;
/// # use strands::{Agent, testing::ScriptedModel};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let mut agent = Agent::builder().model(ScriptedModel::responding("hi")).build().await?;
/// agent.prompt("Hello").inject(TraceAttributes::new().user_id("u-17").with("tenant", "acme")).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "attributes have no effect until they are injected"]
pub struct TraceAttributes {
    attributes: Vec<KeyValue>,
}

impl TraceAttributes {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute. Its name is yours; use names of OpenTelemetry for what they stand for.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(name.into(), value.into()));
        self
    }

    /// Adds the id of the user, as `user.id`.
    pub fn user_id(self, id: impl Into<String>) -> Self {
        self.with(semconv::USER_ID, id.into())
    }

    pub(crate) fn as_slice(&self) -> &[KeyValue] {
        &self.attributes
    }
}

impl AgentTelemetry {
    /// Creates the hook with the settings of the environment, and the global providers of OpenTelemetry, which
    /// [`init`](crate::init) sets. Create it after them.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder with the settings of the environment.
    pub fn builder() -> AgentTelemetryBuilder {
        AgentTelemetryBuilder {
            tracer: None,
            meter: None,
            conventions: Conventions::from_variables(|name| std::env::var(name).ok()),
            max_names: MAX_NAMES,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns the data of the invocation, unless another instance of this hook has it.
    fn invocation(&self, context: &HookContext) -> Option<Arc<Invocation>> {
        // Each hook of an agent has an address of its own, also if it is a clone of another one.
        let owner = std::ptr::from_ref(self).addr();
        let invocation = context.local(|| Invocation::new(Arc::clone(&self.shared), owner));
        invocation.belongs_to(owner).then_some(invocation)
    }
}

impl Default for AgentTelemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl AgentTelemetryBuilder {
    /// Sets the tracer provider. Default: the global one.
    pub fn tracer_provider<P>(mut self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer + Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Send + Sync + 'static,
    {
        self.tracer = Some(BoxedTracer::new(Box::new(provider.tracer_with_scope(scope()))));
        self
    }

    /// Sets the meter provider. Default: the global one.
    pub fn meter_provider(mut self, provider: &impl MeterProvider) -> Self {
        self.meter = Some(provider.meter_with_scope(scope()));
        self
    }

    /// Records prompts, responses, and arguments and results of tools on spans. Default: false, or the variable
    /// `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`.
    ///
    /// Readers of the traces can then read the conversations. Bytes of images and documents are left out.
    pub fn capture_content(mut self, capture: bool) -> Self {
        self.conventions.content = capture;
        self
    }

    /// Sets the tokens that choose semantic conventions, separated by commas: `gen_ai_latest_experimental`,
    /// `gen_ai_tool_definitions` and `gen_ai_span_attributes_only`. With `gen_ai_unredacted_attributes`, content is off, unless it is
    /// turned on after this call. Default: the variable `OTEL_SEMCONV_STABILITY_OPT_IN`.
    pub fn semantic_conventions(mut self, tokens: &str) -> Self {
        self.conventions = self.conventions.with_opt_in(tokens);
        self
    }

    /// Sets the maximum number of agents, of models and of tools that metrics tell apart. Further ones are `_OTHER`. Default: 100.
    pub fn max_names(mut self, max: usize) -> Self {
        self.max_names = max;
        self
    }

    /// Builds the hook.
    pub fn build(self) -> AgentTelemetry {
        let Self { tracer, meter, conventions, max_names } = self;
        let meter = meter.unwrap_or_else(|| global::meter_with_scope(scope()));
        let shared = Shared {
            tracer: tracer.unwrap_or_else(|| global::tracer_with_scope(scope())),
            instruments: Instruments::new(&meter, max_names),
            conventions,
        };
        AgentTelemetry { shared: Arc::new(shared) }
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(semconv::SCOPE).with_version(env!("CARGO_PKG_VERSION")).build()
}

#[async_trait]
impl Hook for AgentTelemetry {
    fn replay(&self) -> HookReplay {
        HookReplay::Called
    }

    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        // A replay repeats what an earlier attempt has recorded.
        if let Some(invocation) = self.invocation(event.context).filter(|_| !event.context.is_replay()) {
            invocation.begin(event);
        }
        Ok(())
    }

    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        if let Some(invocation) = self.invocation(event.context) {
            invocation.end(event);
        }
        Ok(())
    }

    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        if let Some(invocation) = self.invocation(event.context) {
            invocation.begin_model_call(event);
        }
        Ok(())
    }

    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        if let Some(invocation) = self.invocation(event.context) {
            invocation.end_model_call(event);
        }
        Ok(())
    }

    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        if let Some(invocation) = self.invocation(event.context).filter(|_| !event.context.is_replay()) {
            invocation.begin_tools(event.context);
        }
        Ok(())
    }

    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        if let Some(invocation) = self.invocation(event.context) {
            invocation.end_tools();
        }
        Ok(())
    }

    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        if let Some(invocation) = self.invocation(event.context) {
            invocation.begin_tool_call(event);
        }
        Ok(())
    }

    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        if let Some(invocation) = self.invocation(event.context) {
            invocation.end_tool_call(event);
        }
        Ok(())
    }
}

impl fmt::Debug for AgentTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTelemetry").field("conventions", &self.shared.conventions).finish_non_exhaustive()
    }
}

impl fmt::Debug for AgentTelemetryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTelemetryBuilder").field("conventions", &self.conventions).finish_non_exhaustive()
    }
}
