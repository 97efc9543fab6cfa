//! [`Promptable`], the trait of agents and everything else that can be prompted, and its owned request.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use futures_core::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::continuation::Continuation;
use crate::event::{AgentEvent, AgentResponse};
use crate::injected::{InjectedKey, InjectedValues};
use crate::interrupt::InterruptResponse;
use crate::limits::Limits;
use crate::models::OutputSchema;
use crate::outcome::AgentError;
use crate::output_type::{OutputType, StructuredOutput};
use crate::prompt::Prompt;
use crate::tool::{Tool, ToolContext, Toolset};

/// Stream of the events of a prompt, which borrows nothing. The first is [`AgentEvent::Start`] and the last [`AgentEvent::Result`]; an
/// error ends them earlier.
pub type PromptStream = Pin<Box<dyn Stream<Item = Result<AgentEvent, AgentError>> + Send>>;

/// Response of a prompt that borrows nothing.
pub type PromptResponse = Pin<Box<dyn Future<Output = Result<AgentResponse, AgentError>> + Send>>;

/// A trait for everything that can be prompted: an agent, a graph of agents, an agent on another server.
///
/// An [`AgentBuilder`](crate::AgentBuilder) builds a new agent for each prompt, with its session if it has a session manager.
/// A [`SharedAgent`](crate::SharedAgent) is one conversation.
///
/// # Contract
///
/// - `name`, `description`, `requires` and `has_session` always return the same values.
/// - The stream does nothing before it is polled. Until then it does not block other prompts.
/// - The first item is [`AgentEvent::Start`] (see [`AgentEvent::start`]) with a unique id for each prompt. Only the error of a
///   rejected prompt may come in its place.
/// - The last item is [`AgentEvent::Result`], or an error; then the stream ends, and stays ended. All events in between are
///   optional: streamed text is sent as [`TextDelta`](AgentEvent::TextDelta)s, and events of another promptable are forwarded
///   with [`at_node`](AgentEvent::at_node).
/// - A failure of the promptable itself is [`AgentError::Promptable`], with its name and the failure as the source.
/// - Cancelling the request ends the stream within 50 ms, with a response whose stop reason is
///   [`StopReason::Cancelled`](crate::models::StopReason::Cancelled).
/// - Dropping the stream ends the work within a second, and the next prompt works. Work elsewhere for a
///   [durable](PromptRequest::is_durable) request continues.
/// - Concurrent prompts do not affect each other. A prompt that can't be accepted is rejected with [`AgentError::Busy`]. If
///   prompts share a session, one may end with a session conflict
///   ([`AgentError::Session`] with [`SessionError::Conflict`](crate::session::SessionError::Conflict)).
/// - A promptable that keeps no conversation returns it with a response that has interrupts, and with each response to a request
///   that [asks for it](PromptRequest::keep_conversation), as [`AgentResponse::continuation`](crate::AgentResponse::continuation).
///   A request with the continuation goes on from there, in any process. It can be stored as JSON, and nests at most 100 levels.
/// - A response with the stop reason [`Interrupt`](crate::models::StopReason::Interrupt) has interrupts. A request without a prompt and
///   without responses to them returns them again. A response that is refused, such as that of a user who may not approve, is an
///   error, and the prompt stays suspended: as it was if the error is the first item, and otherwise as the error
///   [`AgentError::Suspended`] says.
///
/// - A program may [discard](Self::discard) the interrupts of a response in place of responding to them. Work elsewhere that waits for the
///   responses is cancelled then.
///
/// `testing::contract::check_promptable` tests this contract (feature `contract`).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use strands::testing::ScriptedModel;
/// use strands::{Agent, Promptable};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let expert = Agent::builder().model(ScriptedModel::responding("42")).name("expert");
/// let expert: Arc<dyn Promptable> = Arc::new(expert);
/// let response = expert.respond("What is six times seven?".into()).await?;
/// assert_eq!(response.text(), "42");
/// # Ok::<(), strands::AgentError>(())
/// # }).unwrap();
/// ```
pub trait Promptable: Send + Sync {
    /// Returns the display name, which is also used in the paths of events.
    fn name(&self) -> &str;

    /// Returns a description of the purpose, for a model that chooses between agents. Default: empty.
    fn description(&self) -> &str {
        ""
    }

