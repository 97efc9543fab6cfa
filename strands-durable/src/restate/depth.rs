//! Nesting of durable turns over workers. That of agents in one process is limited by the core.

use strands_core::{AgentError, PromptRequest};

/// Maximum number of durable turns that wait for each other, which is that of agents in one process.
const MAX_DEPTH: usize = 10;

/// Durable turns of which each waits for the next, as an injected value of the invocation of the innermost one.
#[derive(Clone, Debug)]
pub(super) struct TurnsAround {
    /// Number of those around the innermost one.
    depth: u32,
    /// Names of the objects of all of them.
    objects: Vec<String>,
}

impl TurnsAround {
    /// Returns the turns within a turn of an object, which has this depth and these objects around it.
    pub(super) fn within(depth: u32, mut objects: Vec<String>, service: &str, key: &str) -> Self {
        objects.push(name_of_object(service, key));
        Self { depth, objects }
    }
}

/// Returns the name of an object.
pub(super) fn name_of_object(service: &str, key: &str) -> String {
    format!("{service}/{key}")
}

/// Returns the number of durable turns around one that a request starts, and their objects: none if the caller is no durable turn.
///
/// # Errors
///
/// Returns [`AgentError::NestedTooDeep`] if there are too many.
pub(super) fn of_inner_turn(request: &PromptRequest) -> Result<(u32, Vec<String>), AgentError> {
    let Some(TurnsAround { depth, objects }) = request.injected::<TurnsAround>() else { return Ok((0, Vec::new())) };
    let around = depth.saturating_add(1);
    match usize::try_from(around).unwrap_or(usize::MAX).saturating_add(1) {
        depth if depth > MAX_DEPTH => Err(AgentError::NestedTooDeep { depth, limit: MAX_DEPTH }),
        _ => Ok((around, objects.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_the_eleventh_level() {
        let within = |depth| {
            let around = TurnsAround::within(depth, Vec::new(), "Planner", "k");
            of_inner_turn(&PromptRequest::new("hi").inject(around)).map(|(depth, _)| depth)
        };
        assert_eq!(of_inner_turn(&PromptRequest::new("hi")).ok(), Some((0, Vec::new())));
        assert_eq!((within(0).ok(), within(8).ok()), (Some(1), Some(9)));
        assert!(matches!(within(9), Err(AgentError::NestedTooDeep { depth: 11, limit: 10 })));
        assert!(within(u32::MAX).is_err());
    }

    #[test]
    fn names_the_objects_around_a_turn() {
        let around = TurnsAround::within(1, vec!["A/u".to_owned()], "B", "u");
        let (depth, objects) = of_inner_turn(&PromptRequest::new("hi").inject(around)).unwrap();
        assert_eq!((depth, &*objects), (2, &["A/u".to_owned(), "B/u".to_owned()][..]));
    }
}
