//! [`Invocation`], a prompt with its options, and [`AgentStream`], the stream of its events.

use std::any::Any;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_core::{FusedStream, Stream};
use futures_util::TryFutureExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Agent;
use super::shared::TakenAgent;
use crate::diagnostics;
use crate::event::{AgentEvent, AgentResponse};
use crate::event_loop::{Driver, Emitter, Listener, Request, ToolSelection};
use crate::interrupt::InterruptResponse;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::message::SystemBlock;
use crate::models::OutputSchema;
use crate::outcome::AgentError;
use crate::output_type::{OutputType, StructuredOutput};
use crate::prompt::Prompt;
use crate::promptable::{KeepConversation, PromptRequest};
use crate::tool::{ToolContext, Toolset};

/// A prompt with its options. It does nothing until it is awaited or streamed.
///
/// Dropping it, its future or its stream stops the model call and the tools, and leaves a valid history for the next prompt.
#[must_use = "an invocation does nothing until it is awaited or streamed"]
pub struct Invocation<'a, T = Value> {
    agent: AgentHolder<'a>,
    /// Boxed, since options move the invocation, and since its future is held for as long as it runs.
    request: Box<Request<'a>>,
    read_output: ReadOutput<T>,
}

/// Reads a validated output as its type. Without a type, `Some`.
type ReadOutput<T> = fn(Value) -> Option<T>;

/// The agent of an invocation.
enum AgentHolder<'a> {
    Borrowed(&'a mut Agent),
    Owned(OwnedAgent),
    Taken(TakenAgent),
}

impl AgentHolder<'_> {
    fn get(&self) -> Option<&Agent> {
        match self {
            Self::Borrowed(agent) => Some(agent),
            Self::Owned(owned) => Some(&owned.agent),
            Self::Taken(taken) => taken.agent.as_deref(),
        }
    }

    /// `None` only while a shared agent is returned.
    fn get_mut(&mut self) -> Option<&mut Agent> {
        match self {
            Self::Borrowed(agent) => Some(agent),
            Self::Owned(owned) => Some(&mut owned.agent),
            Self::Taken(taken) => taken.agent.as_deref_mut(),
        }
    }
}

impl<'a> Invocation<'a> {
    pub(super) fn new(agent: &'a mut Agent, prompt: Prompt) -> Self {
        let request = request(agent, prompt);
        Self { agent: AgentHolder::Borrowed(agent), request, read_output: Some }
    }

    pub(super) fn owning(agent: Agent, prompt: Prompt) -> Self {
        let request = request(&agent, prompt);
        let agent = AgentHolder::Owned(OwnedAgent::new(agent));
        Self { agent, request, read_output: Some }
    }

    /// Creates an invocation that owns the agent, from a request.
    pub(super) fn requested(agent: Agent, prompt_request: PromptRequest) -> Self {
        let mut owned = OwnedAgent::new(agent);
        owned.keeps_conversation = prompt_request.keeps_conversation;
        owned.keep_cut_off.clone_from(&prompt_request.keep_cut_off);
        let request = requested(&owned.agent, prompt_request);
        let agent = AgentHolder::Owned(owned);
        Self { agent, request, read_output: Some }
    }

    /// Creates an invocation that returns a shared agent when it ends.
    pub(super) fn taking(taken: TakenAgent, prompt_request: PromptRequest) -> Option<Self> {
        let request = requested(taken.agent.as_ref()?, prompt_request);
        Some(Self { agent: AgentHolder::Taken(taken), request, read_output: Some })
    }

    /// Requests structured output, which the response has in [`AgentResponse::output`].
    ///
    /// If the provider supports JSON Schema for responses, it gets the type's schema; otherwise the model gets a tool whose
    /// arguments are the output. A type whose schema is not an object, such as an enum, a `Vec` or a number, is wrapped in
    /// the only field of an object, and unwrapped in the response. If the model ends without the output, it is prompted
    /// again, at most three times.
    ///
    /// # Examples
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    /// use strands::{Agent, testing::{ScriptedModel, ScriptedTurn}};
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Trip {
    ///     city: String,
    ///     nights: u8,
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let model = ScriptedModel::new([ScriptedTurn::tool_use("Trip", serde_json::json!({"city": "Oslo", "nights": 2}))]);
    /// let mut agent = Agent::builder().model(model).build().await?;
    /// let trip = agent.prompt("Two nights in Oslo, please.").output::<Trip>().await?.into_output()?;
    /// assert_eq!((trip.city.as_str(), trip.nights), ("Oslo", 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "structured_output", alias = "prompt_typed", alias = "extractor", alias = "response_format")]
    pub fn output<T: StructuredOutput>(mut self) -> Invocation<'a, T> {
        self.request.output = Some(OutputType::of::<T>());
        Invocation {
            agent: self.agent,
            request: self.request,
            read_output: |output| serde_json::from_value(output).ok(),
        }
    }
}

