//! A response that is being read. If it is dropped, such as with the tool call of its agent, its usage counts all the same.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::models::TurnBuilder;
use crate::nesting::Budget;
use crate::usage::Usage;

/// The builder of a response, which charges the usage so far unless it is [closed](Self::close).
pub(super) struct OpenTurn {
    turn: TurnBuilder,
    budget: Option<Arc<Budget>>,
}

impl OpenTurn {
    pub(super) fn new(turn: TurnBuilder, budget: &Arc<Budget>) -> Self {
        Self { turn, budget: Some(Arc::clone(budget)) }
    }

    /// Returns the builder. The caller charges its usage.
    pub(super) fn close(mut self) -> TurnBuilder {
        self.budget = None;
        std::mem::replace(&mut self.turn, TurnBuilder::new(0))
    }
}

impl Drop for OpenTurn {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            let usage = self.turn.usage();
            if usage != Usage::default() {
                budget.charge(usage);
            }
        }
    }
}

impl Deref for OpenTurn {
    type Target = TurnBuilder;

    #[inline]
    fn deref(&self) -> &TurnBuilder {
        &self.turn
    }
}

impl DerefMut for OpenTurn {
    #[inline]
    fn deref_mut(&mut self) -> &mut TurnBuilder {
        &mut self.turn
    }
}
