//! States of tools that wait for responses, such as agents. They stay in this process, since clients must not see them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use strands_core::Continuation;

/// Number of states that are kept. The oldest are forgotten first.
const CAPACITY: usize = 1_000;

/// The states, by the id of their call.
#[derive(Default)]
pub(super) struct Continuations(Mutex<VecDeque<(String, Continuation)>>);

impl Continuations {
    /// Keeps the state of a call.
    pub(super) fn keep(&self, id: &str, continuation: Continuation) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, _)| other != id);
        if kept.len() >= CAPACITY {
            kept.pop_front();
        }
        kept.push_back((id.to_owned(), continuation));
    }

    /// Takes the state of a call.
    pub(super) fn take(&self, id: &str) -> Option<Continuation> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(other, _)| other == id)?;
        kept.remove(at).map(|(_, continuation)| continuation)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{CAPACITY, Continuations};

    #[test]
    fn states_are_bounded() {
        let states = Continuations::default();
        states.keep("0", json!(0).into());
        states.keep("0", json!(1).into());
        assert_eq!((states.take("0"), states.take("0")), (Some(json!(1).into()), None));
        for id in 0..=CAPACITY {
            states.keep(&id.to_string(), json!(id).into());
        }
        assert_eq!((states.take("0"), states.take("1")), (None, Some(json!(1).into())));
    }
}
