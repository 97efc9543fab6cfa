//! One prompt of a remote agent: the events of its task as those of an agent.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use a2a::{Message, Part, PartContent, Role, StreamResponse, TaskState, TaskStatus};
use futures_util::{StreamExt as _, stream};
use strands_core::message::{ContentBlock, Message as AgentMessage, Role as AgentRole};
use strands_core::models::StopReason;
use strands_core::{
    AgentError, AgentEvent, AgentResponse, Interrupt, Limits, Prompt, PromptRequest, PromptScope, PromptStream,
};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::conversation::{Conversation, Form};
use super::endpoint::Endpoint;
use super::error::A2aError;
use super::exchange::Exchange;
use super::message::{Prepared, prepare, send_request};
use super::outcome::{Outcome, outcome_of};
use super::structured_output::output_of;
use super::transcript::Transcript;

/// A remote agent, as its prompts share it.
pub(super) struct Remote {
    pub(super) name: Arc<str>,
    pub(super) endpoint: Arc<Endpoint>,
    /// True if the agent streams.
    pub(super) streams: bool,
    /// Longest time of a task.
    pub(super) task_timeout: Duration,
}

impl Remote {
    pub(super) fn failed(&self, error: A2aError) -> AgentError {
        AgentError::Promptable { name: self.name.to_string(), source: Box::new(error) }
    }
}

/// Returns the events of a prompt. Nothing happens before they are polled.
pub(super) fn events_of(remote: Arc<Remote>, request: PromptRequest) -> PromptStream {
    let run = Run::New(remote, Box::new(request));
    Box::pin(stream::unfold(run, Run::next).fuse())
}

/// A prompt.
enum Run {
    New(Arc<Remote>, Box<PromptRequest>),
    Running(Box<Running>),
    /// The last events.
    Ending(VecDeque<AgentEvent>),
}

/// A prompt whose message is sent, and what ends it early.
struct Running {
    scope: PromptScope,
    /// End of the longest time of a task.
    deadline: Option<Instant>,
    work: Work,
}

/// The work on a prompt.
struct Work {
    remote: Arc<Remote>,
    /// Without its prompt.
    request: PromptRequest,
    exchange: Exchange,
    transcript: Transcript,
    conversation: Conversation,
    /// The suspended task that the prompt resumes, until the server has accepted that.
    resumed: Option<Conversation>,
    /// Events after those of the transcript.
    queue: VecDeque<AgentEvent>,
    /// Id of the last status message.
    last_message: String,
    /// Content of the last message of the agent, for a task that ends without content.
    last_words: Vec<Part>,
}

/// Item of the stream, with the state after it.
type Step = Option<(Result<AgentEvent, AgentError>, Run)>;

impl Run {
    async fn next(self) -> Step {
        let (item, run) = match self {
            Self::New(remote, request) => Self::begin(remote, *request),
            Self::Running(mut running) => match running.next().await {
                Ok(event @ AgentEvent::Result { .. }) => (Ok(event), Self::ended()),
                Ok(event) => (Ok(event), Self::Running(running)),
                Err(error) => (Err(error), Self::ended()),
            },
            Self::Ending(mut events) => (Ok(events.pop_front()?), Self::Ending(events)),
        };
        Some((item, run))
    }

    fn begin(remote: Arc<Remote>, request: PromptRequest) -> (Result<AgentEvent, AgentError>, Self) {
        let start = AgentEvent::start(Uuid::new_v4().to_string(), Arc::clone(&remote.name), Arc::clone(&remote.name));
        let run = prepare(&remote.name, &request).and_then(|prepared| match prepared {
            Prepared::Send(message, conversation) => {
                let running = Running::new(remote, request, message, conversation)?;
                Ok(Self::Running(Box::new(running)))
            }
            Prepared::Waiting(conversation) => {
                let message = AgentMessage::new(AgentRole::Assistant, Vec::<ContentBlock>::new());
                Ok(Self::Ending(interruption(message, conversation).into()))
            }
        });
        match run {
            Ok(run) => (Ok(start), run),
            Err(error) => (Err(error), Self::ended()),
        }
    }

    fn ended() -> Self {
        Self::Ending(VecDeque::new())
    }
}

