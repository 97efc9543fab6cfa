//! [`AgentTool`]: agents, and other things that take prompts, as tools of an agent.

mod output;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::continuation::Continuation;
use crate::diagnostics;
use crate::event::{AgentEvent, AgentResponse};
use crate::injected::InjectedKey;
use crate::interrupt::Interrupt;
use crate::outcome::AgentError;
use crate::output_type::{OutputType, StructuredOutput, schema_of};
use crate::prompt::Prompt;
use crate::promptable::{KeepConversation, PromptRequest, Promptable};
use crate::stop_reason::StopReason;
use crate::tool::{Tool, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolSetError, ToolSpec, tool_name_of};

/// Added to the description of a tool that delegates, as Strands does.
const DELEGATES: &str = " Calling this tool will return its response directly to the user as the final answer. It should be the \
                         only tool called in the turn.";

/// Start of the name of the agent's state that has the conversation of a tool which keeps it.
const KEPT: &str = "agent_tool:";

/// Conversion of the arguments of a call to the prompt.
type ReadInput = Arc<dyn Fn(Value) -> Result<Prompt, ToolError> + Send + Sync>;

/// An agent as a tool of another agent. A model calls it with a task, and gets the agent's response as the result.
///
/// Any [`Promptable`] can be such a tool. An [`AgentBuilder`](crate::AgentBuilder) is a template: each call builds a new agent, so that
/// concurrent calls do not affect each other. A template in [`tools!`](crate::tools) becomes a tool with its name and description.
///
/// - **Host values**: the agent has the injected values of the outer one, unless its template has its own, and the
///   values of the outer invocation, such as the identity of the user, in any case. The build of the outer agent fails
///   if a tool of the template needs a value that neither has.
/// - **Limits, usage, cancellation and trace**: the agent shares those of the outer invocation, in addition to its own.
/// - **Events** are forwarded as those of a node with the tool's name and the id of the call: `researcher:tooluse_1`.
/// - **Interrupts** are raised by the outer agent, with ids that start with the id of the call. A response resumes all levels, in
///   another process as well: the conversation of the inner agent is stored with the suspended call of the outer one. The agent takes
///   each response when it comes, and waits for the others. A response that it does not accept, such as an approval by a
///   user who may not approve, ends the outer invocation with the error, and both stay suspended. A response that was stored, but that the
///   agent has not taken when the invocation ends or the process dies, has to be given again.
/// - **Failures** of the agent are error results for the outer model, and so is an end by a limit. After a crash, the outcome of a call
///   that was resumed is unknown, unless the tool is declared idempotent, which that of an
///   [idempotent](Promptable::is_idempotent) promptable is: it gets the [key](ToolContext::idempotency_key) of the call. Declare a
///   template idempotent only if all its tools are, also those that need an approval: retries of the call run them again.
///
/// [`ConfiguredTool`](crate::tool::ConfiguredTool) sets the policy, the annotations and a limiter.
///
/// # Examples
///
/// ```
/// use strands::testing::{ScriptedModel, ScriptedTurn};
/// use strands::{Agent, serde_json::json, tools};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let researcher = Agent::builder()
///     .name("researcher")
///     .description("Finds facts.")
///     .model(ScriptedModel::responding("Oslo has 700,000 inhabitants."));
/// let model = ScriptedModel::new([
///     ScriptedTurn::tool_use("researcher", json!({"input": "How many people live in Oslo?"})),
///     ScriptedTurn::text("About 700,000."),
/// ]);
/// let mut writer = Agent::builder().model(model).tools(tools![researcher]).build().await?;
/// assert_eq!(writer.prompt("Write about Oslo.").await?.text(), "About 700,000.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// Typed input and output, with settings:
///
/// ```
/// use strands::schemars::JsonSchema;
/// use strands::serde::Deserialize;
/// use strands::testing::{ScriptedModel, ScriptedTurn};
/// use strands::{Agent, serde_json::json, tools};
///
/// /// A trip to plan.
/// #[derive(Deserialize, JsonSchema)]
/// # #[serde(crate = "strands::serde")]
/// # #[schemars(crate = "strands::schemars")]
/// struct Trip {
///     city: String,
///     nights: u8,
/// }
///
/// #[derive(Deserialize, JsonSchema)]
/// # #[serde(crate = "strands::serde")]
/// # #[schemars(crate = "strands::schemars")]
/// struct Price {
///     euros: u32,
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let priced = ScriptedModel::new([ScriptedTurn::tool_use("Price", json!({"euros": 420}))]);
/// let pricing = Agent::builder().name("pricing").model(priced);
/// let pricing = pricing
///     .as_tool()
///     .description("Prices a trip.")
///     .input(|trip: Trip| format!("Price {} nights in {}.", trip.nights, trip.city))
///     .output::<Price>();
/// # let model = ScriptedModel::new([
/// #     ScriptedTurn::tool_use("pricing", json!({"city": "Oslo", "nights": 2})),
/// #     ScriptedTurn::text("420 euros."),
/// # ]);
/// let mut agent = Agent::builder().model(model).tools(tools![pricing]).build().await?;
/// assert_eq!(agent.prompt("What are two nights in Oslo?").await?.text(), "420 euros.");
/// let result = agent.messages()[2].tool_results().next().map(|result| result.content.clone());
/// assert_eq!(result, Some(vec![json!({"euros": 420}).into()]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
#[must_use = "a tool does nothing unless an agent has it"]
pub struct AgentTool {
    agent: Arc<dyn Promptable>,
    spec: ToolSpec,
    requires: Vec<InjectedKey>,
    policy: ToolPolicy,
    /// The description without that of delegation.
    description: String,
    keeps_context: bool,
    shares_session: bool,
    read_input: ReadInput,
    output: Option<OutputType>,
}

