//! Budget of an invocation: its limits, its usage including nested agents, and its cancellation.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::future::select_all;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cancellation::InvocationToken;
use super::counter::Counter;
use super::share::Shares;
use crate::injected::InjectedValues;
use crate::limits::{Limits, Share};
use crate::stop_reason::StopReason;
use crate::trace_context::TraceContext;
use crate::usage::Usage;

/// Model calls and their usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    #[serde(default)]
    pub(crate) turns: u32,
    #[serde(default)]
    pub(crate) usage: Usage,
    /// Share of work elsewhere that may have used it, since its usage is not known.
    #[serde(default, skip_serializing_if = "Share::is_nothing")]
    pub(crate) unsettled: Share,
}

impl Spent {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.turns = self.turns.saturating_add(other.turns);
        self.usage.add(other.usage);
        self.unsettled = self.unsettled.plus(other.unsettled);
    }

    /// Returns the difference to an earlier value.
    pub(crate) fn beyond(&self, other: Self) -> Self {
        Self {
            turns: self.turns.saturating_sub(other.turns),
            usage: self.usage.beyond(other.usage),
            unsettled: self.unsettled.less(other.unsettled),
        }
    }
}

/// Budget of one invocation in a tree of nested ones. Usage of an invocation also counts in the budgets of all outer
/// invocations.
#[derive(Debug)]
pub(crate) struct Budget {
    parent: Option<Arc<Budget>>,
    depth: usize,
    limits: Limits,
    cancellation: InvocationToken,
    deadline: Option<Instant>,
    /// An earlier deadline, once the time of earlier attempts is known.
    tightened: OnceLock<Instant>,
    spent: Counter,
    shares: Mutex<Shares>,
    /// Number of concurrent parts, such as tool calls.
    concurrency: AtomicU32,
    /// Held while turns are reserved in this tree, if this is its outermost budget: two that reserve a turn or a share see each other.
    reserving: Mutex<()>,
    /// True once another budget is nested in this one.
    is_shared: AtomicBool,
    /// Position of this part in a distributed trace.
    trace: Mutex<Option<TraceContext>>,
}

impl Budget {
    /// Creates the budget of an invocation, with the usage from before it was resumed. It is cancelled with the caller's
    /// token, if there is one.
    pub(crate) fn new(
        parent: Option<Arc<Self>>,
        limits: Limits,
        cancellation: Option<CancellationToken>,
        deadline: Option<Instant>,
        spent: Spent,
    ) -> Self {
        let depth = parent.as_ref().map_or(1, |parent| parent.depth + 1);
        if let Some(parent) = &parent {
            parent.is_shared.store(true, Ordering::Relaxed);
        }
        let is_shared = AtomicBool::new(!spent.is_nothing());
        let cancellation = InvocationToken::derived_from(cancellation);
        Self {
            parent,
            depth,
            limits,
            cancellation,
            deadline,
            tightened: OnceLock::new(),
            spent: Counter::new(spent),
            shares: Mutex::new(Shares { unsettled: spent.unsettled, ..Shares::default() }),
            concurrency: AtomicU32::new(1),
            reserving: Mutex::default(),
            is_shared,
            trace: Mutex::default(),
        }
    }

    /// Creates an unlimited budget that measures the usage of one part of an invocation, with its own cancellation.
    pub(crate) fn part(parent: &Arc<Self>, cancellation: CancellationToken) -> Self {
        Self::limited_part(parent, Limits::unlimited(), cancellation)
    }

    /// Creates a budget of one part of an invocation, with its own limits of turns and tokens.
    pub(crate) fn limited_part(parent: &Arc<Self>, limits: Limits, cancellation: CancellationToken) -> Self {
        parent.is_shared.store(true, Ordering::Relaxed);
        Self {
            depth: parent.depth,
            limits,
            cancellation: InvocationToken::derived_from(Some(cancellation)),
            deadline: None,
            tightened: OnceLock::new(),
            spent: Counter::default(),
            shares: Mutex::default(),
            concurrency: AtomicU32::new(1),
            reserving: Mutex::default(),
            is_shared: AtomicBool::new(false),
            trace: Mutex::default(),
            parent: Some(Arc::clone(parent)),
        }
    }

    /// Sets the position in a distributed trace, for nested invocations.
    pub(crate) fn set_trace(&self, trace: TraceContext) {
        *lock(&self.trace) = Some(trace);
    }

    /// Continues the trace of the outer tool call, unless a trace is injected.
    pub(crate) fn continue_trace(&self, injected: &mut InjectedValues) {
        if let Some(trace) = injected.get::<TraceContext>() {
            self.set_trace(trace.clone());
        } else if let Some(trace) = self.parent.as_ref().and_then(|parent| parent.trace()) {
            injected.insert_for_invocation(trace);
        }
    }

    /// Returns the position of this budget's own part.
    pub(crate) fn own_trace(&self) -> Option<TraceContext> {
        lock(&self.trace).clone()
    }