    /// Returns true if a request with the [idempotency key](PromptRequest::idempotency_key) of an earlier one gets the outcome
    /// of that one, also after a crash of this process. A call of such a tool, or such a node, is made again after a crash,
    /// instead of having an unknown outcome. Default: false.
    fn is_idempotent(&self) -> bool {
        false
    }

    /// Returns the keys of the injected values that a request must have. The build of an agent with this promptable as a tool
    /// checks that it has them. The key of [`ToolContext`](crate::ToolContext) stands for any value. Default: none.
    fn requires(&self) -> Vec<InjectedKey> {
        Vec::new()
    }

    /// Returns true if it stores its conversation in a session of its own, so that nothing else may store it, such as a template with a
    /// session manager. Default: false.
    fn has_session(&self) -> bool {
        false
    }

    /// Prompts and streams the events.
    fn stream(&self, request: PromptRequest) -> PromptStream;

    /// Prompts and returns the response, without the events before it.
    ///
    /// # Errors
    ///
    /// Returns the error of the stream, or [`AgentError::NoResponse`] if it just ends.
    fn respond(&self, request: PromptRequest) -> PromptResponse {
        let (mut events, name) = (self.stream(request), self.name().to_owned());
        Box::pin(async move {
            let mut last = None;
            while let Some(event) = std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await {
                if let AgentEvent::Result { response } = event? {
                    last = Some(*response);
                }
            }
            last.ok_or(AgentError::NoResponse { name })
        })
    }

    /// Discards the interrupts of a response, whose continuation the request has: there will be no responses to them. Work elsewhere that waits
    /// for responses is cancelled, so that it does not take those of others, such as the approval of a payment. It may be repeated.
    /// Default: nothing to do.
    ///
    /// [`Agent::discard_interrupts`](crate::Agent::discard_interrupts) calls it for agents that are tools.
    ///
    /// # Errors
    ///
    /// Returns an error if the work may still take responses.
    fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        drop(request);
        Box::pin(ready(Ok(())))
    }
}

macro_rules! forward_promptable {
    ($($holder:ty),+) => {
        $(
            #[deny(clippy::missing_trait_methods)]
            impl<P: Promptable + ?Sized> Promptable for $holder {
                fn name(&self) -> &str {
                    (**self).name()
                }

                fn description(&self) -> &str {
                    (**self).description()
                }

                fn is_idempotent(&self) -> bool {
                    (**self).is_idempotent()
                }

                fn requires(&self) -> Vec<InjectedKey> {
                    (**self).requires()
                }

                fn has_session(&self) -> bool {
                    (**self).has_session()
                }

                fn stream(&self, request: PromptRequest) -> PromptStream {
                    (**self).stream(request)
                }

                fn respond(&self, request: PromptRequest) -> PromptResponse {
                    (**self).respond(request)
                }

                fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
                    (**self).discard(request)
                }
            }
        )+
    };
}

forward_promptable!(Arc<P>, Box<P>);

/// An owned prompt with its options.
///
/// ```
/// use std::time::Duration;
/// use strands::{CancellationToken, Limits, PromptRequest};
///
/// struct User(String);
///
/// let token = CancellationToken::new();
/// let request = PromptRequest::new("Book me a trip.")
///     .inject(User("alice".to_owned()))
///     .limits(Limits::new().duration(Duration::from_secs(60)))
///     .cancel_with(token);
/// assert_eq!(request.injected::<User>().map(|user| user.0.as_str()), Some("alice"));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct PromptRequest {
    /// The prompt.
    pub prompt: Prompt,
    /// Responses to the interrupts with which an earlier prompt ended.
    pub resume: Vec<InterruptResponse>,
    /// Limits, in place of those of the promptable.
    pub limits: Option<Limits>,
    /// Cancels the prompt.
    pub cancellation: CancellationToken,
    /// The continuation of an earlier response, for a promptable that keeps no conversation.
    pub continuation: Option<Continuation>,
    /// True if the response must have the conversation as its continuation, unless the promptable keeps it.
    pub keeps_conversation: bool,
    /// Key under which a promptable elsewhere recognizes the request if it is made again: in the replay of a durable engine, or by
    /// another process that resumes the caller. Requests for other work have other keys. `None` if the caller never repeats it.
    ///
    /// An [`AgentTool`](crate::AgentTool) sends the [`idempotency_key`](ToolContext::idempotency_key) of its call, a node of a graph one of its run, node and visit. An
    /// agent that is built in this process does not use it.
    pub idempotency_key: Option<String>,
    /// True if a durable engine repeats the request, with the same key, after the caller was dropped. Then dropping the stream is
    /// no cancellation: work elsewhere continues, and only the token cancels it.
    pub is_durable: bool,
    /// True if the caller makes no other prompt at the same time, so that work elsewhere may use
    /// [most of the limits](crate::PromptScope::reserve) that are left. An [`AgentTool`](crate::AgentTool) sets it.
    pub is_alone: bool,
    /// Takes the conversation of a prompt that fails or is dropped, of a promptable in this process.
    pub(crate) keep_cut_off: Option<KeepConversation>,
    pub(crate) injected: InjectedValues,
    pub(crate) output: Option<OutputType>,
    pub(crate) tools: Vec<Arc<dyn Tool>>,
}

