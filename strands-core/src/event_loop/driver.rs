//! Performs the steps that the state machine asks for: with hooks, events, metrics and cancellation. One loop for
//! awaiting and for streaming.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::model_call::{ModelOutcome, PartialAnswer};
use super::run::{Run, Step, UnknownInterrupt};
use super::typed_output::TypedOutput;
use crate::agent::{Agent, AgentError, AgentEvent, AgentResponse, Emitter, OutputType, Prompt};
use crate::conversation::{Conversation, Cost};
use crate::hook::{AfterInvocation, BeforeInvocation, MessageAdded};
use crate::interrupt::InterruptResponse;
use crate::message::{Message, Role};
use crate::metrics::{EventLoopMetrics, Usage};
use crate::model::{StopReason, ToolChoice, ToolSpecs, Turn};
use crate::tool::HostValues;

/// How often the hooks of one invocation may ask for another round.
const MAX_RESUMES: u32 = 16;

/// Resolves when the invocation is to end now: it was cancelled, or its time is up.
pub(super) struct Stop<'s> {
    cancellation: &'s CancellationToken,
    reason: Pin<&'s mut (dyn Future<Output = StopReason> + Send)>,
}

impl Stop<'_> {
    pub(super) fn as_mut(&mut self) -> Stop<'_> {
        Stop { cancellation: self.cancellation, reason: self.reason.as_mut() }
    }

    /// True once the invocation was cancelled. Much cheaper than to poll; whoever looks here must also poll before it
    /// waits.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    pub(super) fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<StopReason> {
        self.reason.as_mut().poll(cx)
    }
}

impl Future for Stop<'_> {
    type Output = StopReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<StopReason> {
        self.poll_stop(cx)
    }
}

/// What an invocation was asked for.
pub(crate) struct Request {
    pub(crate) prompt: Prompt,
    pub(crate) answers: Vec<InterruptResponse>,
    pub(crate) host: HostValues,
    pub(crate) limits: Limits,
    pub(crate) cancellation: CancellationToken,
    pub(crate) output: Option<OutputType>,
}

/// Performs one invocation of an agent. However it ends, the history is whole afterwards.
pub(crate) struct Driver<'a> {
    pub(super) agent: &'a mut Agent,
    pub(super) emitter: Emitter,
    pub(super) cancellation: CancellationToken,
    pub(super) host: HostValues,
    pub(super) specs: ToolSpecs,
    pub(super) output: TypedOutput,
    limits: Limits,
    /// True once hooks have heard of the invocation: then they hear of its end, too.
    begun: bool,
    cycle_began: Option<Instant>,
    last_answer: Option<Arc<Message>>,
    /// True once a tool may have changed something.
    pub(super) ran_tools: bool,
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.agent.settle();
    }
}

impl<'a> Driver<'a> {
    pub(crate) fn new(agent: &'a mut Agent, emitter: Emitter) -> Self {
        let specs = agent.shared.tools.specs().clone();
        Self {
            agent,
            emitter,
            cancellation: CancellationToken::new(),
            host: HostValues::default(),
            specs,
            output: TypedOutput::default(),
            limits: Limits::new(),
            begun: false,
            cycle_began: None,
            last_answer: None,
            ran_tools: false,
        }
    }

    pub(crate) async fn run(mut self, request: Request) -> Result<AgentResponse, AgentError> {
        // An invocation that was leaked instead of dropped has left its traces.
        self.agent.settle();
        if let Some(missing) = crate::agent::missing_host_value(self.agent, &request.host) {
            return Err(missing);
        }
        let output_tool = self.ask_for(request.output)?;
        self.host = request.host;
        self.limits = request.limits;
        // Tools are told to stop when the invocation is dropped, too.
        self.cancellation = request.cancellation.child_token();
        let _stops_tools = self.cancellation.clone().drop_guard();
        let (cancellation, time) = (&request.cancellation, self.limits.time());
        let reason = async move {
            match time {
                Some(time) => tokio::select! {
                    () = cancellation.cancelled() => StopReason::Cancelled,
                    () = tokio::time::sleep(time) => StopReason::LimitDuration,
                },
                None => {
                    cancellation.cancelled().await;
                    StopReason::Cancelled
                }
            }
        };
        let reason = std::pin::pin!(reason.fuse());
        let mut stop = Stop { cancellation, reason };

        self.metrics().begin_invocation();
        let mut prompt = request.prompt;
        let mut answers = request.answers;
        let mut resumes = 0;
        let mut conflicts = 0;
        let mut spent = (0, Usage::default());
        loop {
            let mut run = Run::new(self.limits, output_tool.clone()).counting_on(spent.0, spent.1);
            if self.gives_output_at_once() {
                run.force_output();
            }
            let again = (conflicts < self.agent.shared.conflict_retries).then(|| prompt.clone());
            let ended = match self.begin(prompt, std::mem::take(&mut answers), run).await {
                Ok(Some(denied)) => Ok(denied),
                Ok(None) => self.cycles(stop.as_mut()).await,
                Err(error) => Err(error),
            };
            let ended = self.conclude(ended).await;
            if let (Err(AgentError::Session(conflict)), Some(again)) = (&ended, again)
                && conflict.is_conflict()
                && !self.ran_tools
            {
                conflicts += 1;
                self.announce_retry(conflicts, Duration::ZERO, &conflict.to_string(), true).await;
                self.agent.reopen().await?;
                prompt = again;
                continue;
            }
            if !std::mem::take(&mut self.begun) {
                return ended;
            }
            let (ended, resume) = self.after_invocation(ended).await;
            match (ended, resume) {
                (Ok(response), Some(next)) if resumes < MAX_RESUMES && may_go_on(&response.stop_reason) => {
                    resumes += 1;
                    spent = (response.turns, response.usage);
                    prompt = next;
                }
                (ended, _) => return ended,
            }
        }
    }