impl Running {
    fn new(
        remote: Arc<Remote>,
        mut request: PromptRequest,
        message: Message,
        conversation: Conversation,
    ) -> Result<Self, AgentError> {
        let scope = PromptScope::new(&request, Limits::unlimited())?;
        scope.check_timers()?;
        request.prompt = Prompt::none();
        let (endpoint, trace, streams) = (Arc::clone(&remote.endpoint), scope.trace(), remote.streams);
        let reply = async move { endpoint.send(send_request(message, streams), streams, trace.as_ref()).await };
        let deadline = Instant::now().checked_add(remote.task_timeout);
        let work = Work {
            exchange: Exchange::new(Arc::clone(&remote.endpoint), Box::pin(reply)),
            transcript: Transcript::new(remote.endpoint.http.max_bytes),
            conversation: Conversation { context_id: conversation.context_id.clone(), ..Conversation::default() },
            resumed: Some(conversation).filter(|conversation| !conversation.interrupts.is_empty()),
            queue: VecDeque::new(),
            last_message: String::new(),
            last_words: Vec::new(),
            request,
            remote,
        };
        Ok(Self { scope, deadline, work })
    }

    async fn next(&mut self) -> Result<AgentEvent, AgentError> {
        loop {
            if let Some(event) = self.work.next_event() {
                return Ok(event);
            }
            let expired = async {
                match self.deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                reason = self.scope.stopped() => self.work.respond(reason)?,
                () = expired => {
                    let timeout = self.work.remote.task_timeout;
                    return Err(self.work.remote.failed(A2aError::TaskTimeout { timeout }));
                }
                worked = self.work.advance() => worked?,
            }
        }
    }
}

impl Work {
    fn next_event(&mut self) -> Option<AgentEvent> {
        self.transcript.next_event().or_else(|| self.queue.pop_front())
    }

    /// Takes the next event of the task.
    async fn advance(&mut self) -> Result<(), AgentError> {
        let event = match self.exchange.next().await {
            Ok(event) => event,
            Err(error) => {
                let is_gone = self.is_gone(&error).await;
                return Err(self.interrupted_again(error, is_gone));
            }
        };
        self.resumed = None;
        let taken = self.take(event).map_err(|error| self.remote.failed(error))?;
        match taken {
            Some((outcome, message)) => self.end(outcome, message).await,
            None => Ok(()),
        }
    }

    /// Returns true if the server has no task any more that the prompt could resume. Some servers do not say that of a message they
    /// refuse, so the task is read.
    async fn is_gone(&mut self, error: &A2aError) -> bool {
        let resumed = self.resumed.as_ref().and_then(|conversation| conversation.task_id.clone());
        match resumed.filter(|_| error.may_say_that_the_task_is_gone()) {
            Some(task_id) => Arc::clone(&self.remote.endpoint).has_ended(&task_id).await.unwrap_or(false),
            None => error.says_that_the_task_is_gone(),
        }
    }

    /// Returns the error of an exchange. A task whose responses the server did not accept is suspended as before, unless it is gone: it
    /// would stay suspended for ever.
    fn interrupted_again(&mut self, error: A2aError, is_gone: bool) -> AgentError {
        let error = self.remote.failed(error);
        // The start was the first item of the stream, so that a plain error is no refusal after which the task still waits.
        match self.resumed.take().filter(|_| !is_gone) {
            Some(conversation) => AgentError::Suspended {
                source: Box::new(error),
                interrupts: conversation.interrupts.clone(),
                continuation: Some(conversation.into_continuation()),
            },
            None => error,
        }
    }

    /// Takes an event of the task. Returns the outcome with the last message, if it is the last one.
    fn take(&mut self, event: StreamResponse) -> Result<Option<(Outcome, Vec<Part>)>, A2aError> {
        match event {
            StreamResponse::Message(message) => Ok(Some((Outcome::Completed, message.parts))),
            StreamResponse::ArtifactUpdate(update) => {
                self.transcript.update(update.artifact, update.append == Some(true))?;
                Ok(None)
            }
            StreamResponse::StatusUpdate(update) => Ok(self.take_status(&update.task_id, update.status)),
            StreamResponse::Task(task) => {
                self.transcript.restore(task.artifacts.unwrap_or_default())?;
                let last = task.history.into_iter().flatten().rfind(|message| message.role == Role::Agent);
                if let Some(message) = last {
                    self.last_words = message.parts;
                }
                Ok(self.take_status(&task.id, task.status))
            }
        }
    }

