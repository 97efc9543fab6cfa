//! Spans of one invocation, kept by the hook for as long as the invocation lives.

mod captured;
mod token_usage;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use serde_json::json;
use strands_core::TraceContext;
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, BeforeInvocation, BeforeModelCall, BeforeToolCall, HookContext,
};
use strands_core::metrics::Usage;
use strands_core::models::{FallbackFailures, ModelError, StopReason};

use captured::system_instructions;
use token_usage::{set_cache_usage, set_usage};

use crate::agent_telemetry::{Shared, TraceAttributes};
use crate::closing::{Closing, closing_of, error_kind};
use crate::instruments::ModelCall;
use crate::span::OpenSpan;
use crate::{content, position, semconv};

/// Spans of one invocation. Dropping it ends them.
pub(crate) struct Invocation {
    shared: Arc<Shared>,
    /// The hook that records the invocation.
    owner: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In order of their end: children before their parents.
    tools: Vec<ToolSpan>,
    chat: Option<OpenSpan>,
    cycle: Option<Cycle>,
    agent: Option<AgentSpan>,
    /// Kind of the error of the newest attempt of a model call.
    failure: Option<&'static str>,
    previous_cycle: Option<String>,
}

struct AgentSpan {
    span: OpenSpan,
    name: String,
    /// Usage of this invocation, without that of nested agents.
    usage: Usage,
    has_model: bool,
}

struct Cycle {
    span: OpenSpan,
    number: u32,
    id: String,
}

struct ToolSpan {
    span: OpenSpan,
    id: String,
    /// Name of the tool, if it exists.
    name: Option<String>,
}

impl Invocation {
    pub(crate) fn new(shared: Arc<Shared>, owner: usize) -> Self {
        Self { shared, owner, state: Mutex::default() }
    }