    /// Tells every hook that the invocation has ended. Its own failure comes before a hook's.
    async fn after_invocation(
        &self,
        ended: Result<AgentResponse, AgentError>,
    ) -> (Result<AgentResponse, AgentError>, Option<Prompt>) {
        let mut failure = None;
        let mut event = AfterInvocation { state: &self.agent.state, outcome: ended.as_ref(), resume: None };
        for hook in self.agent.shared.hooks.iter().rev() {
            if let Err(error) = hook.after_invocation(&mut event).await {
                failure.get_or_insert_with(|| failed("after_invocation")(error));
            }
        }
        let resume = event.resume;
        match failure {
            Some(failure) => (ended.and(Err(failure)), None),
            None => (ended, resume),
        }
    }

    /// Takes in the prompt, or the answers of humans. Returns a response where a hook denied the invocation.
    async fn begin(
        &mut self,
        prompt: Prompt,
        answers: Vec<InterruptResponse>,
        run: Run,
    ) -> Result<Option<AgentResponse>, AgentError> {
        if self.agent.waiting {
            return self.go_on(prompt, answers, &run).await;
        }
        if let Some(answer) = answers.first() {
            return Err(AgentError::UnknownInterrupt { id: answer.interrupt_id.clone() });
        }
        // What a dropped invocation left behind.
        self.agent.save_messages().await?;
        let mut messages = prompt.messages;
        let denied = self.before_invocation(&mut messages).await?;
        self.agent.history.ask(messages);
        self.agent.run = Some(run);
        let Some(last) = self.agent.history.messages().last() else { return Err(AgentError::EmptyConversation) };
        if let Some(reason) = denied {
            return self.denied(reason).await.map(Some);
        }
        // A conversation that ends with open calls goes on with them.
        if last.role == Role::Assistant && last.tool_uses().next().is_some() {
            self.agent.run = self.agent.run.take().map(|run| run.with_open_calls(last));
            let asked = self.agent.history.answered();
            self.all_added(&asked).await?;
        }
        Ok(None)
    }

    async fn before_invocation(&mut self, prompt: &mut Vec<Message>) -> Result<Option<String>, AgentError> {
        self.begun = true;
        let mut event = BeforeInvocation { state: &self.agent.state, prompt, deny: None };
        for hook in &self.agent.shared.hooks {
            hook.before_invocation(&mut event).await.map_err(failed("before_invocation"))?;
        }
        Ok(event.deny)
    }

    /// Ends the invocation with a hook's words, before anything was done.
    async fn denied(&mut self, reason: String) -> Result<AgentResponse, AgentError> {
        let results = self.agent.run.as_mut().and_then(|run| run.end(StopReason::EndTurn, &reason));
        let mut new = self.agent.history.answered();
        new.extend(results.map(|results| self.agent.history.push(results)));
        self.answer(new, Message::assistant(reason)).await?;
        let run = self.agent.run.take();
        Ok(self.response(StopReason::EndTurn, run))
    }

    /// Takes humans' answers to what the agent waits for.
    async fn go_on(
        &mut self,
        prompt: Prompt,
        answers: Vec<InterruptResponse>,
        invocation: &Run,
    ) -> Result<Option<AgentResponse>, AgentError> {
        if !prompt.messages.is_empty() || answers.is_empty() {
            let interrupts = self.agent.interrupts().into_iter().map(|interrupt| interrupt.id).collect();
            return Err(AgentError::Interrupted { interrupts });
        }
        let Some(run) = &mut self.agent.run else { return Ok(None) };
        run.resume(answers).map_err(|UnknownInterrupt(id)| AgentError::UnknownInterrupt { id })?;
        run.taken_over(invocation);
        let denied = self.before_invocation(&mut Vec::new()).await?;
        self.agent.waiting = false;
        match denied {
            Some(reason) => self.denied(reason).await.map(Some),
            None => Ok(None),
        }
    }