impl AgentTool {
    /// Creates a tool with the name and the description of a promptable. Characters that a tool's name can't have become `_`.
    pub fn new(agent: impl Promptable + 'static) -> Self {
        let name = tool_name_of(agent.name()).unwrap_or_else(|| "agent".to_owned());
        let description = match agent.description() {
            "" => format!("Asks the agent `{name}`, which gets the input and knows nothing else of the conversation."),
            description => description.to_owned(),
        };
        let input = json!({
            "type": "object",
            "properties": {
                "input": {"type": "string", "description": "The task for the agent, with all that it has to know."},
            },
            "required": ["input"],
        });
        let read_input = |input: Value| match input.get("input").and_then(Value::as_str) {
            Some(text) => Ok(text.into()),
            None => Err(ToolError::invalid_input("`input` must be a text")),
        };
        let mut spec = ToolSpec::new(name, description.clone(), input);
        if agent.is_idempotent() {
            spec.annotations = spec.annotations.with_idempotent(true);
        }
        Self {
            requires: agent.requires(),
            agent: Arc::new(agent),
            spec,
            description,
            policy: ToolPolicy::new(),
            keeps_context: false,
            shares_session: false,
            read_input: Arc::new(read_input),
            output: None,
        }
    }

    /// Sets the name of the tool. Default: that of the agent.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.spec.name = name.into();
        self
    }

    /// Sets the description for the outer model. Default: that of the agent.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self.describe();
        self
    }

    /// Sets the arguments: a type with a schema that is an object, and a function that makes the prompt of them.
    pub fn input<T, P>(mut self, prompt: impl Fn(T) -> P + Send + Sync + 'static) -> Self
    where
        T: DeserializeOwned + schemars::JsonSchema,
        P: Into<Prompt>,
    {
        self.spec.input_schema = schema_of::<T>();
        self.read_input = Arc::new(move |input| match T::deserialize(input) {
            Ok(input) => Ok(prompt(input).into()),
            Err(error) => Err(ToolError::invalid_input(error.to_string())),
        });
        self
    }

    /// Requests structured output of the agent. The result of a call is its JSON.
    pub fn output<T: StructuredOutput>(mut self) -> Self {
        self.spec.output_schema = Some(schema_of::<T>());
        self.output = Some(OutputType::of::<T>());
        self
    }

    /// Sets whether calls continue one conversation, rather than starting a new one each. Default: false.
    ///
    /// The conversation is part of the outer agent's state, under the name `agent_tool:` and that of the tool, so that it is in
    /// its session and in its snapshots. What a call has done before it failed, was cancelled or took too long is part of it. It is as long as the conversation manager of the inner agent allows. Such calls are not
    /// concurrent with others of the same turn. A promptable that has a session, or is one conversation like
    /// [`SharedAgent`](crate::SharedAgent), keeps its context itself. An agent that a limit has stopped remembers that turn; a call that
    /// stops another promptable, such as a graph, leaves its context as it was.
    ///
    /// [Rewinding](crate::Agent::rewind) the outer agent does not rewind its state, and so not this conversation. A direct call, which may
    /// come from any client of a server, fails with [`AgentError::KeptContext`].
    pub fn keeps_context(mut self, keeps_context: bool) -> Self {
        self.keeps_context = keeps_context;
        self
    }

    /// Sets whether the agent may have a session of its own, which all calls share: those of all conversations, and of all users. Default:
    /// false, and the build of the outer agent fails with [`ToolSetError::SharedSession`](crate::ToolSetError::SharedSession).
    ///
    /// It is for templates that belong to one conversation, such as one whose session manager is that of the outer agent, with an
    /// [agent id](crate::AgentBuilder::agent_id) of its own. Such calls are not concurrent with others of the same turn.
    pub fn shares_session(mut self, shares_session: bool) -> Self {
        self.shares_session = shares_session;
        self
    }

    /// Sets whether the response of the agent is the response of the outer agent, without another call of its model. Default:
    /// false. See [`ToolPolicy::with_ends_turn`]; the description for the model says so, too.
    pub fn delegates(mut self, delegates: bool) -> Self {
        self.policy.ends_turn = delegates;
        self.describe();
        self
    }

    fn describe(&mut self) {
        self.spec.description.clone_from(&self.description);
        if self.policy.ends_turn {
            self.spec.description.push_str(DELEGATES);
        }
    }

    fn kept_name(&self) -> String {
        format!("{KEPT}{}", self.spec.name)
    }

    /// Returns the request of a call.
    fn request(&self, ctx: &ToolContext, input: Value) -> Result<PromptRequest, ToolError> {
        if self.keeps_context && ctx.is_direct() {
            return Err(ToolError::fatal(AgentError::KeptContext { tool: self.spec.name.clone() }));
        }
        let mut request = PromptRequest::within(ctx);
        request.output.clone_from(&self.output);
        request.keeps_conversation = self.keeps_context;
        request.keep_cut_off = self.keeps_context.then(|| self.keeps_cut_off(ctx));
        request.idempotency_key = Some(ctx.idempotency_key());
        (request.is_durable, request.is_alone) = (ctx.is_journaled(), true);
        match ctx.continuation() {
            Some(suspended) => {
                request.resume.extend(ctx.nested_responses());
                // A promptable that keeps its conversation has no continuation.
                request.continuation = Some(suspended.clone()).filter(|suspended| !suspended.value().is_null());
            }
            None if ctx.nested_responses().next().is_some() => {
                return Err(ToolError::new("the suspended agent of this call is no longer known; call the tool again"));
            }
            None => {
                request.prompt = (self.read_input)(input)?;
                request.continuation =
                    if self.keeps_context { ctx.state().get(&self.kept_name()).map(Continuation::new) } else { None };
            }
        }
        Ok(request)
    }

    /// Returns a function that keeps the conversation of a call that fails or is cut off, so that the agent knows what it has done.
    fn keeps_cut_off(&self, ctx: &ToolContext) -> KeepConversation {
        let (state, name) = (ctx.state().clone(), self.kept_name());
        let tool = self.spec.name.clone();
        Arc::new(move |conversation| {
            if state.set(name.as_str(), conversation.value()).is_err() {
                diagnostics::context_not_kept(&tool);
            }
        })
    }

    /// Forwards the events of a prompt, and returns its response.
    async fn response(&self, ctx: &ToolContext, request: PromptRequest) -> Result<AgentResponse, ToolError> {
        let name = &self.spec.name;
        let node = format!("{name}:{}", ctx.tool_use_id());
        let mut events = self.agent.stream(request);
        let (mut last, mut is_unchanged) = (None, ctx.continuation().is_some());
        while let Some(event) = events.next().await {
            let mut event = match event {
                Ok(event) => event,
                Err(AgentError::Suspended { source, interrupts, continuation }) => {
                    return Err(ToolError::not_resumed(*source, Some(suspension(ctx, interrupts, continuation))));
                }
                // The promptable has rejected the request, so that it can be resumed again.
                Err(error) if is_unchanged => return Err(ToolError::not_resumed(error, None)),
                Err(error) => return Err(failed(name, error)),
            };
            is_unchanged = false;
            if let AgentEvent::Result { response } = &mut event {
                let continuation = response.continuation.take();
                last = Some(AgentResponse { continuation, ..(**response).clone() });
            }
            ctx.forward(&node, event).await;
        }
        last.ok_or_else(|| ToolError::new(format!("the agent `{name}` ended without a response")))
    }
}

