//! A prompt on its way: what can be added to it, and its two forms, a response and a stream of events.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::future::BoxFuture;
use futures_core::{FusedStream, Stream};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Agent;

use crate::event_loop::{Driver, Emitter, OutputType, Request, Slot};
use crate::interrupt::InterruptResponse;
use crate::journal::Journal;
use crate::outcome::{AgentError, AgentEvent, AgentResponse};
use crate::prompt::Prompt;
use crate::run::Limits;

/// A prompt on its way to the agent. Nothing happens before it is awaited or streamed.
///
/// Dropping it, or what it becomes, stops the model call and the tools, and leaves a history that the next prompt can
/// use.
#[must_use = "an invocation does nothing until it is awaited or streamed"]
pub struct Invocation<'a, T = Value> {
    agent: &'a mut Agent,
    request: Request<'a>,
    /// Takes an event out of the slot, as one of an invocation with this type of output.
    take: fn(&Slot) -> Option<AgentEvent<T>>,
}

impl<'a> Invocation<'a> {
    pub(super) fn new(agent: &'a mut Agent, prompt: Prompt) -> Self {
        let request = Request {
            prompt,
            answers: Vec::new(),
            host: agent.work.config.host.clone(),
            limits: None,
            cancellation: CancellationToken::new(),
            output: None,
            journal: None,
        };
        // Without a type there is nothing to convert.
        Self { agent, request, take: Slot::take }
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
    /// use strands_core::{Agent, testing::{ScriptedModel, ScriptedTurn}};
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
    pub fn output<T: DeserializeOwned + JsonSchema>(mut self) -> Invocation<'a, T> {
        self.request.output = Some(OutputType::of::<T>());
        Invocation { agent: self.agent, request: self.request, take: |slot| slot.take().and_then(AgentEvent::retyped) }
    }
}

impl<'a, T> Invocation<'a, T> {
    /// Lends a value to the tools of this invocation, in front of the agent's own value of the same type.
    pub fn inject<V: Send + Sync + 'static>(mut self, value: V) -> Self {
        self.request.host.insert_for_invocation(value);
        self
    }

    /// Sets how far this invocation may go, instead of the agent's own limits, or those of the invocation that it resumes.
    /// Turns, tokens and time that were used before an interrupt count.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.request.limits = Some(limits);
        self
    }

    /// Ends the invocation with [`StopReason::Cancelled`](crate::model::StopReason::Cancelled) when `token` is
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
    /// answer stay open. An answer that was recorded before may come again.
    ///
    /// With a session, the answers are recorded before any tool runs, and each tool's start is recorded before it is
    /// called: of two workers with the same answer, one gets a conflict, and one approval runs a tool at most once, whenever
    /// a process dies; only an idempotent tool may run again if its outcome is unknown.
    pub fn resume(mut self, answers: impl IntoIterator<Item = InterruptResponse>) -> Self {
        self.request.answers.extend(answers);
        self
    }

    /// Streams the events of the invocation as they happen. The last is [`AgentEvent::Result`], or an error.
    ///
    /// # Examples
    ///
    /// Structured output, with partial values as they arrive:
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use strands_core::{Agent, AgentEvent, testing::{ScriptedModel, ScriptedTurn}};
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
    pub fn stream(self) -> AgentStream<'a, T> {
        let slot = Slot::default();
        let driver = Driver::new(&mut self.agent.work, Emitter::new(slot.clone()));
        AgentStream { run: Some(Box::pin(driver.run(self.request))), slot, take: self.take }
    }
}

impl<'a, T: DeserializeOwned + 'a> IntoFuture for Invocation<'a, T> {
    type Output = Result<AgentResponse<T>, AgentError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let driver = Driver::new(&mut self.agent.work, Emitter::silent());
        let request = self.request;
        Box::pin(async move {
            let response = driver.run(request).await?;
            Ok(response.typed())
        })
    }
}

impl<T> fmt::Debug for Invocation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation").field("agent", &self.agent).finish_non_exhaustive()
    }
}

/// Stream of the events of an invocation as they happen. The last is [`AgentEvent::Result`], or an error.
///
/// `T` is the type asked for with [`Invocation::output`].
#[must_use = "a stream does nothing until it is polled"]
pub struct AgentStream<'a, T = Value> {
    run: Option<BoxFuture<'a, Result<AgentResponse, AgentError>>>,
    slot: Slot,
    take: fn(&Slot) -> Option<AgentEvent<T>>,
}

impl<T: DeserializeOwned> Stream for AgentStream<'_, T> {
    type Item = Result<AgentEvent<T>, AgentError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(run) = &mut self.run else { return Poll::Ready(None) };
        if let Poll::Ready(ended) = run.as_mut().poll(cx) {
            self.run = None;
            let result = |response: AgentResponse| AgentEvent::Result { response: Box::new(response.typed()) };
            return Poll::Ready(Some(ended.map(result)));
        }
        match (self.take)(&self.slot) {
            Some(event) => Poll::Ready(Some(Ok(event))),
            None => Poll::Pending,
        }
    }
}

impl<T: DeserializeOwned> FusedStream for AgentStream<'_, T> {
    fn is_terminated(&self) -> bool {
        self.run.is_none()
    }
}

impl<T> fmt::Debug for AgentStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentStream").field("ended", &self.run.is_none()).finish_non_exhaustive()
    }
}
