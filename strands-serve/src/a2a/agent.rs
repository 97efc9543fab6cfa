//! The service as something that takes prompts: a turn in the session of the context.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use strands_a2a::{A2aContext, Caller, DiscardInterrupts};
use strands_core::message::{ContentBlock, Message, Role};
use strands_core::models::StopReason;
use strands_core::{
    Agent, AgentError, AgentEvent, AgentResponse, CancellationToken, ErrorChain, Interrupt, PromptRequest,
    PromptStream, Promptable, TraceContext, uuid,
};
use strands_identity::Identity;

#[cfg(feature = "agentcore")]
use crate::agentcore::{AgentCoreContext, ForwardedHeaders, WorkloadAccessToken};
use crate::{AgentService, Disconnect, RunEvent, SessionChoice, Turn, TurnError, TurnRequest};

const NAME: &str = "service";

#[derive(Clone)]
pub(super) struct ServiceAgent {
    service: AgentService,
}

impl ServiceAgent {
    pub(super) fn new(service: AgentService) -> Self {
        Self { service }
    }
}

impl Promptable for ServiceAgent {
    fn name(&self) -> &str {
        NAME
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let service = self.service.clone();
        let started = async move {
            let session = Session::of(service, &request)?;
            Ok(match session.start(&request).await? {
                Some(started) => events(session, started),
                None => canceled(),
            })
        };
        stream::once(started)
            .flat_map(|started| started.unwrap_or_else(|error| stream::iter([Err(error)]).boxed()))
            .boxed()
    }
}

#[async_trait]
impl DiscardInterrupts for ServiceAgent {
    async fn discard(&self, request: PromptRequest, interrupts: &[Interrupt]) -> Result<(), AgentError> {
        let session = Session::of(self.service.clone(), &request)?;
        let mut agent = session.open().await.map_err(|error| agent_error(&error))?;
        let is_of_task = |open: &Interrupt| interrupts.iter().any(|interrupt| interrupt.id == open.id);
        // Another host may have resumed the session, which waits for others now.
        if agent.interrupts().iter().any(is_of_task) {
            agent.discard_interrupts().await?;
        }
        Ok(())
    }
}

/// The session of a context.
struct Session {
    service: AgentService,
    identity: Identity,
    context: A2aContext,
    /// True if the request has responses to interrupts.
    resumes: bool,
}

/// An event of a turn, or its end.
type Item = Option<Result<Arc<RunEvent>, TurnError>>;

/// A turn, with its first two items: an invocation that is rejected has a start and an error.
struct Started {
    work: Work,
    items: [Item; 2],
}

/// A turn that is canceled with its request.
struct Work {
    turn: Turn,
    cancellation: CancellationToken,
    is_canceled: bool,
}

impl Work {
    async fn next(&mut self) -> Item {
        loop {
            tokio::select! {
                item = self.turn.next() => return item,
                () = self.cancellation.cancelled(), if !self.is_canceled => {
                    self.is_canceled = true;
                    self.turn.cancel();
                }
            }
        }
    }
}

impl Session {
    fn of(service: AgentService, request: &PromptRequest) -> Result<Self, AgentError> {
        let missing = || failed("the server injects the identity and the context");
        let identity = request.injected::<Identity>().ok_or_else(missing)?.clone();
        let context = request.injected::<A2aContext>().ok_or_else(missing)?.clone();
        Ok(Self { service, identity, context, resumes: !request.resume.is_empty() })
    }

    fn choice(&self) -> SessionChoice {
        SessionChoice::Named(self.context.context_id().to_owned())
    }

    async fn open(&self) -> Result<Agent, TurnError> {
        self.service.open(&self.identity, self.choice()).await
    }

    /// Starts the turn. Returns `None` if the request is canceled before: while it waits for its session, or the session is opened.
    async fn start(&self, request: &PromptRequest) -> Result<Option<Started>, AgentError> {
        let cancellation = request.cancellation.clone();
        let turn = tokio::select! {
            biased;
            () = cancellation.cancelled() => return Ok(None),
            turn = self.request(request).start() => turn.map_err(|error| agent_error(&error))?,
        };
        let mut work = Work { turn, cancellation, is_canceled: false };
        let items = [work.next().await, work.next().await];
        Ok(Some(Started { work, items }))
    }