    pub(crate) fn belongs_to(&self, owner: usize) -> bool {
        self.owner == owner
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a span with the attributes that all spans have.
    fn start(
        &self,
        context: &HookContext,
        parent: &Context,
        operation: &'static str,
        subject: Option<&str>,
        links: Vec<Link>,
    ) -> OpenSpan {
        let name = match subject {
            Some(subject) => format!("{operation} {subject}").into(),
            None => std::borrow::Cow::Borrowed(operation),
        };
        let system = if self.shared.conventions.latest { semconv::PROVIDER_NAME } else { semconv::SYSTEM };
        let mut attributes =
            vec![KeyValue::new(semconv::OPERATION_NAME, operation), KeyValue::new(system, semconv::STRANDS_AGENTS)];
        if let Some(session) = context.session_id() {
            attributes.push(KeyValue::new(semconv::SESSION_ID, session.to_owned()));
        }
        if let Some(added) = context.injected::<TraceAttributes>() {
            attributes.extend_from_slice(added.as_slice());
        }
        OpenSpan::start(&self.shared.tracer, parent, name, SpanKind::Internal, attributes, links)
    }

    /// Begins the span of the agent.
    pub(crate) fn begin(&self, event: &BeforeInvocation<'_>) {
        let context = event.context;
        let link = context.suspended_trace().and_then(position::span_context).map(Link::with_context);
        let parent = position::parent(context.injected::<TraceContext>());
        let links = link.into_iter().collect();
        let span = self.start(context, &parent, semconv::INVOKE_AGENT, Some(context.agent_name()), links);
        span.set(semconv::AGENT_NAME, context.agent_name().to_owned());
        span.set(semconv::INVOCATION_ID, context.invocation_id().to_owned());
        if let Some(trace) = position::trace_context(span.context().span().span_context()) {
            context.set_trace(trace);
        }
        self.shared.instruments.begin_invocation();
        let name = context.agent_name().to_owned();
        let mut state = self.state();
        state.close(&self.shared, Closing::Ended);
        state.agent = Some(AgentSpan { span, name, usage: Usage::default(), has_model: false });
    }

    /// Ends the span of the agent, and what is still open below it.
    pub(crate) fn end(&self, event: &AfterInvocation<'_>) {
        let conventions = self.shared.conventions;
        let mut state = self.state();
        let closing = match event.outcome {
            Ok(response) => {
                for interrupt in &response.interrupts {
                    let name = interrupt.name.clone();
                    let waiting = state.tools.iter().find(|tool| interrupt.is_of_call(&tool.id));
                    let span = waiting.map(|tool| &tool.span).or(state.agent.as_ref().map(|agent| &agent.span));
                    if let Some(span) = span {
                        span.add_event(semconv::INTERRUPT_EVENT, vec![KeyValue::new(semconv::INTERRUPT_NAME, name)]);
                    }
                }
                if let Some(AgentSpan { span, .. }) = &state.agent {
                    span.set(semconv::STOP_REASON, response.stop_reason.as_str().to_owned());
                    if conventions.content && span.is_recording() {
                        self.add_response(span, &response.text(), &response.stop_reason);
                    }
                }
                closing_of(&response.stop_reason)
            }
            Err(error) => {
                let kind = error_kind(error);
                if let Some(AgentSpan { span, .. }) = &state.agent {
                    span.fail(conventions, kind, || error.to_string());
                }
                Closing::Failed(kind)
            }
        };
        state.close(&self.shared, closing);
    }

    /// Begins the span of an attempt, and that of the cycle if it is the first.
    pub(crate) fn begin_model_call(&self, event: &BeforeModelCall<'_>) {
        let context = event.context;
        let conventions = self.shared.conventions;
        let mut state = self.state();
        state.chat = None;
        if let Some(agent) = &mut state.agent
            && !agent.has_model
        {
            agent.has_model = true;
            self.describe_agent(&agent.span, event);
        }
        let retried = state.failure.take();
        let cycle = self.cycle(&mut state, context, true);
        if event.attempt > 1 {
            let mut attributes = vec![KeyValue::new(semconv::ATTEMPT, i64::from(event.attempt))];
            attributes.extend(retried.map(|kind| KeyValue::new(semconv::ERROR_TYPE, kind)));
            cycle.span.add_event(semconv::RETRY_EVENT, attributes);
            self.shared.instruments.retry(context.agent_name(), event.model_id);
        }
        let chat = self.start(context, cycle.span.context(), semconv::CHAT, None, Vec::new());
        chat.set(semconv::REQUEST_MODEL, event.model_id.to_owned());
        if event.attempt > 1 {
            chat.set(semconv::ATTEMPT, i64::from(event.attempt));
        }
        if conventions.content && chat.is_recording() {
            self.add_system(&chat, event);
            self.add_messages(&chat, event.messages.iter().map(|message| &**message));
        }
        state.chat = Some(chat);
    }

    /// Sets what is known of an agent once it calls its model.
    fn describe_agent(&self, span: &OpenSpan, event: &BeforeModelCall<'_>) {
        if !span.is_recording() {
            return;
        }
        span.set(semconv::REQUEST_MODEL, event.model_id.to_owned());
        let names: Vec<_> = event.tools.iter().map(|spec| spec.name.as_str()).collect();
        span.set(semconv::AGENT_TOOLS, json!(names).to_string());
        if self.shared.conventions.tool_definitions {
            let specs: Vec<_> = event.tools.iter().filter_map(|spec| serde_json::to_value(spec).ok()).collect();
            span.set(semconv::TOOL_DEFINITIONS, json!(specs).to_string());
        }
        if !self.shared.conventions.content {
            return;
        }
        if self.shared.conventions.latest && !event.system.is_empty() {
            span.set(semconv::SYSTEM_INSTRUCTIONS, system_instructions(event));
        } else {
            self.add_system(span, event);
        }
        // Only now is the prompt as other hooks, such as guardrails, have left it.
        let prompt = event.messages.last().filter(|message| message.tool_results().next().is_none());
        self.add_messages(span, prompt.map(|message| &**message));
    }

    /// Ends the span of an attempt.
    pub(crate) fn end_model_call(&self, event: &AfterModelCall<'_>) {
        let conventions = self.shared.conventions;
        let mut state = self.state();
        let error = event.outcome.err().map(|error| error.kind().as_str());
        state.failure = error.or(event.retry.then_some("hook"));
        if let Some(agent) = &mut state.agent {
            agent.usage.add(event.usage);
        }
        let Some(chat) = state.chat.take() else { return };
        drop(state);
        let steps = fallback_steps(event);
        if chat.is_recording() {
            for (from, to) in &steps {
                let mut attributes = vec![KeyValue::new(semconv::FALLBACK_FROM, (*from).to_owned())];
                attributes.extend(to.map(|to| KeyValue::new(semconv::FALLBACK_TO, to.to_owned())));
                chat.add_event(semconv::FALLBACK_EVENT, attributes);
            }
            if let Some(step) = event.fallbacks.last() {
                chat.set(semconv::RESPONSE_MODEL, step.to.clone());
            }
            if event.usage != Usage::default() {
                set_usage(&chat, event.usage);
                set_cache_usage(&chat, event.usage, conventions.latest);
            }
            if let Some(time) = event.time_to_first_content {
                chat.set(semconv::TIME_TO_FIRST_TOKEN, milliseconds(time));
            }
            chat.set(semconv::REQUEST_DURATION, milliseconds(event.duration));
            match event.outcome {
                Ok((message, reason)) => {
                    let reasons = vec![StringValue::from(reason.as_str().to_owned())];
                    chat.set(semconv::FINISH_REASONS, Value::Array(Array::String(reasons)));
                    if conventions.content {
                        self.add_choice(&chat, message, reason);
                    }
                    if *reason == StopReason::Cancelled {
                        chat.set(semconv::CANCELLATION_TYPE, "cancelled");
                    } else {
                        chat.set_ok();
                    }
                }
                Err(error) => chat.fail(conventions, error.kind().as_str(), || error.to_string()),
            }
        }
        self.shared.instruments.end_model_call(&ModelCall {
            agent: event.context.agent_name(),
            model: event.model_id,
            usage: event.usage,
            duration: event.duration,
            time_to_first_token: event.time_to_first_content,
            error,
            fallbacks: steps.len(),
        });
    }

    /// Begins the cycle of an invocation that resumes with tool calls.
    pub(crate) fn begin_tools(&self, context: &HookContext) {
        let mut state = self.state();
        state.chat = None;
        if state.agent.is_some() {
            self.cycle(&mut state, context, false);
        }
    }

    /// Ends the spans of calls that have no end of their own, for example since they were cancelled.
    pub(crate) fn end_tools(&self) {
        self.state().tools.clear();
    }

    /// Returns the span of the current cycle, which is begun if it is a new one.
    fn cycle<'s>(&self, state: &'s mut State, context: &HookContext, is_model_call: bool) -> &'s Cycle {
        let number = context.cycle();
        // Rounds of one invocation count on, so that a number stands for one cycle.
        if state.cycle.as_ref().is_some_and(|cycle| cycle.number != number) {
            state.end_cycle(&self.shared, Closing::Ended);
        }
        let parent = state.agent.as_ref().map(|agent| agent.span.context().clone());
        let previous = state.previous_cycle.take();
        let cycle = state.cycle.get_or_insert_with(|| {
            let parent = parent.unwrap_or_else(|| position::parent(context.injected::<TraceContext>()));
            let span = self.start(context, &parent, semconv::EXECUTE_CYCLE, None, Vec::new());
            // A resumed cycle began in another invocation.
            let id = format!("{}/{number}", context.invocation_id());
            span.set(semconv::CYCLE_ID, id.clone());
            if let Some(previous) = previous.clone() {
                span.set(semconv::PARENT_CYCLE_ID, previous);
            }
            if is_model_call {
                self.shared.instruments.begin_cycle(context.agent_name());
            }
            Cycle { span, number, id }
        });
        state.previous_cycle = previous;
        cycle
    }

    /// Begins the span of a tool call, and makes it the current one while the tool runs.
    pub(crate) fn begin_tool_call(&self, event: &mut BeforeToolCall<'_>) {
        let context = event.context;
        let tool = event.called_tool().cloned();
        let spec = tool.as_ref().map(|tool| tool.spec());
        let mut state = self.state();
        let parent = match &state.cycle {
            Some(cycle) => cycle.span.context().clone(),
            None => match &state.agent {
                Some(agent) => agent.span.context().clone(),
                None => position::parent(context.injected::<TraceContext>()),
            },
        };
        // The name of a tool that does not exist is text of the model.
        let name = spec.map(|spec| spec.name.clone());
        let subject = name.as_deref().unwrap_or(semconv::OTHER);
        let span = self.start(context, &parent, semconv::EXECUTE_TOOL, Some(subject), Vec::new());
        span.set(semconv::TOOL_NAME, subject.to_owned());
        let id = event.tool_use.tool_use_id.clone();
        span.set(semconv::TOOL_CALL_ID, id.clone());
        if let Some(spec) = spec.filter(|_| span.is_recording()) {
            span.set(semconv::TOOL_DESCRIPTION, spec.description.to_string());
            span.set(semconv::TOOL_JSON_SCHEMA, spec.input_schema.to_string());
        }
        let current = span.context().clone();
        if let Some(trace) = position::trace_context(current.span().span_context()) {
            event.inject(trace);
        }
        event.surround(move || current.clone().attach());
        state.tools.push(ToolSpan { span, id, name });
    }

    /// Ends the span of a tool call.
    pub(crate) fn end_tool_call(&self, event: &AfterToolCall<'_>) {
        let conventions = self.shared.conventions;
        let mut state = self.state();
        let Some(index) = state.tools.iter().rposition(|tool| tool.id == event.tool_use.tool_use_id) else { return };
        let ToolSpan { span, id, name } = state.tools.remove(index);
        drop(state);
        let is_error = event.result.is_error();
        let error = event.failure.map(|cause| cause.as_str()).or(is_error.then_some("error"));
        if span.is_recording() {
            span.set(semconv::TOOL_STATUS, if is_error { "error" } else { "success" });
            if event.attempts > 1 {
                span.set(semconv::TOOL_ATTEMPTS, i64::from(event.attempts));
            }
            if conventions.content {
                self.add_call(&span, event.tool_use);
                let result = content::json_of(&event.result.content);
                if conventions.latest {
                    if !is_error {
                        span.set(semconv::TOOL_CALL_RESULT, result.to_string());
                    }
                    let output = content::tool_message(content::tool_response(&json!(id), &result));
                    let output = KeyValue::new(semconv::OUTPUT_MESSAGES, output);
                    span.add_content(conventions, semconv::DETAILS_EVENT, vec![output]);
                } else {
                    let attributes =
                        vec![KeyValue::new(semconv::MESSAGE, result.to_string()), KeyValue::new(semconv::ID, id)];
                    span.add_content(conventions, semconv::CHOICE_EVENT, attributes);
                }
            }
            match error {
                Some(kind) => {
                    span.fail(conventions, kind, || event.error.map(ToString::to_string).unwrap_or_default());
                }
                None => span.set_ok(),
            }
        }
        self.shared.instruments.end_tool_call(event.context.agent_name(), name.as_deref(), error, event.duration);
    }
}

