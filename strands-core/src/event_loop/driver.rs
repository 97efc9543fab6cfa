//! Performs the steps that the state machine asks for: with hooks, events, metrics and cancellation. One loop for
//! awaiting and for streaming.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::model_call::ModelOutcome;
use super::run::{OutputNotGiven, Run, Step, UnknownInterrupt};
use crate::agent::{Agent, AgentError, AgentEvent, AgentResponse, Emitter, OutputType, Prompt};
use crate::conversation::Conversation;
use crate::hook::{AfterInvocation, BeforeInvocation, MessageAdded};
use crate::interrupt::InterruptResponse;
use crate::message::{Message, Role};
use crate::metrics::{EventLoopMetrics, Usage};
use crate::model::{StopReason, ToolChoice, ToolSpecs, Turn};
use crate::tool::HostValues;

/// How often the hooks of one invocation may ask for another round.
const MAX_RESUMES: u32 = 16;

/// Resolves when the invocation is to end now: it was cancelled, or its time is up.
pub(super) type Stop<'s> = Pin<&'s mut (dyn Future<Output = StopReason> + Send)>;

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
    pub(super) output: Option<OutputType>,
    limits: Limits,
    cycle_began: Option<Instant>,
    last_answer: Option<Arc<Message>>,
    output_mistake: String,
    output_mistaken: bool,
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
            output: None,
            limits: Limits::new(),
            cycle_began: None,
            last_answer: None,
            output_mistake: String::new(),
            output_mistaken: false,
        }
    }

    pub(crate) async fn run(mut self, request: Request) -> Result<AgentResponse, AgentError> {
        if let Some(missing) = crate::agent::missing_host_value(self.agent, &request.host) {
            return Err(missing);
        }
        let output_tool = match &request.output {
            Some(output) => {
                let (specs, name) = output.join(&self.agent.shared.tools)?;
                self.specs = specs;
                Some(name)
            }
            None => None,
        };
        self.host = request.host;
        self.limits = request.limits;
        self.output = request.output;
        // Tools are told to stop when the invocation is dropped, too.
        self.cancellation = request.cancellation.child_token();
        let _stops_tools = self.cancellation.clone().drop_guard();
        let (cancellation, time) = (request.cancellation, self.limits.time());
        let stop = async move {
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
        let mut stop = std::pin::pin!(stop);

        self.metrics().begin_invocation();
        let mut prompt = request.prompt;
        let mut answers = request.answers;
        let mut resumes = 0;
        loop {
            let ended = match self.begin(prompt, std::mem::take(&mut answers), output_tool.clone()).await {
                Ok(Some(denied)) => Ok(denied),
                Ok(None) => self.cycles(stop.as_mut()).await,
                Err(error) => Err(error),
            };
            let ended = self.conclude(ended).await;
            let mut event = AfterInvocation { state: &self.agent.state, outcome: ended.as_ref(), resume: None };
            for hook in self.agent.shared.hooks.iter().rev() {
                hook.after_invocation(&mut event).await.map_err(failed("after_invocation"))?;
            }
            match event.resume {
                Some(next) if resumes < MAX_RESUMES && ended.is_ok() && !self.agent.waiting => {
                    resumes += 1;
                    prompt = next;
                }
                _ => return ended,
            }
        }
    }

    /// Takes in the prompt, or the answers of humans. Returns a response where a hook denied the invocation.
    async fn begin(
        &mut self,
        prompt: Prompt,
        answers: Vec<InterruptResponse>,
        output_tool: Option<String>,
    ) -> Result<Option<AgentResponse>, AgentError> {
        if self.agent.waiting {
            return self.answer(&prompt, answers).map(|()| None);
        }
        if let Some(answer) = answers.first() {
            return Err(AgentError::UnknownInterrupt { id: answer.interrupt_id.clone() });
        }
        let mut messages = prompt.messages;
        let mut event = BeforeInvocation { state: &self.agent.state, prompt: &mut messages, deny: None };
        for hook in &self.agent.shared.hooks {
            hook.before_invocation(&mut event).await.map_err(failed("before_invocation"))?;
        }
        let denied = event.deny;
        let asked = !messages.is_empty();
        self.agent.history.ask(messages);
        let run = Run::new(self.limits, output_tool);
        if let Some(reason) = denied {
            self.agent.run = Some(run);
            self.commit().await?;
            let message = self.add(Message::assistant(reason)).await?;
            self.last_answer = Some(message);
            let run = self.agent.run.take();
            return Ok(Some(self.response(StopReason::EndTurn, run)));
        }
        let Some(last) = self.agent.history.messages().last() else { return Err(AgentError::EmptyConversation) };
        // A conversation that ends with open calls goes on with them.
        let run = if !asked && last.role == Role::Assistant { run.with_open_calls(last) } else { run };
        self.agent.run = Some(run);
        Ok(None)
    }

    fn answer(&mut self, prompt: &Prompt, answers: Vec<InterruptResponse>) -> Result<(), AgentError> {
        let interrupts = || self.agent.interrupts().into_iter().map(|interrupt| interrupt.id).collect();
        if !prompt.messages.is_empty() || answers.is_empty() {
            return Err(AgentError::Interrupted { interrupts: interrupts() });
        }
        let Some(run) = &mut self.agent.run else { return Ok(()) };
        run.resume(answers).map_err(|UnknownInterrupt(id)| AgentError::UnknownInterrupt { id })?;
        self.agent.waiting = false;
        Ok(())
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
                        ModelOutcome::Answered(turn) => self.take_answer(*turn, choice.is_some()).await?,
                        ModelOutcome::Stopped { reason, partial, usage } => {
                            self.stopped(reason, partial, usage).await?
                        }
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
        self.commit().await?;
        let message = self.add(message).await?;
        self.last_answer = Some(Arc::clone(&message));
        let latency = message.metadata.as_ref().and_then(|known| known.metrics).unwrap_or_default().latency_ms;
        self.metrics().add_answer(&message, std::time::Duration::from_millis(latency));

        // Some models answer a forced call in text: it is as good where it fits the type.
        let said = if forced && stop_reason == StopReason::EndTurn { self.output_in(&message.text()) } else { None };
        let Some(run) = &mut self.agent.run else { return Ok(()) };
        if let Some(output) = said {
            run.output_given(output);
        }
        match run.model_answered(&message, &stop_reason, usage) {
            Ok(None) => Ok(()),
            Ok(Some(follow_up)) => {
                self.agent.history.ask(vec![follow_up]);
                Ok(())
            }
            Err(not_given) => Err(self.no_output(&not_given)),
        }
    }

    fn output_in(&self, text: &str) -> Option<Value> {
        let value: Value = serde_json::from_str(text.trim()).ok()?;
        self.output.as_ref()?.check(&value).ok()?;
        Some(value)
    }

    pub(super) fn no_output(&self, not_given: &OutputNotGiven) -> AgentError {
        let output = self.agent.run.as_ref().and_then(Run::output_tool).unwrap_or_default().to_owned();
        let reason = match self.output_mistake.as_str() {
            "" => "it answered without calling the output tool".to_owned(),
            mistake => mistake.to_owned(),
        };
        AgentError::InvalidOutput { output, attempts: not_given.attempts, reason }
    }

    pub(super) fn output_mistaken(&mut self, mistake: String) {
        self.output_mistake = mistake;
        self.output_mistaken = true;
    }

    /// True once after an output that did not fit its type.
    pub(super) fn take_output_mistaken(&mut self) -> bool {
        std::mem::take(&mut self.output_mistaken)
    }

    /// Ends the invocation with an answer that is not the model's.
    pub(super) async fn end_with(&mut self, answer: Message) -> Result<(), AgentError> {
        let message = self.add(answer).await?;
        self.last_answer = Some(message);
        if let Some(run) = &mut self.agent.run {
            run.end(StopReason::EndTurn, super::run::INTERRUPTED);
        }
        Ok(())
    }

    /// What the model had said when it was stopped stays, so that the conversation can go on from there.
    async fn stopped(&mut self, reason: StopReason, partial: Message, usage: Usage) -> Result<(), AgentError> {
        let partial = match &reason {
            _ if !partial.content.is_empty() => partial,
            StopReason::Cancelled => Message::assistant("Cancelled by user"),
            _ => Message::assistant("Stopped: the time for this answer was up"),
        };
        self.commit().await?;
        let message = self.add(partial).await?;
        self.last_answer = Some(message);
        if let Some(run) = &mut self.agent.run {
            run.spent(usage);
            run.end(reason, super::run::INTERRUPTED);
        }
        Ok(())
    }

    /// The prompt has been answered: it stays, and everybody hears of it.
    pub(super) async fn commit(&mut self) -> Result<(), AgentError> {
        for message in self.agent.history.answered() {
            self.added(&message).await?;
        }
        Ok(())
    }

    pub(super) async fn add(&mut self, message: Message) -> Result<Arc<Message>, AgentError> {
        let message = self.agent.history.push(message);
        self.added(&message).await?;
        Ok(message)
    }

    async fn added(&mut self, message: &Arc<Message>) -> Result<(), AgentError> {
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
        if self.agent.waiting {
            return ended;
        }
        let manager = Arc::clone(&self.agent.shared.conversation);
        let tidied = manager.apply(&mut self.conversation()).await;
        let tidied = tidied.map_err(|source| AgentError::Conversation { manager: manager.name(), source });
        ended.and_then(|response| tidied.map(|()| response))
    }

    pub(super) fn conversation(&mut self) -> Conversation<'_> {
        Conversation {
            messages: self.agent.history.messages_mut(),
            state: &mut self.agent.conversation_state,
            model: &*self.agent.shared.model,
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

/// A hook's failure in `event`.
pub(super) fn failed(event: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> AgentError {
    move |source| AgentError::Hook { event, source }
}
