//! Nesting of durable turns over workers. That of agents in one process is limited by the core.

use strands_core::{AgentError, PromptRequest};

/// Maximum number of durable turns that wait for each other, which is that of agents in one process.
const MAX_DEPTH: usize = 10;

/// Number of durable turns around the running one, as an injected value of its invocation.
pub(super) struct TurnDepth(pub(super) u32);

/// Returns the number of durable turns around one that a request starts: none if the caller is no durable turn.
///
/// # Errors
///
/// Returns [`AgentError::NestedTooDeep`] if there are too many.
pub(super) fn of_inner_turn(request: &PromptRequest) -> Result<u32, AgentError> {
    let around = request.injected::<TurnDepth>().map_or(0, |TurnDepth(depth)| depth.saturating_add(1));
    match usize::try_from(around).unwrap_or(usize::MAX).saturating_add(1) {
        depth if depth > MAX_DEPTH => Err(AgentError::NestedTooDeep { depth, limit: MAX_DEPTH }),
        _ => Ok(around),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_the_eleventh_level() {
        let within = |depth| of_inner_turn(&PromptRequest::new("hi").inject(TurnDepth(depth)));
        assert_eq!(of_inner_turn(&PromptRequest::new("hi")).ok(), Some(0));
        assert_eq!((within(0).ok(), within(8).ok()), (Some(1), Some(9)));
        assert!(matches!(within(9), Err(AgentError::NestedTooDeep { depth: 11, limit: 10 })));
        assert!(within(u32::MAX).is_err());
    }
}
