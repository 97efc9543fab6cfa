//! A prompt on its way: what can be added to it, and its two forms, a response and a stream of events.

use std::any::Any;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::future::BoxFuture;
use futures_core::{FusedStream, Stream};
use futures_util::FutureExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Agent;
use super::output::StructuredOutput;
use super::shared::TakenAgent;

use crate::event::{AgentEvent, AgentResponse};
use crate::event_loop::{Driver, Emitter, OutputType, Request, Slot, ToolSelection};
use crate::interrupt::InterruptResponse;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::message::SystemBlock;
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::promptable::PromptRequest;
use crate::tool::{ToolContext, Toolset};

/// A prompt on its way to the agent. Nothing happens before it is awaited or streamed.
///
/// Dropping it, or what it becomes, stops the model call and the tools, and leaves a history that the next prompt can
/// use.
#[must_use = "an invocation does nothing until it is awaited or streamed"]
pub struct Invocation<'a, T = Value> {
    agent: AgentHolder<'a>,
    request: Request<'a>,
    output: PhantomData<fn() -> T>,
}

/// The agent of an invocation.
enum AgentHolder<'a> {
    Borrowed(&'a mut Agent),
    Owned(Box<Agent>),
    Taken(TakenAgent),
}

impl AgentHolder<'_> {
    fn get(&self) -> Option<&Agent> {
        match self {
            Self::Borrowed(agent) => Some(agent),
            Self::Owned(agent) => Some(agent),
            Self::Taken(taken) => taken.agent.as_deref(),
        }
    }

    /// `None` only while a shared agent is returned.
    fn get_mut(&mut self) -> Option<&mut Agent> {
        match self {
            Self::Borrowed(agent) => Some(agent),
            Self::Owned(agent) => Some(agent),
            Self::Taken(taken) => taken.agent.as_deref_mut(),
        }
    }
}

impl<'a> Invocation<'a> {
    pub(super) fn new(agent: &'a mut Agent, prompt: Prompt) -> Self {
        let request = request(agent, prompt);
        Self { agent: AgentHolder::Borrowed(agent), request, output: PhantomData }
    }

    pub(super) fn owning(agent: Agent, prompt: Prompt) -> Self {
        let request = request(&agent, prompt);
        Self { agent: AgentHolder::Owned(Box::new(agent)), request, output: PhantomData }
    }

    /// An invocation that takes an agent along for a request.
    pub(super) fn requested(agent: Agent, asked: PromptRequest) -> Self {
        let request = requested(&agent, asked);
        Self { agent: AgentHolder::Owned(Box::new(agent)), request, output: PhantomData }
    }

    /// An invocation that returns a shared agent when it ends.
    pub(super) fn taking(taken: TakenAgent, asked: PromptRequest) -> Option<Self> {
        let request = requested(taken.agent.as_ref()?, asked);
        Some(Self { agent: AgentHolder::Taken(taken), request, output: PhantomData })
    }

    /// Asks for structured output, which the response has as [`AgentResponse::output`].
    ///
    /// A provider that holds responses to a JSON Schema is asked for JSON of the type's schema; elsewhere the model is given
    /// a tool whose arguments are the type's fields. A type whose schema is not an object, such as an enum, a `Vec` or a
    /// number, is asked for as the only field of an object, and unwrapped. A model that ends without the output is asked
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
        Invocation { agent: self.agent, request: self.request, output: PhantomData }
    }
}

impl<'a, T> Invocation<'a, T> {
    /// Lends a value to the tools of this invocation, in front of the agent's own value of the same type.
    pub fn inject<V: Send + Sync + 'static>(mut self, value: V) -> Self {
        self.request.injected.insert_for_invocation(value);
        self
    }

    /// Sets how far this invocation may go, instead of the agent's own limits, or those of the invocation that it resumes.
    /// Turns, tokens and time that were used before an interrupt count.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.request.limits = Some(limits);
        self
    }

    /// Adds tools for this invocation, behind the agent's own. An invocation that resumes this one has to add them again.
    ///
    /// The invocation fails with [`AgentError::Tools`] if they conflict with those, and with
    /// [`AgentError::MissingInjectedValue`] if one borrows a value that was not injected.
    pub fn tools(mut self, tools: impl Toolset) -> Self {
        self.request.tools.added.extend(tools.into_tools());
        self
    }

    /// Hides tools from the model in this invocation, by their names, also those that are added for it. A hidden tool is refused when the model calls it all
    /// the same, also one that a tool provider adds later, and one whose call was approved in an earlier invocation. An invocation that
    /// resumes this one hides them, too.
    pub fn hide_tools(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.request.tools.hidden.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the system prompt of this invocation, in place of the agent's own. The text of plugins stays. An
    /// invocation that resumes this one has it, too.
    pub fn system_prompt(mut self, prompt: impl Into<String>) -> Self {
        self.request.system = Some(vec![SystemBlock::Text(prompt.into())]);
        self
    }

    /// Makes this an invocation of a nested agent: it spends from the budget of the tool call's agent, and ends with the
    /// call. An agent that a tool or a hook awaits is nested without this; one that a tool spawns as a task of its own is
    /// not.
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
    /// cancelled. Seen at once, whatever the model or a tool is doing.
    pub fn cancel_with(mut self, token: CancellationToken) -> Self {
        self.request.cancellation = token;
        self
    }

    /// Lends a durable engine's journal to this invocation, which records its model calls and tool calls. The agent must
    /// not have a session manager: keep a [`Snapshot`](crate::Snapshot) in the engine's state.
    ///
    /// Conversation managers, and hooks other than those around single model and tool calls, are not recorded: they run
    /// again in a replay.
    pub fn journal(mut self, journal: &'a dyn Journal) -> Self {
        self.request.journal = Some(journal);
        self
    }

    /// Brings humans' answers to what the agent waits for. The prompt must be [`Prompt::none`]; questions without an
    /// answer stay open. An answer that was recorded before may come again. Without answers, nothing is sent to the model
    /// unless something is open: see [`Prompt::none`].
    ///
    /// With a session, the answers are recorded before any tool runs, and each tool's start is recorded before it is
    /// called: of two workers with the same answer, one gets a conflict, and one approval runs a tool at most once, whenever
    /// a process dies; only an idempotent tool may run again if its outcome is unknown.
    pub fn resume(mut self, answers: impl IntoIterator<Item = InterruptResponse>) -> Self {
        self.request.answers.extend(answers);
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
        let slot = Slot::default();
        let run = run(self.agent, Emitter::new(slot.clone()), self.request);
        AgentStream { run: Some(run), slot, output: PhantomData }
    }
}

