//! The budget of an invocation: its limits, what it and the agents nested in it have spent, and its end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::select_all;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cancellation::InvocationToken;
use super::counter::Counter;
use crate::limits::Limits;
use crate::stop_reason::StopReason;
use crate::usage::Usage;

/// Model calls and their tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    #[serde(default)]
    pub(crate) turns: u32,
    #[serde(default)]
    pub(crate) usage: Usage,
}

impl Spent {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.turns = self.turns.saturating_add(other.turns);
        self.usage.add(other.usage);
    }

    /// Returns what this is more than another one.
    pub(crate) fn beyond(&self, other: Self) -> Self {
        Self { turns: self.turns.saturating_sub(other.turns), usage: self.usage.beyond(other.usage) }
    }
}

/// The budget of one invocation in a tree of nested ones. What an invocation spends is spent from the budgets of all
/// above it, too.
#[derive(Debug)]
pub(crate) struct Budget {
    parent: Option<Arc<Budget>>,
    depth: usize,
    limits: Limits,
    cancellation: InvocationToken,
    deadline: Option<Instant>,
    spent: Counter,
    /// True once another budget is below this one.
    is_shared: AtomicBool,
}

impl Budget {
    /// The budget of an invocation, which has spent this much before it was interrupted. It ends when its caller's token is
    /// cancelled.
    pub(crate) fn new(
        parent: Option<Arc<Self>>,
        limits: Limits,
        cancellation: CancellationToken,
        deadline: Option<Instant>,
        spent: Spent,
    ) -> Self {
        let depth = parent.as_ref().map_or(1, |parent| parent.depth + 1);
        if let Some(parent) = &parent {
            parent.is_shared.store(true, Ordering::Relaxed);
        }
        let is_shared = AtomicBool::new(!spent.is_nothing());
        let cancellation = InvocationToken::derived_from(cancellation);
        Self { parent, depth, limits, cancellation, deadline, spent: Counter::new(spent), is_shared }
    }

    /// A budget without limits of its own, which tells what is spent in one part of an invocation, and ends with the part.
    pub(crate) fn part(parent: &Arc<Self>, cancellation: CancellationToken) -> Self {
        parent.is_shared.store(true, Ordering::Relaxed);
        Self {
            depth: parent.depth,
            limits: Limits::unlimited(),
            cancellation: InvocationToken::derived_from(cancellation),
            deadline: None,
            spent: Counter::default(),
            is_shared: AtomicBool::new(false),
            parent: Some(Arc::clone(parent)),
        }
    }

    /// A token that is cancelled when the invocation is cancelled, and when it is over.
    pub(crate) fn cancellation(&self) -> &CancellationToken {
        self.cancellation.get()
    }

    /// Tells tools and nested invocations that the invocation is over.
    pub(crate) fn end(&self) {
        self.cancellation.end();
    }

    /// Nesting depth of the invocation, one-based.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Cost since the invocation began, of it and of those nested in it.
    pub(crate) fn spent(&self) -> Spent {
        self.spent.get()
    }

    /// The same, if it may be more than the cost of the invocation itself.
    pub(crate) fn shared_spent(&self) -> Option<Spent> {
        self.is_shared.load(Ordering::Relaxed).then(|| self.spent())
    }

    /// Counts tokens of a model call, here and in all budgets above.
    pub(crate) fn charge(&self, usage: Usage) {
        self.chain().for_each(|budget| budget.spent.add(usage));
    }

    /// Counts the cost of a part of the invocation, here and in all budgets above.
    pub(crate) fn charge_all(&self, spent: Spent) {
        self.chain().for_each(|budget| {
            budget.is_shared.store(true, Ordering::Relaxed);
            budget.spent.add_turns(spent.turns);
            budget.spent.add(spent.usage);
        });
    }

    /// Counts a model call that is about to be made.
    ///
    /// # Errors
    ///
    /// Returns the reason for which the invocation is to end if a budget above has nothing left. Then nothing was counted.
    pub(crate) fn reserve_turn(&self) -> Result<(), StopReason> {
        // The invocation's own limits are for its state machine to see.
        self.spent.add_turns(1);
        let Some(parent) = &self.parent else { return Ok(()) };
        for (above, budget) in parent.chain().enumerate() {
            if let Err(reached) = budget.spent.reserve_turn(&budget.limits) {
                self.chain().take(above + 1).for_each(|budget| budget.spent.remove_turn());
                return Err(reached);
            }
        }
        Ok(())
    }

    /// The moment at which this invocation, or one above it, has no time left.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.chain().filter_map(|budget| budget.deadline).min()
    }

    /// Resolves when this invocation, or one above it, is cancelled or over.
    pub(crate) async fn ended(&self) {
        let tokens = self.chain().map(|budget| Box::pin(budget.cancellation().cancelled()) as Pin<Box<_>>);
        select_all(tokens).await;
    }

    /// This budget, and those above it.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |budget| budget.parent.as_deref())
    }
}