impl<'a> Invocation<'a> {
    /// Requests structured output of a schema that is an object, as [`output`](Self::output) does of a type: for a request from
    /// elsewhere. The response has the JSON, which is valid for the schema. The name has at most 64 letters, digits, `_` and `-`.
    pub fn output_schema(mut self, schema: OutputSchema) -> Self {
        self.request.output = Some(OutputType::of_schema(schema));
        self
    }
}

impl<'a, T> Invocation<'a, T> {
    /// Injects a value into this invocation. It takes precedence over the agent's value of the same type, shared in an `Arc` or
    /// not.
    pub fn inject<V: Send + Sync + 'static>(mut self, value: V) -> Self {
        self.request.injected.insert_for_invocation(value);
        self
    }

    /// Sets the limits of this invocation, in place of those of the agent or of the invocation that it resumes. Turns, tokens
    /// and time that were used before an interrupt count.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.request.limits = Some(limits);
        self
    }

    /// Sets the maximum time from now until the end of this invocation, in addition to its limits, which stay as they are. An
    /// invocation that reaches it ends with
    /// [`StopReason::LimitDuration`](crate::models::StopReason::LimitDuration).
    ///
    /// It is for hosts that have a deadline of their own, such as that of a request.
    pub fn time_limit(mut self, time: Duration) -> Self {
        self.request.time_limit = Some(time);
        self
    }

    /// Adds tools for this invocation, after the agent's own. An invocation that resumes this one has to add them again.
    ///
    /// The invocation fails with [`AgentError::Tools`] if they conflict with those, and with
    /// [`AgentError::MissingInjectedValue`] if one requires a value that was not injected.
    pub fn tools(mut self, tools: impl Toolset) -> Self {
        self.request.tools.added.extend(tools.into_tools());
        self
    }

    /// Hides tools from the model in this invocation, by name, including tools added for it. A call of a hidden tool gets an
    /// error result, even if a tool provider adds the tool later, or if the call was approved in an earlier invocation. An
    /// invocation that resumes this one hides the same tools.
    pub fn hide_tools(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.request.tools.hidden.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the system prompt of this invocation, in place of the agent's. The text of plugins is appended. An invocation that
    /// resumes this one has the same system prompt.
    pub fn system_prompt(mut self, prompt: impl Into<String>) -> Self {
        self.request.system = Some(vec![SystemBlock::Text(prompt.into())]);
        self
    }

    /// Nests this invocation in a tool call: it shares the limits of the calling agent, and is cancelled when the call ends.
    /// An agent awaited by a tool or a hook is nested automatically; one in a spawned task is not, and needs this.
    ///
    /// ```
    /// use strands::{Agent, AgentBuilder, ToolContext, ToolError, tool};
    ///
    /// /// Asks an expert.
    /// #[tool(crate = strands_core)]
    /// async fn ask_expert(question: String, expert: &AgentBuilder, ctx: &ToolContext) -> Result<String, ToolError> {
    ///     let mut agent = expert.clone().build().await.map_err(ToolError::from_source)?;
    ///     let ctx = ctx.clone();
    ///     let task = tokio::spawn(async move { agent.prompt(question).nested_in(&ctx).await });
    ///     Ok(task.await.map_err(ToolError::from_source)?.map_err(ToolError::from_source)?.text())
    /// }
    /// ```
    pub fn nested_in(mut self, ctx: &ToolContext) -> Self {
        self.request.parent = Some(ctx.budget());
        self
    }

    /// Ends the invocation with [`StopReason::Cancelled`](crate::models::StopReason::Cancelled) when `token` is
    /// cancelled. This takes effect at once, during model calls and tool calls as well.
    pub fn cancel_with(mut self, token: CancellationToken) -> Self {
        self.request.cancellation = Some(token);
        self
    }

    /// Sets the journal of a durable engine, which records model calls and tool calls. The agent must not have a session
    /// manager: store a [`Snapshot`](crate::Snapshot) in the engine's state instead.
    ///
    /// Conversation managers, and hooks other than those around single model calls and tool calls, are not recorded. They
    /// run again in a replay.
    pub fn journal(mut self, journal: &'a dyn Journal) -> Self {
        self.request.journal = Some(journal);
        self
    }

    /// Resumes a suspended invocation with responses to its interrupts. The prompt must be [`Prompt::none`]. Interrupts
    /// without a response stay pending. A response may be delivered more than once. Without any response, the model is called
    /// only if there is something to respond to; see [`Prompt::none`].
    ///
    /// With a session, the responses are recorded before any tool runs, and the start of each tool is recorded before it is
    /// called. Of two workers with the same response, one gets a conflict. One approval runs a tool at most once, even if the
    /// process dies; only an idempotent tool may run again after an unknown outcome.
    pub fn resume(mut self, responses: impl IntoIterator<Item = InterruptResponse>) -> Self {
        self.request.responses.extend(responses);
        self
    }

    /// Streams the events of the invocation as they happen. The first is [`AgentEvent::Start`], the last
    /// [`AgentEvent::Result`], or an error.
    ///
    /// # Examples
    ///
    /// Structured output, with partial values as they arrive:
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use strands::{Agent, AgentEvent, testing::{ScriptedModel, ScriptedTurn}};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let model = ScriptedModel::from_fn(|request| {
    /// #     let name = request.tools.iter().next().map(|tool| tool.name.clone()).unwrap_or_default();
    /// #     ScriptedTurn::tool_use(name, serde_json::json!({"value": ["Oslo", "Bergen"]}))
    /// # });
    /// let mut agent = Agent::builder().model(model).build().await?;
    /// let mut events = agent.prompt("Two cities in Norway, please.").output::<Vec<String>>().stream();
    /// while let Some(event) = events.next().await {
    ///     match event? {
    ///         AgentEvent::PartialOutput { value } => println!("so far: {value}"),
    ///         AgentEvent::Result { response } => assert_eq!(response.into_output()?, ["Oslo", "Bergen"]),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "stream_prompt", alias = "stream_async")]
    pub fn stream(self) -> AgentStream<'a, T> {
        let listener = Listener::default();
        let run = run(self.agent, listener.emitter(), self.request);
        AgentStream { listener, run: Some(run), read_output: self.read_output }
    }
}

impl<'a, T: DeserializeOwned + 'a> IntoFuture for Invocation<'a, T> {
    type Output = Result<AgentResponse<T>, AgentError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let read_output = self.read_output;
        Box::pin(run(self.agent, Emitter::silent(), self.request).map_ok(move |response| response.typed(read_output)))
    }
}