    fn request(&self, request: &PromptRequest) -> TurnRequest {
        let turn = self.service.turn(self.identity.clone(), self.choice(), request.prompt.clone());
        // The run of the task reads to the end, unless the task is canceled.
        let mut turn = turn.resume(request.resume.clone()).disconnect(Disconnect::CancelAfter(Duration::ZERO));
        turn = turn.inject(self.context.clone());
        if let Some(trace) = request.injected::<TraceContext>() {
            turn = turn.trace(trace.clone());
        }
        if let Some(caller) = request.injected::<Caller>() {
            turn = turn.inject(caller.clone());
        }
        if let Some(limits) = &request.limits {
            turn = turn.limits(*limits);
        }
        #[cfg(feature = "agentcore")]
        {
            if let Some(context) = request.injected::<AgentCoreContext>() {
                turn = turn.inject(context.clone());
            }
            if let Some(headers) = request.injected::<ForwardedHeaders>() {
                turn = turn.inject(headers.clone());
            }
            if let Some(token) = request.injected::<WorkloadAccessToken>() {
                turn = turn.inject(token.clone());
            }
        }
        turn
    }

    /// Returns the error of a turn. If the session still waits for responses, it says so: nothing is lost. That may be a session which
    /// another host has left suspended, or whose task the server has forgotten: the new task waits for its interrupts then.
    async fn error(&self, error: &TurnError) -> AgentError {
        let source = agent_error(error);
        if !self.resumes && !matches!(error, TurnError::Agent(_)) {
            return source;
        }
        let interrupts = match self.open().await {
            Ok(agent) => Some(agent.interrupts()).filter(|interrupts| !interrupts.is_empty()),
            Err(error) => {
                tracing::error!(error = %ErrorChain::new(&error), "the session of an A2A task can't be read");
                // Without any, the task goes on waiting for those of before.
                self.resumes.then(Vec::new)
            }
        };
        match interrupts {
            Some(interrupts) => AgentError::Suspended { source: Box::new(source), interrupts, continuation: None },
            None => source,
        }
    }
}

/// Returns the events of a turn.
fn events(session: Session, started: Started) -> PromptStream {
    let Started { work, items } = started;
    let has_ended = items.iter().any(|item| !matches!(item, Some(Ok(_))));
    let rest = stream::unfold(work, |mut work| async move { Some((work.next().await?, work)) });
    let rest = rest.take(if has_ended { 0 } else { usize::MAX });
    let session = Arc::new(session);
    let items = stream::iter(items.into_iter().flatten()).chain(rest).then(move |item| {
        let session = Arc::clone(&session);
        async move {
            match item {
                Ok(event) => Ok(event.event().clone()),
                Err(error) => Err(session.error(&error).await),
            }
        }
    });
    items.boxed()
}

/// Returns the events of a request that was canceled before its turn started.
fn canceled() -> PromptStream {
    let message = Message::new(Role::Assistant, Vec::<ContentBlock>::new());
    let response = Box::new(AgentResponse::new(message, StopReason::Cancelled));
    let start = AgentEvent::start(uuid::Uuid::new_v4().to_string(), NAME, NAME);
    stream::iter([Ok(start), Ok(AgentEvent::Result { response })]).boxed()
}

/// Returns the error of a turn as that of an agent.
fn agent_error(error: &TurnError) -> AgentError {
    match error {
        TurnError::SessionBusy | TurnError::UserBusy | TurnError::Overloaded | TurnError::ShuttingDown => {
            AgentError::Busy { name: NAME.to_owned() }
        }
        TurnError::Agent(error) => match &**error {
            AgentError::UnknownInterrupt { id } => AgentError::UnknownInterrupt { id: id.clone() },
            AgentError::Interrupted { interrupts } => AgentError::Interrupted { interrupts: interrupts.clone() },
            AgentError::Hook { event, source } => {
                AgentError::Hook { event, source: ErrorChain::new(&**source).to_string().into() }
            }
            error => failed(&ErrorChain::new(error).to_string()),
        },
        error => AgentError::Promptable { name: NAME.to_owned(), source: error.clone().into() },
    }
}

fn failed(text: &str) -> AgentError {
    AgentError::Promptable { name: NAME.to_owned(), source: text.into() }
}