    /// Returns the position of this part, or of the innermost outer one that has one.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.chain().find_map(Self::own_trace)
    }

    /// Returns a token that is cancelled when the invocation is cancelled or ends.
    pub(crate) fn cancellation(&self) -> &CancellationToken {
        self.cancellation.get()
    }

    /// Cancels the token of tools and nested invocations at the end of the invocation.
    pub(crate) fn end(&self) {
        self.cancellation.end();
    }

    /// Returns the one-based nesting depth of the invocation.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the usage of the invocation, including nested ones.
    pub(crate) fn spent(&self) -> Spent {
        Spent { unsettled: self.shares().unsettled, ..self.spent.get() }
    }

    /// Returns the usage as it is if nothing that runs elsewhere reports its usage.
    pub(crate) fn spent_at_most(&self) -> Spent {
        Spent { unsettled: self.shares().all(), ..self.spent.get() }
    }

    fn shares(&self) -> Shares {
        *lock(&self.shares)
    }

    /// Returns the same if other budgets may have been nested in this one.
    pub(crate) fn shared_spent(&self) -> Option<Spent> {
        self.is_shared.load(Ordering::Relaxed).then(|| self.spent())
    }

    /// Adds the usage of a model call, here and in all outer budgets.
    pub(crate) fn charge(&self, usage: Usage) {
        self.chain().for_each(|budget| budget.spent.add(usage));
    }

    /// Adds the usage of a part of the invocation, here and in all outer budgets.
    pub(crate) fn charge_all(&self, spent: Spent) {
        self.chain().for_each(|budget| {
            budget.is_shared.store(true, Ordering::Relaxed);
            budget.spent.add_turns(spent.turns);
            budget.spent.add(spent.usage);
            let mut shares = lock(&budget.shares);
            shares.unsettled = shares.unsettled.plus(spent.unsettled);
        });
    }

    /// Returns the limits that are left, here and in all outer budgets.
    pub(crate) fn remaining(&self) -> Limits {
        let left = self.chain().fold(Limits::unlimited(), |left, budget| {
            let Spent { turns, usage, unsettled } = budget.spent_at_most();
            left.tightened(budget.limits.without(unsettled).less(turns, &usage))
        });
        match self.deadline() {
            Some(deadline) => left.duration(deadline.saturating_duration_since(Instant::now())),
            None => left,
        }
    }

    /// Sets the number of concurrent parts: each gets a share of what is left.
    pub(crate) fn set_concurrency(&self, parts: usize) {
        self.concurrency.store(u32::try_from(parts).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Reserves a share of what is left, here and in all outer budgets, for one of so many concurrent takers in this budget.
    pub(crate) fn reserve(&self, takers: u32) -> Limits {
        let concurrency = self.chain().map(|budget| budget.concurrency.load(Ordering::Relaxed).max(1));
        let takers = concurrency.fold(takers, u32::saturating_mul);
        self.reserve_of(|left| left.part_of(takers))
    }

    /// Reserves this much of what is left, here and in all outer budgets, or all of it if it is less.
    pub(crate) fn reserve_at_most(&self, most: Limits) -> Limits {
        self.reserve_of(|left| left.tightened(most))
    }

    fn reserve_of(&self, granted: impl FnOnce(Limits) -> Limits) -> Limits {
        let _reserving = lock(&self.outermost().reserving);
        let granted = granted(self.remaining());
        self.chain().for_each(|budget| {
            let mut shares = lock(&budget.shares);
            shares.held = shares.held.plus(granted.share());
        });
        granted
    }

    /// Replaces a share that is held by another one, here and in all outer budgets.
    pub(crate) fn replace_held(&self, share: Share, by: Share) {
        self.chain().for_each(|budget| {
            let mut shares = lock(&budget.shares);
            shares.held = shares.held.less(share).plus(by);
        });
    }

    /// Keeps a share that is held for good, here and in all outer budgets.
    pub(crate) fn keep_held(&self, share: Share) {
        self.chain().for_each(|budget| {
            budget.is_shared.store(true, Ordering::Relaxed);
            let mut shares = lock(&budget.shares);
            (shares.held, shares.unsettled) = (shares.held.less(share), shares.unsettled.plus(share));
        });
    }

    /// Reserves a turn for the next model call.
    ///
    /// # Errors
    ///
    /// Returns the stop reason if an outer budget has reached a limit. Then no turn is reserved.
    pub(crate) fn reserve_turn(&self) -> Result<(), StopReason> {
        // The state machine checks the limits of the invocation itself.
        self.spent.add_turns(1);
        let Some(parent) = &self.parent else { return Ok(()) };
        let _reserving = lock(&self.outermost().reserving);
        for (index, budget) in parent.chain().enumerate() {
            if let Err(reached) = budget.spent.reserve_turn(&budget.limits.without(budget.shares().all())) {
                self.chain().take(index + 1).for_each(|budget| budget.spent.remove_turn());
                return Err(reached);
            }
        }
        Ok(())
    }

    /// Sets an earlier deadline of this invocation, once.
    pub(crate) fn tighten_deadline(&self, deadline: Instant) {
        // A second one is of the same attempt, with the same time left.
        _ = self.tightened.set(deadline);
    }

    /// Returns the earliest deadline of this invocation and the outer ones.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.chain().filter_map(|budget| budget.tightened.get().copied().into_iter().chain(budget.deadline).min()).min()
    }

    /// Returns the stop reason of a limit, of this invocation or an outer one, that allows no more model calls: what is reserved for
    /// work elsewhere is not there for others.
    pub(crate) fn reached(&self) -> Option<StopReason> {
        self.chain().find_map(|budget| {
            let Spent { turns, usage, unsettled } = budget.spent_at_most();
            budget.limits.without(unsettled).reached(turns, &usage)
        })
    }

    /// Waits until this invocation, or an outer one, is cancelled or ends.
    pub(crate) async fn ended(&self) {
        let tokens = self.chain().map(|budget| Box::pin(budget.cancellation().cancelled()) as Pin<Box<_>>);
        select_all(tokens).await;
    }

    fn outermost(&self) -> &Self {
        self.chain().last().unwrap_or(self)
    }

    /// Returns this budget and the outer ones, innermost first.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |budget| budget.parent.as_deref())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
