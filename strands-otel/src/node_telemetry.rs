//! The same hook for graphs and swarms: a span for each run, and one for each attempt of a node.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use opentelemetry::trace::{SpanKind, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use strands_core::hook::HookResult;
use strands_core::multiagent::{
    AfterNode, AfterRun, BeforeHandoff, BeforeNode, BeforeRun, MultiAgentContext, MultiAgentKind, NodeHook, NodeStatus,
};

use crate::agent_telemetry::{AgentTelemetry, TraceAttributes};
use crate::closing::{Closing, closing_of, error_kind};
use crate::span::OpenSpan;
use crate::{position, semconv};

/// Spans of one run. Dropping it ends them, those of nodes first.
pub(crate) struct RunSpans {
    owner: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nodes: Vec<NodeSpan>,
    run: Option<OpenSpan>,
}

struct NodeSpan {
    node: String,
    span: OpenSpan,
}

impl RunSpans {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunSpans {
    fn drop(&mut self) {
        self.state().close(Closing::Dropped);
    }
}

impl State {
    /// Ends what is open.
    fn close(&mut self, closing: Closing) {
        for NodeSpan { span, .. } in self.nodes.drain(..) {
            closing.mark(&span);
        }
        if let Some(span) = self.run.take() {
            closing.mark(&span);
        }
    }
}

impl AgentTelemetry {
    /// Returns the spans of the run, unless another instance of this hook has them.
    fn run(&self, context: &MultiAgentContext) -> Option<Arc<RunSpans>> {
        let owner = std::ptr::from_ref(self).addr();
        let spans = context.local(|| RunSpans { owner, state: Mutex::default() });
        (spans.owner == owner).then_some(spans)
    }

    fn start_span(
        &self,
        context: &MultiAgentContext,
        parent: &Context,
        operation: &'static str,
        subject: &str,
    ) -> OpenSpan {
        let conventions = self.shared().conventions;
        let system = if conventions.latest { semconv::PROVIDER_NAME } else { semconv::SYSTEM };
        let mut attributes =
            vec![KeyValue::new(semconv::OPERATION_NAME, operation), KeyValue::new(system, semconv::STRANDS_AGENTS)];
        if let Some(session) = context.session_id() {
            attributes.push(KeyValue::new(semconv::SESSION_ID, session.to_owned()));
        }
        if let Some(added) = context.injected::<TraceAttributes>() {
            attributes.extend_from_slice(added.as_slice());
        }
        let (name, tracer) = (format!("{operation} {subject}"), &self.shared().tracer);
        let span = OpenSpan::start(tracer, parent, name, SpanKind::Internal, attributes, Vec::new());
        if let Some(trace) = position::trace_context(span.context().span().span_context()) {
            context.set_trace(trace);
        }
        span
    }
}

#[async_trait]
impl NodeHook for AgentTelemetry {
    async fn before_run(&self, event: &mut BeforeRun<'_>) -> HookResult {
        let context = event.context;
        let Some(spans) = self.run(context) else { return Ok(()) };
        let operation = match context.kind() {
            MultiAgentKind::Swarm => semconv::INVOKE_SWARM,
            _ => semconv::INVOKE_GRAPH,
        };
        let parent = position::parent(context.trace().as_ref());
        let span = self.start_span(context, &parent, operation, context.name());
        span.set(semconv::AGENT_NAME, context.name().to_owned());
        span.set(semconv::RUN_ID, context.run_id().to_owned());
        if context.is_resumed() {
            span.set(semconv::RUN_RESUMED, true);
        }
        spans.state().run = Some(span);
        Ok(())
    }

    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        let Some(spans) = self.run(event.context) else { return Ok(()) };
        let mut state = spans.state();
        let Some(run) = &state.run else { return Ok(()) };
        let name = event.name().into_owned();
        let span = self.start_span(event.context, run.context(), semconv::EXECUTE_NODE, &name);
        span.set(semconv::NODE_ID, name.clone());
        span.set(semconv::NODE_ATTEMPT, i64::from(event.attempt));
        // One that was cut off by the error of another hook.
        state.nodes.retain(|open| open.node != name);
        state.nodes.push(NodeSpan { node: name, span });
        Ok(())
    }

    async fn after_node(&self, event: &mut AfterNode<'_>) -> HookResult {
        let Some(spans) = self.run(event.context) else { return Ok(()) };
        let mut state = spans.state();
        let Some(at) = state.nodes.iter().position(|open| open.node == event.name()) else { return Ok(()) };
        let NodeSpan { span, .. } = state.nodes.swap_remove(at);
        span.set(semconv::NODE_STATUS, event.result.status.as_str().to_owned());
        match event.result.status {
            NodeStatus::Failed => {
                let text = || event.result.error.clone().unwrap_or_default();
                span.fail(self.shared().conventions, "node", text);
            }
            NodeStatus::Interrupted => {
                for interrupt in &event.result.interrupts {
                    let name = interrupt.name.clone();
                    span.add_event(semconv::INTERRUPT_EVENT, vec![KeyValue::new(semconv::INTERRUPT_NAME, name)]);
                }
            }
            NodeStatus::Stopped => Closing::Cancelled.mark(&span),
            _ => span.set_ok(),
        }
        Ok(())
    }

    async fn before_handoff(&self, event: &mut BeforeHandoff<'_>) -> HookResult {
        let Some(spans) = self.run(event.context) else { return Ok(()) };
        if let Some(run) = &spans.state().run {
            let from = KeyValue::new(semconv::HANDOFF_FROM, event.from.to_owned());
            run.add_event(semconv::HANDOFF_EVENT, vec![from, KeyValue::new(semconv::HANDOFF_TO, event.to.to_owned())]);
        }
        Ok(())
    }

    async fn after_run(&self, event: &mut AfterRun<'_>) -> HookResult {
        let Some(spans) = self.run(event.context) else { return Ok(()) };
        let mut state = spans.state();
        let closing = match (event.outcome, &state.run) {
            (Ok(response), Some(span)) => {
                span.set(semconv::STOP_REASON, response.stop_reason.as_str().to_owned());
                let closing = closing_of(&response.stop_reason);
                if let Closing::Ended = closing {
                    span.set_ok();
                }
                closing
            }
            (Err(error), Some(span)) => {
                let kind = error_kind(error);
                span.fail(self.shared().conventions, kind, || error.to_string());
                Closing::Failed(kind)
            }
            (_, None) => Closing::Ended,
        };
        state.close(closing);
        Ok(())
    }
}