/// An agent that an invocation owns.
struct OwnedAgent {
    agent: Box<Agent>,
    /// True if the caller wants the conversation with each response.
    keeps_conversation: bool,
    /// Takes the conversation if the invocation fails or is dropped: what it has done is done.
    keep_cut_off: Option<KeepConversation>,
    has_begun: bool,
}

impl OwnedAgent {
    fn new(agent: Agent) -> Self {
        Self { agent: Box::new(agent), keeps_conversation: false, keep_cut_off: None, has_begun: false }
    }
}

impl Drop for OwnedAgent {
    fn drop(&mut self) {
        let Some(keep) = self.keep_cut_off.take().filter(|_| self.has_begun) else { return };
        // One that is suspended is known by its interrupts.
        if self.agent.work.suspended_run().is_none()
            && let Ok(Some(conversation)) = self.agent.continuation()
        {
            keep(&conversation);
        }
    }
}

fn request<'a>(agent: &Agent, prompt: Prompt) -> Box<Request<'a>> {
    Box::new(Request {
        prompt,
        responses: Vec::new(),
        injected: agent.work.config.injected.clone(),
        limits: None,
        time_limit: None,
        cancellation: None,
        output: None,
        journal: None,
        tools: ToolSelection::default(),
        system: None,
        parent: None,
        repeats_interrupts: false,
    })
}