#[async_trait]
impl Tool for AgentTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn requires(&self) -> &[InjectedKey] {
        &self.requires
    }

    fn policy(&self) -> ToolPolicy {
        self.policy.with_exclusive(self.policy.exclusive || self.keeps_context || self.shares_session)
    }

    fn check(&self) -> Result<(), ToolSetError> {
        match self.agent.has_session() && !self.shares_session {
            true => Err(ToolSetError::SharedSession { name: self.spec.name.clone() }),
            false => Ok(()),
        }
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let request = self.request(ctx, input)?;
        // Boxed, since nested agents are polled on one stack.
        let mut response = Box::pin(self.response(ctx, request)).await?;
        let continuation = response.continuation.take();
        if response.stop_reason == StopReason::Interrupt {
            let (interrupts, continuation) = suspension(ctx, response.interrupts, continuation);
            return Err(ToolError::interrupts(interrupts, continuation));
        }
        // An agent that was cut off goes on with another prompt. A graph does not: its run is unfinished, and the result of the call says
        // that it was stopped. The next call then goes on with what the last finished one has left.
        let is_cut_off = response.stop_reason == StopReason::Cancelled || response.stop_reason.is_limit();
        let is_kept = |state: &Continuation| self.keeps_context && (!is_cut_off || state.is_of_agent());
        if let Some(conversation) = continuation.filter(is_kept)
            && ctx.state().set(self.kept_name(), conversation.value()).is_err()
        {
            // The work is done, and its result counts.
            diagnostics::context_not_kept(&self.spec.name);
        }
        output::of(&self.spec.name, &response, self.output.is_some())
    }

    async fn discard(&self, continuation: &Continuation) -> Result<(), ToolError> {
        let mut request = PromptRequest::new(Prompt::none());
        request.continuation = Some(continuation.clone()).filter(|suspended| !suspended.value().is_null());
        self.agent.discard(request).await.map_err(|error| failed(&self.spec.name, error))
    }
}

/// Returns the interrupts of an agent with ids that name the call, and the state with which the call continues.
fn suspension(
    ctx: &ToolContext,
    interrupts: Vec<Interrupt>,
    continuation: Option<Continuation>,
) -> (Vec<Interrupt>, Continuation) {
    let prefix = Interrupt::nested_prefix(ctx.tool_use_id());
    let nested =
        |interrupt: Interrupt| Interrupt { id: format!("{prefix}{}", interrupt.id), response: None, ..interrupt };
    // A promptable that keeps its conversation has no continuation.
    let continuation = continuation.unwrap_or_else(|| Continuation::new(Value::Null));
    (interrupts.into_iter().map(nested).collect(), continuation)
}

fn failed(name: &str, error: AgentError) -> ToolError {
    match error {
        // With the text for the model, if the failure has one.
        error @ AgentError::Promptable { .. } => ToolError::from_source(error),
        error => ToolError::from_source(AgentError::Promptable { name: name.to_owned(), source: Box::new(error) }),
    }
}

impl fmt::Debug for AgentTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTool").field("name", &self.spec.name).finish_non_exhaustive()
    }
}