impl<'a, T: DeserializeOwned + 'a> IntoFuture for Invocation<'a, T> {
    type Output = Result<AgentResponse<T>, AgentError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let emitter = Emitter::silent();
        match self.agent {
            AgentHolder::Borrowed(agent) => Box::pin(typed(Driver::invoke(&mut agent.work, emitter, self.request))),
            owned => Box::pin(typed(run(owned, emitter, self.request))),
        }
    }
}

fn request<'a>(agent: &Agent, prompt: Prompt) -> Request<'a> {
    Request {
        prompt,
        answers: Vec::new(),
        injected: agent.work.config.injected.clone(),
        limits: None,
        cancellation: CancellationToken::new(),
        output: None,
        journal: None,
        tools: ToolSelection::default(),
        system: None,
        parent: None,
    }
}

fn requested<'a>(agent: &Agent, asked: PromptRequest) -> Request<'a> {
    let PromptRequest { prompt, resume, limits, cancellation, injected } = asked;
    let mut request = request(agent, prompt);
    request.injected.add_for_invocation(injected);
    Request { answers: resume, limits, cancellation, ..request }
}

/// The response with its type of output.
fn typed<T: DeserializeOwned>(
    run: impl Future<Output = Result<AgentResponse, AgentError>>,
) -> impl Future<Output = Result<AgentResponse<T>, AgentError>> {
    run.map(|response| response.map(AgentResponse::typed))
}

/// The future of an invocation. A borrowed agent's is that of the driver itself: whatever is in between is polled once for
/// each event.
fn run<'a>(
    agent: AgentHolder<'a>,
    emitter: Emitter,
    request: Request<'a>,
) -> BoxFuture<'a, Result<AgentResponse, AgentError>> {
    let mut agent = match agent {
        AgentHolder::Borrowed(agent) => return Box::pin(Driver::invoke(&mut agent.work, emitter, request)),
        owned => owned,
    };
    Box::pin(async move {
        let Some(agent) = agent.get_mut() else { return Err(AgentError::Busy { name: String::new() }) };
        Driver::invoke(&mut agent.work, emitter, request).await
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
/// `T` is the type asked for with [`Invocation::output`].
#[must_use = "a stream does nothing until it is polled"]
pub struct AgentStream<'a, T = Value> {
    run: Option<BoxFuture<'a, Result<AgentResponse, AgentError>>>,
    slot: Slot,
    output: PhantomData<fn() -> T>,
}

/// Returns the event as one of an invocation with this type of output. Without a type it is the same, and stays where it
/// is.
fn retyped<T: 'static>(mut event: Option<AgentEvent>) -> Option<AgentEvent<T>> {
    match (&mut event as &mut dyn Any).downcast_mut::<Option<AgentEvent<T>>>() {
        Some(same) => same.take(),
        None => event?.retyped(),
    }
}

impl<T: DeserializeOwned + 'static> Stream for AgentStream<'_, T> {
    type Item = Result<AgentEvent<T>, AgentError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(run) = &mut self.run else { return Poll::Ready(None) };
        if let Poll::Ready(ended) = run.as_mut().poll(cx) {
            self.run = None;
            let result = |response: AgentResponse| AgentEvent::Result { response: Box::new(response.typed()) };
            return Poll::Ready(Some(ended.map(result)));
        }
        match retyped(self.slot.take()) {
            Some(event) => Poll::Ready(Some(Ok(event))),
            None => Poll::Pending,
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