    /// The loop.
    async fn cycles(&mut self, mut stop: Stop<'_>) -> Result<AgentResponse, AgentError> {
        enum Next {
            Model(Option<ToolChoice>, u32),
            Tools,
            Done(StopReason),
        }
        loop {
            let Some(run) = &mut self.agent.run else { return Err(AgentError::EmptyConversation) };
            let cycle = run.turns().saturating_add(1);
            let next = match run.step() {
                Step::CallModel { forced_tool } => {
                    Next::Model(forced_tool.map(|name| ToolChoice::Tool { name: name.to_owned() }), cycle)
                }
                Step::RunTools(_) => Next::Tools,
                Step::Done(stop_reason) => Next::Done(stop_reason.clone()),
            };
            match next {
                Next::Model(choice, cycle) => {
                    self.begin_cycle();
                    self.emitter.emit(|| AgentEvent::CycleStart { cycle }).await;
                    let outcome = self.call_model(choice.as_ref(), stop.as_mut()).await?;
                    match outcome {
                        ModelOutcome::Answered(turn) => self.take_answer(turn, choice.is_some()).await?,
                        ModelOutcome::Stopped { reason, partial } => self.stopped(partial, reason).await?,
                    }
                }
                Next::Tools => {
                    if self.run_tools(stop.as_mut()).await? == StopReason::Interrupt {
                        return Ok(self.interrupted().await);
                    }
                }
                Next::Done(stop_reason) => {
                    self.end_cycle();
                    let run = self.agent.run.take();
                    return Ok(self.response(stop_reason, run));
                }
            }
        }
    }

    /// The model's answer joins the history, and the state machine learns of it.
    async fn take_answer(&mut self, turn: Turn, forced: bool) -> Result<(), AgentError> {
        let Turn { message, stop_reason, usage, redact_user, .. } = turn;
        if let Some(replacement) = &redact_user {
            self.agent.history.redact_prompt(replacement);
        }
        // Some models answer a forced call in text: it is as good where it fits the type.
        let said = if forced && stop_reason == StopReason::EndTurn { self.output.in_text(&message) } else { None };
        // Nothing waits before the state machine knows: whoever drops the invocation can't part a call from its result.
        let mut new = self.agent.history.answered();
        let message = self.agent.history.push(message);
        let Some(run) = &mut self.agent.run else { return Ok(()) };
        if let Some(output) = said {
            run.output_given(output);
        }
        let next = run.model_answered(&message, &stop_reason, usage);
        let latency = message.metadata.as_ref().and_then(|known| known.metrics).unwrap_or_default().latency_ms;
        self.metrics().add_answer(&message, Duration::from_millis(latency));
        self.last_answer = Some(Arc::clone(&message));
        new.push(message);
        self.all_added(&new).await?;
        match next {
            Ok(None) => Ok(()),
            Ok(Some(mut follow_up)) => {
                follow_up.content.extend(self.output.told_mistake());
                self.agent.history.ask(vec![follow_up]);
                Ok(())
            }
            Err(not_given) => Err(self.no_output(&not_given)),
        }
    }

    /// Ends the invocation with an answer that is not the model's.
    pub(super) async fn end_with(&mut self, answer: Message) -> Result<(), AgentError> {
        if let Some(run) = &mut self.agent.run {
            run.end(StopReason::EndTurn, super::run::INTERRUPTED);
        }
        self.answer(Vec::new(), answer).await
    }

    /// What the model had said when it was stopped stays, so that the conversation can go on from there.
    async fn stopped(&mut self, partial: PartialAnswer, reason: StopReason) -> Result<(), AgentError> {
        let PartialAnswer { message, usage, redact_user } = partial;
        if let Some(replacement) = &redact_user {
            self.agent.history.redact_prompt(replacement);
        }
        let message = match &reason {
            _ if !message.content.is_empty() => message,
            StopReason::Cancelled => Message::assistant("Cancelled by user"),
            _ => Message::assistant("Stopped: the time for this answer was up"),
        };
        if let Some(run) = &mut self.agent.run {
            run.spent(usage);
            run.end(reason, super::run::INTERRUPTED);
        }
        let asked = self.agent.history.answered();
        self.answer(asked, message).await
    }

