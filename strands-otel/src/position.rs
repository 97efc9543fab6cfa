//! Positions in a trace: W3C trace contexts of the agent, and contexts of OpenTelemetry.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use strands_core::TraceContext;

/// Returns the W3C trace context of a span. `None` for a span that is not part of a trace, such as those of a disabled SDK.
pub(crate) fn trace_context(span: &SpanContext) -> Option<TraceContext> {
    if !span.is_valid() {
        return None;
    }
    let parent = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8());
    let trace: TraceContext = parent.parse().ok()?;
    // A state that is too long for the header is left out, as W3C allows.
    Some(trace.clone().with_state(span.trace_state().header()).unwrap_or(trace))
}

/// Returns the span of a W3C trace context, in another process or another part of this one.
pub(crate) fn span_context(trace: &TraceContext) -> Option<SpanContext> {
    let mut parts = trace.traceparent().split('-').skip(1);
    let trace_id = TraceId::from_hex(parts.next()?).ok()?;
    let span_id = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let state = trace.tracestate().and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    Some(SpanContext::new(trace_id, span_id, flags, true, state)).filter(SpanContext::is_valid)
}

/// Returns the context for a new span under the injected trace context.
///
/// A current span of the same trace is below the injected position, for example one that a tool has started around an agent.
pub(crate) fn parent(injected: Option<&TraceContext>) -> Context {
    let current = Context::current();
    let Some(remote) = injected.and_then(span_context) else { return current };
    if current.has_active_span() && current.span().span_context().trace_id() == remote.trace_id() {
        return current;
    }
    current.with_remote_span_context(remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_contexts_survive_a_round_trip() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = text.parse::<TraceContext>().unwrap().with_state("a=1,b=2").unwrap();
        let span = span_context(&trace).unwrap();
        assert!(span.is_remote() && span.is_sampled());
        assert_eq!(trace_context(&span), Some(trace));
        assert_eq!(trace_context(&SpanContext::empty_context()), None);
    }
}