impl State {
    fn end_cycle(&mut self, shared: &Shared, closing: Closing) {
        if let Some(Cycle { span, id, .. }) = self.cycle.take() {
            closing.mark(&span);
            match closing {
                Closing::Ended | Closing::Interrupted | Closing::Limited => span.set_ok(),
                Closing::Failed(kind) => span.fail(shared.conventions, kind, || kind.to_owned()),
                Closing::Cancelled | Closing::Dropped => {}
            }
            let agent = self.agent.as_ref().map_or("", |agent| agent.name.as_str());
            shared.instruments.end_cycle(agent, span.began().elapsed());
            self.previous_cycle = Some(id);
        }
    }

    /// Ends all open spans, children before their parents.
    fn close(&mut self, shared: &Shared, closing: Closing) {
        for tool in self.tools.drain(..) {
            closing.mark(&tool.span);
        }
        if let Some(chat) = self.chat.take() {
            closing.mark(&chat);
        }
        self.end_cycle(shared, closing);
        let Some(AgentSpan { span, name, usage, .. }) = self.agent.take() else { return };
        closing.mark(&span);
        set_usage(&span, usage);
        let (read, written) = (usage.cache_read_input_tokens, usage.cache_write_input_tokens);
        // Also if it is zero, as in Strands for Python.
        let usage = usage.with_cache(read.or(Some(0)), written.or(Some(0)));
        set_cache_usage(&span, usage, shared.conventions.latest);
        if let Closing::Ended | Closing::Interrupted | Closing::Limited = closing {
            span.set_ok();
        }
        let error = if let Closing::Failed(kind) = closing { Some(kind) } else { None };
        shared.instruments.end_invocation(&name, closing.outcome(), error, span.began().elapsed());
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).close(&shared, Closing::Dropped);
    }
}

/// Returns the models that failed, each with the next one.
fn fallback_steps<'e>(event: &'e AfterModelCall<'_>) -> Vec<(&'e str, Option<&'e str>)> {
    if let Err(error) = event.outcome {
        let failures = std::error::Error::source(error).and_then(|source| source.downcast_ref::<FallbackFailures>());
        if let Some(failures) = failures {
            return failures.others().map(|(model, _): (&str, &ModelError)| (model, None)).collect();
        }
    }
    event.fallbacks.iter().map(|step| (step.from.as_str(), Some(step.to.as_str()))).collect()
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