/// Takes a conversation, to go on with it later.
pub(crate) type KeepConversation = Arc<dyn Fn(&Continuation) + Send + Sync>;

impl PromptRequest {
    /// Creates a request with a prompt and no options.
    pub fn new(prompt: impl Into<Prompt>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// Creates a request without a prompt from within a tool call, with its injected values and its cancellation token.
    pub fn within(ctx: &ToolContext) -> Self {
        let mut request = Self::new(Prompt::none()).cancel_with(ctx.cancellation().clone());
        request.injected = ctx.injected_values().clone();
        request
    }

    /// Injects a value for tools and hooks.
    #[must_use]
    pub fn inject<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.injected.insert_for_invocation(value);
        self
    }

    /// Injects a value that other requests share, unless this request has one of its type.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use strands::PromptRequest;
    ///
    /// let shared = Arc::new("of all requests".to_owned());
    /// let request = PromptRequest::new("hi").inject_default(&shared);
    /// assert_eq!(request.injected::<String>(), Some(&*shared));
    /// let request = PromptRequest::new("hi").inject("of this one".to_owned()).inject_default(&shared);
    /// assert_eq!(request.injected::<String>().map(String::as_str), Some("of this one"));
    /// ```
    #[must_use]
    pub fn inject_default<T: Send + Sync + 'static>(mut self, value: &Arc<T>) -> Self {
        if !self.injected.contains(&InjectedKey::of::<T>()) {
            self.injected.insert_shared(Arc::clone(value));
        }
        self
    }

    /// Resumes with responses to interrupts. The prompt must be [`Prompt::none`].
    #[must_use]
    pub fn resume(mut self, responses: impl IntoIterator<Item = InterruptResponse>) -> Self {
        self.resume.extend(responses);
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Cancels the prompt when `token` is cancelled.
    #[must_use]
    pub fn cancel_with(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Sets the key under which the request is recognized if it is made again.
    ///
    /// ```
    /// use strands::PromptRequest;
    ///
    /// let request = PromptRequest::new("Book it.").idempotency_key("run-17.booking.1");
    /// assert_eq!(request.idempotency_key.as_deref(), Some("run-17.booking.1"));
    /// ```
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Continues from an earlier response, whose [continuation](crate::AgentResponse::continuation) this is.
    #[must_use]
    pub fn continue_from(mut self, continuation: impl Into<Continuation>) -> Self {
        self.continuation = Some(continuation.into());
        self
    }

    /// Asks for the conversation with the response, to continue from it later.
    ///
    /// ```
    /// use strands::testing::{ScriptedModel, ScriptedTurn};
    /// use strands::{Agent, AgentEvent, PromptRequest, Promptable, StreamExt};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let model = ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("{} messages", request.messages.len())));
    /// let template = Agent::builder().model(model);
    /// let mut continuation = None;
    /// let mut texts = Vec::new();
    /// for question in ["How are you?", "And now?"] {
    ///     let mut request = PromptRequest::new(question).keep_conversation();
    ///     request.continuation = continuation.take();
    ///     let mut events = template.stream(request);
    ///     while let Some(event) = events.next().await {
    ///         if let AgentEvent::Result { response } = event? {
    ///             texts.push(response.text());
    ///             continuation = response.continuation;
    ///         }
    ///     }
    /// }
    /// assert_eq!(texts, ["1 messages", "3 messages"]);
    /// # Ok::<(), strands::AgentError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn keep_conversation(mut self) -> Self {
        self.keeps_conversation = true;
        self
    }

    /// Requests structured output, as [`Invocation::output`](crate::Invocation::output) does. The response has it as JSON.
    #[must_use]
    pub fn output<T: StructuredOutput>(mut self) -> Self {
        self.output = Some(OutputType::of::<T>());
        self
    }

    /// Requests the structured output that another request asks for, for a promptable that forwards it.
    ///
    /// ```
    /// use strands::PromptRequest;
    ///
    /// let outer = PromptRequest::new("How many?").output::<u32>();
    /// let inner = PromptRequest::new("Count.").output_of(&outer);
    /// assert_eq!(inner.output_schema().map(|schema| schema.name), outer.output_schema().map(|schema| schema.name));
    /// ```
    #[must_use]
    pub fn output_of(mut self, other: &Self) -> Self {
        self.output.clone_from(&other.output);
        self
    }

    /// Returns the name and the schema of the requested structured output, for a promptable that is no agent.
    pub fn output_schema(&self) -> Option<OutputSchema> {
        self.output.as_ref().map(OutputType::schema)
    }

    /// Adds tools for this prompt, after those of the agent. A prompt that resumes this one has to add them again. A promptable
    /// that is no agent may ignore them.
    ///
    /// One that [ends the turn](crate::ToolPolicy::with_ends_turn) does so even if structured output was requested: the response
    /// then has no output. [`AgentResponse::ended_by`](crate::AgentResponse::ended_by) has the call.
    ///
    /// ```
    /// use strands::testing::{ScriptedModel, ScriptedTurn};
    /// use strands::tool::ConfiguredTool;
    /// use strands::{Agent, AgentEvent, PromptRequest, Promptable, StreamExt, serde_json::json, tool, tools};
    ///
    /// /// Passes the task on.
    /// #[tool]
    /// fn escalate(reason: String) -> String {
    ///     format!("Passed on: {reason}")
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let model = ScriptedModel::new([ScriptedTurn::tool_use("escalate", json!({"reason": "a refund"}))]);
    /// let template = Agent::builder().model(model);
    /// let escalate = ConfiguredTool::new(Escalate).policy(|policy| policy.with_ends_turn(true));
    /// let mut events = template.stream(PromptRequest::new("I want my money back.").tools(tools![escalate]));
    /// while let Some(event) = events.next().await {
    ///     if let AgentEvent::Result { response } = event? {
    ///         assert_eq!(response.text(), "Passed on: a refund");
    ///         assert_eq!(response.ended_by.map(|call| call.input.clone()), Some(json!({"reason": "a refund"})));
    ///     }
    /// }
    /// # Ok::<(), strands::AgentError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn tools(mut self, tools: impl Toolset) -> Self {
        self.tools.extend(tools.into_tools());
        self
    }

    /// Returns the tools that were added for this prompt, for a promptable that forwards them.
    pub fn added_tools(&self) -> &[Arc<dyn Tool>] {
        &self.tools
    }

    /// Reads the JSON of a structured output that something elsewhere has returned for the [schema](Self::output_schema), as the
    /// requested type has it. `None` if no output was requested.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::InvalidOutput`] if it is not valid.
    ///
    /// ```
    /// use strands::{PromptRequest, serde_json::json};
    ///
    /// let request = PromptRequest::new("Cities?").output::<Vec<String>>();
    /// let schema = request.output_schema().map(|schema| schema.schema);
    /// let field = schema.as_ref().and_then(|schema| schema["properties"].as_object()?.keys().next());
    /// let elsewhere = json!({ (field.cloned().unwrap_or_default()): ["Oslo"] });
    /// assert_eq!(request.read_output(&elsewhere)?, Some(json!(["Oslo"])));
    /// # Ok::<(), strands::AgentError>(())
    /// ```
    pub fn read_output(&self, value: &Value) -> Result<Option<Value>, AgentError> {
        let Some(output) = &self.output else { return Ok(None) };
        let invalid = |reason| AgentError::InvalidOutput { output: output.name().to_owned(), attempts: 1, reason };
        output.read(value).map(Some).map_err(invalid)
    }

    /// Returns the injected value of a type.
    pub fn injected<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.injected.get()
    }

    /// Returns true if a value for a key is injected.
    pub fn has_injected(&self, key: &InjectedKey) -> bool {
        self.injected.contains(key)
    }
}

impl<P: Into<Prompt>> From<P> for PromptRequest {
    fn from(prompt: P) -> Self {
        Self::new(prompt)
    }
}

impl fmt::Debug for PromptRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromptRequest")
            .field("prompt", &self.prompt)
            .field("resume", &self.resume.len())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