    /// An answer joins the history, and everybody hears of it and of what is new before it.
    async fn answer(&mut self, mut new: Vec<Arc<Message>>, answer: Message) -> Result<(), AgentError> {
        let answer = self.agent.history.push(answer);
        self.last_answer = Some(Arc::clone(&answer));
        new.push(answer);
        self.all_added(&new).await
    }

    async fn all_added(&mut self, messages: &[Arc<Message>]) -> Result<(), AgentError> {
        for message in messages {
            self.added(message).await?;
        }
        Ok(())
    }

    /// The session has a message before anybody hears of it.
    pub(super) async fn added(&mut self, message: &Arc<Message>) -> Result<(), AgentError> {
        self.agent.save_messages().await?;
        self.emitter.emit(|| AgentEvent::Message { message: Arc::clone(message) }).await;
        let event = MessageAdded { state: &self.agent.state, message };
        for hook in &self.agent.shared.hooks {
            hook.message_added(&event).await.map_err(failed("message_added"))?;
        }
        Ok(())
    }

    /// Makes the history whole and tidies it.
    async fn conclude(&mut self, ended: Result<AgentResponse, AgentError>) -> Result<AgentResponse, AgentError> {
        self.end_cycle();
        if let Some(results) = self.agent.settle() {
            // The first failure is the one to report.
            let _ = self.added(&results).await;
        }
        if matches!(ended, Err(AgentError::Session(_))) {
            return ended;
        }
        if self.agent.waiting {
            return self.keep(ended).await;
        }
        let manager = Arc::clone(&self.agent.shared.conversation);
        let mut conversation = self.conversation();
        let tidied = manager.apply(&mut conversation).await;
        let cost = conversation.cost();
        self.shortened(cost);
        let tidied = tidied.map_err(|source| AgentError::Conversation { manager: manager.name(), source });
        self.keep(ended.and_then(|response| tidied.map(|()| response))).await
    }

    /// Writes to the session what is kept beside the messages. The first failure is the one to report.
    async fn keep(&mut self, ended: Result<AgentResponse, AgentError>) -> Result<AgentResponse, AgentError> {
        let saved = self.agent.save_invocation().await;
        ended.and_then(|response| saved.map(|()| response))
    }

    pub(super) fn conversation(&mut self) -> Conversation<'_> {
        let agent = &mut *self.agent;
        let shared = &agent.shared;
        Conversation::new(&mut agent.history, &mut agent.conversation_state, &*agent.model).sent_with(
            &shared.system,
            &self.specs,
            shared.retry,
        )
    }

    /// The conversation manager has done its work, and this is what it cost.
    pub(super) fn shortened(&mut self, cost: Cost) {
        self.agent.history.repair();
        if cost.usage != Usage::default() {
            let latency = u64::try_from(cost.latency.as_millis()).unwrap_or(u64::MAX);
            self.metrics().add_usage(cost.usage, latency);
            if let Some(run) = &mut self.agent.run {
                run.spent(cost.usage);
            }
        }
    }

    async fn interrupted(&mut self) -> AgentResponse {
        self.end_cycle();
        self.agent.waiting = true;
        let interrupts = self.agent.interrupts();
        self.emitter.emit(|| AgentEvent::Interrupt { interrupts: interrupts.clone() }).await;
        let run = self.agent.run.clone();
        let mut response = self.response(StopReason::Interrupt, run);
        response.interrupts = interrupts;
        response
    }

    fn response(&self, stop_reason: StopReason, run: Option<Run>) -> AgentResponse {
        AgentResponse {
            message: self.last_answer.clone().unwrap_or_else(|| Arc::new(Message::new(Role::Assistant, [""; 0]))),
            stop_reason,
            usage: run.as_ref().map(Run::usage).unwrap_or_default(),
            turns: run.as_ref().map(Run::turns).unwrap_or_default(),
            interrupts: Vec::new(),
            output: run.as_ref().and_then(Run::output).cloned(),
            metrics: Arc::clone(&self.agent.metrics),
        }
    }

    pub(super) fn metrics(&mut self) -> &mut EventLoopMetrics {
        Arc::make_mut(&mut self.agent.metrics)
    }

    fn begin_cycle(&mut self) {
        self.end_cycle();
        self.cycle_began = Some(Instant::now());
        self.metrics().begin_cycle();
    }

    fn end_cycle(&mut self) {
        if let Some(began) = self.cycle_began.take() {
            self.metrics().end_cycle(began.elapsed());
        }
    }
}

/// False for an invocation that was told to end: nobody goes on then.
fn may_go_on(stop_reason: &StopReason) -> bool {
    !matches!(stop_reason, StopReason::Cancelled | StopReason::LimitDuration | StopReason::Interrupt)
}

/// A hook's failure in `event`.
pub(super) fn failed(event: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> AgentError {
    move |source| AgentError::Hook { event, source }
}