    fn take_status(&mut self, task_id: &str, status: TaskStatus) -> Option<(Outcome, Vec<Part>)> {
        let TaskStatus { state, message, .. } = status;
        if let Some(outcome) = outcome_of(task_id, &state, message.as_ref()) {
            return Some((outcome, message.map(|message| message.parts).unwrap_or_default()));
        }
        if let Some(Message { message_id, parts, .. }) = message {
            // A task that is polled has the same message until there is another one.
            let is_new = message_id.is_empty() || message_id != self.last_message;
            if is_new && state == TaskState::Working {
                let texts = parts.iter().filter_map(Part::as_text).filter(|text| !text.is_empty());
                self.queue.extend(texts.map(|text| AgentEvent::ReasoningDelta { text: text.to_owned() }));
            }
            self.last_message = message_id;
            self.last_words = parts;
        }
        None
    }

    /// Ends the prompt with the outcome of the task.
    async fn end(&mut self, outcome: Outcome, message: Vec<Part>) -> Result<(), AgentError> {
        if let Outcome::Completed = outcome {
            let missed = self.exchange.missed().await.map_err(|error| self.remote.failed(error))?;
            let artifacts = missed.and_then(|task| task.artifacts).unwrap_or_default();
            self.transcript.restore(artifacts).map_err(|error| self.remote.failed(error))?;
        }
        let ended = match outcome {
            Outcome::Completed => self.complete(message),
            Outcome::Canceled => self.respond(StopReason::Cancelled),
            Outcome::Interrupted(interrupts, form) => self.interrupt(interrupts, form, message),
            Outcome::Failed(error) => Err(self.remote.failed(error)),
        };
        self.exchange.end();
        ended
    }

    fn complete(&mut self, message: Vec<Part>) -> Result<(), AgentError> {
        let mut added = self.transcript.end_with(message);
        if self.transcript.is_empty() {
            added = added.and_then(|()| self.transcript.end_with(std::mem::take(&mut self.last_words)));
        }
        added.map_err(|error| self.remote.failed(error))?;
        self.respond(StopReason::EndTurn)
    }

    /// Ends the prompt with interrupts.
    fn interrupt(&mut self, interrupts: Vec<Interrupt>, form: Form, message: Vec<Part>) -> Result<(), AgentError> {
        let words = message.into_iter().filter(|part| !lists_interrupts(part)).collect();
        self.transcript.end_with(words).map_err(|error| self.remote.failed(error))?;
        let task_id = self.exchange.task_id().map(str::to_owned);
        let conversation = Conversation { task_id, interrupts, form, ..self.take_conversation() };
        self.queue.extend(interruption(self.transcript.take_message(), conversation));
        Ok(())
    }

    /// Ends the prompt with a response.
    fn respond(&mut self, stop_reason: StopReason) -> Result<(), AgentError> {
        let conversation = self.take_conversation();
        let message = self.transcript.take_message();
        let output = if stop_reason == StopReason::EndTurn { output_of(&self.request, &message)? } else { None };
        let mut response = AgentResponse::new(message, stop_reason);
        response.output = output;
        response.continuation = self.request.keeps_conversation.then(|| conversation.into_continuation());
        self.queue.push_back(AgentEvent::Result { response: Box::new(response) });
        Ok(())
    }

    fn take_conversation(&mut self) -> Conversation {
        let mut conversation = std::mem::take(&mut self.conversation);
        if let Some(context_id) = self.exchange.context_id() {
            conversation.context_id = Some(context_id.to_owned());
        }
        conversation
    }
}

/// Returns the events of a prompt that ends with the interrupts of a conversation.
fn interruption(message: AgentMessage, conversation: Conversation) -> [AgentEvent; 2] {
    let interrupts = conversation.interrupts.clone();
    let mut response = AgentResponse::new(message, StopReason::Interrupt);
    response.interrupts.clone_from(&interrupts);
    response.continuation = Some(conversation.into_continuation());
    [AgentEvent::Interrupt { interrupts }, AgentEvent::Result { response: Box::new(response) }]
}

/// Returns true for the data with the interrupts, which the response has in its own field.
fn lists_interrupts(part: &Part) -> bool {
    matches!(&part.content, PartContent::Data(data) if data.get("interrupts").is_some())
}