fn requested<'a>(agent: &Agent, prompt_request: PromptRequest) -> Box<Request<'a>> {
    let PromptRequest { prompt, resume, limits, cancellation, injected, output, tools, .. } = prompt_request;
    let mut request = request(agent, prompt);
    request.injected = request.injected.within(&injected);
    (request.output, request.tools.added) = (output, tools);
    (request.responses, request.limits, request.cancellation) = (resume, limits, Some(cancellation));
    request.repeats_interrupts = true;
    request
}

/// Returns the future of an invocation. For a borrowed agent it is the driver's own, since each layer in between would be
/// polled for each event.
///
/// This function is not generic, and its result names no future of the loop: else each program would compile the loop again.
fn run<'a>(
    agent: AgentHolder<'a>,
    emitter: Emitter,
    request: Box<Request<'a>>,
) -> BoxFuture<'a, Result<Box<AgentResponse>, AgentError>> {
    let mut agent = match agent {
        AgentHolder::Borrowed(agent) => return Box::pin(Driver::invoke(&mut agent.work, emitter, request)),
        owned => owned,
    };
    Box::pin(async move {
        let is_lent = matches!(agent, AgentHolder::Borrowed(_));
        let is_kept = matches!(&agent, AgentHolder::Owned(owned) if owned.keeps_conversation);
        let is_owned = match &mut agent {
            AgentHolder::Owned(owned) => {
                owned.has_begun = true;
                true
            }
            AgentHolder::Borrowed(_) | AgentHolder::Taken(_) => false,
        };
        let Some(prompted) = agent.get_mut() else { return Err(AgentError::Busy { name: String::new() }) };
        let ended = Driver::invoke(&mut prompted.work, emitter, request).await;
        if let (Ok(_), AgentHolder::Owned(owned)) = (&ended, &mut agent) {
            owned.keep_cut_off = None;
        }
        let Some(agent) = agent.get() else { return ended };
        match ended {
            Ok(mut response) => {
                let is_suspended = !response.interrupts.is_empty();
                if is_kept || is_owned && is_suspended {
                    response.continuation = match agent.continuation() {
                        Ok(continuation) => continuation,
                        Err(error) if is_suspended => return Err(error),
                        Err(_) => {
                            diagnostics::context_not_kept(agent.name());
                            None
                        }
                    };
                }
                Ok(response)
            }
            Err(error) if is_lent => Err(error),
            Err(error) => Err(agent.still_suspended(error, is_owned)),
        }
    })
}

impl<T> fmt::Debug for Invocation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation").field("agent", &self.agent.get()).finish_non_exhaustive()
    }
}

/// Stream of the events of an invocation as they happen. The first is [`AgentEvent::Start`], the last
/// [`AgentEvent::Result`], or an error.
///
/// `T` is the type requested with [`Invocation::output`].
#[must_use = "a stream does nothing until it is polled"]
pub struct AgentStream<'a, T = Value> {
    /// Before the driver, so that a model's stream is dropped before the driver repairs the history.
    listener: Listener,
    run: Option<BoxFuture<'a, Result<Box<AgentResponse>, AgentError>>>,
    read_output: ReadOutput<T>,
}

/// Converts an event to the type of output. Without a type the event is unchanged, and is not moved.
fn retyped<T: 'static>(mut event: Option<AgentEvent>) -> Option<AgentEvent<T>> {
    match (&mut event as &mut dyn Any).downcast_mut::<Option<AgentEvent<T>>>() {
        Some(same) => same.take(),
        None => event?.retyped(),
    }
}

impl<T: DeserializeOwned + 'static> Stream for AgentStream<'_, T> {
    type Item = Result<AgentEvent<T>, AgentError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(run) = &mut this.run else { return Poll::Ready(None) };
        match ready!(this.listener.poll_event(run.as_mut(), cx)) {
            Ok(event) => match retyped(Some(event)) {
                Some(event) => Poll::Ready(Some(Ok(event))),
                None => Poll::Pending,
            },
            Err(ended) => {
                this.run = None;
                let read_output = this.read_output;
                let result = |response: Box<AgentResponse>| AgentEvent::Result {
                    response: Box::new(response.typed(read_output)),
                };
                Poll::Ready(Some(ended.map(result)))
            }
        }
    }
}

impl<T: DeserializeOwned + 'static> FusedStream for AgentStream<'_, T> {
    fn is_terminated(&self) -> bool {
        self.run.is_none()
    }
}

impl<T> fmt::Debug for AgentStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentStream").field("ended", &self.run.is_none()).finish_non_exhaustive()
    }
}
