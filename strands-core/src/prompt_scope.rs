//! [`PromptScope`]: limits, usage, cancellation and trace that several prompts share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::injected::InjectedValues;
use crate::limits::Limits;
use crate::nesting::{self, Budget, Spent};
use crate::outcome::{AgentError, BuildError};
use crate::prompt::Prompt;
use crate::promptable::{PromptRequest, PromptStream, Promptable};
use crate::reservation::Reservation;
use crate::stop_reason::StopReason;
use crate::timers::has_timers;
use crate::trace_context::TraceContext;
use crate::usage::Usage;

/// A scope of prompts that belong together, such as those of the nodes of a graph: they share limits, usage, cancellation, a
/// deadline, injected values and a trace. For a [`Promptable`] that prompts others.
///
/// A scope that is created while a tool or a hook of an agent is polled is nested in that invocation: its usage counts there,
/// and the limits of both hold. When a scope is dropped, the prompts within it are cancelled.
///
/// ```
/// use strands::testing::ScriptedModel;
/// use strands::{Agent, Limits, PromptRequest, PromptScope, StreamExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let expert = Agent::builder().name("expert").model(ScriptedModel::responding("42"));
/// let request = PromptRequest::new("How much is six times seven?");
/// let scope = PromptScope::new(&request, Limits::new().turns(2))?;
/// for _ in 0..3 {
///     let mut events = scope.prompt(&expert, scope.request(request.prompt.clone()));
///     while let Some(event) = events.next().await {
///         event?;
///     }
/// }
/// assert_eq!(scope.turns(), 2, "the third prompt ended before its model call");
/// # Ok::<(), strands::AgentError>(())
/// # }).unwrap();
/// ```
pub struct PromptScope {
    budget: Arc<Budget>,
    injected: InjectedValues,
    limits: Limits,
}

impl PromptScope {
    /// Creates the scope of a request, with its injected values and its cancellation token. `limits` hold unless the request has
    /// its own.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::NestedTooDeep`] if scopes and agents are nested too deep on one stack.
    pub fn new(request: &PromptRequest, limits: Limits) -> Result<Self, AgentError> {
        Self::resumed(request, limits, Usage::default(), 0, Duration::ZERO)
    }

    /// Creates the scope of a request that continues earlier work, whose usage, model calls and time count in the limits.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn resumed(
        request: &PromptRequest,
        limits: Limits,
        usage: Usage,
        turns: u32,
        elapsed: Duration,
    ) -> Result<Self, AgentError> {
        let parent = nesting::current();
        nesting::check_depth(parent.as_ref()).map_err(AgentError::nested_too_deep)?;
        let limits = request.limits.unwrap_or(limits);
        let time_left = limits.time().map(|time| time.saturating_sub(elapsed));
        let deadline = time_left.and_then(|left| Instant::now().checked_add(left));
        let cancellation = Some(request.cancellation.clone());
        let budget = Budget::new(parent, limits, cancellation, deadline, Spent { turns, usage, ..Spent::default() });
        let mut injected = request.injected.clone();
        budget.continue_trace(&mut injected);
        Ok(Self { budget: Arc::new(budget), injected, limits })
    }

    /// Creates a scope within this one, which measures its own usage and is cancelled with `cancellation` as well, such as that of
    /// one node.
    #[must_use]
    pub fn part(&self, cancellation: CancellationToken) -> Self {
        let budget = Arc::new(Budget::part(&self.budget, cancellation));
        Self { budget, injected: self.injected.clone(), limits: Limits::unlimited() }
    }

    /// Creates a scope within this one with its own limits of turns and tokens, in which its usage counts from zero.
    ///
    /// ```
    /// use strands::metrics::Usage;
    /// use strands::{Limits, PromptRequest, PromptScope, models::StopReason};
    ///
    /// let scope = PromptScope::new(&PromptRequest::new("go"), Limits::new().turns(9))?;
    /// scope.charge(Usage::new(200, 100), 2);
    /// let part = scope.limited(Limits::unlimited().turns(3));
    /// part.charge(Usage::new(200, 100), 3);
    /// assert_eq!((part.limit_reached(), scope.turns()), (Some(StopReason::LimitTurns), 5));
    /// # Ok::<(), strands::AgentError>(())
    /// ```
    #[must_use]
    pub fn limited(&self, limits: Limits) -> Self {
        let budget = Arc::new(Budget::limited_part(&self.budget, limits, CancellationToken::new()));
        Self { budget, injected: self.injected.clone(), limits }
    }

    /// Creates a request with the injected values, the cancellation and the trace of the scope.
    pub fn request(&self, prompt: impl Into<Prompt>) -> PromptRequest {
        let mut request = PromptRequest::new(prompt).cancel_with(self.budget.cancellation().clone());
        request.injected = self.injected.clone();
        if let Some(trace) = self.budget.trace() {
            request.injected.insert_for_invocation(trace);
        }
        request
    }

    /// Adds the injected values and the trace of the scope to a request. Values that the request has already take precedence.
    pub fn adopt(&self, mut request: PromptRequest) -> PromptRequest {
        let mut within = self.request(Prompt::none());
        within.injected.add_for_invocation(std::mem::take(&mut request.injected));
        PromptRequest { injected: within.injected, ..request }
    }

    /// Prompts within the scope.
    pub fn prompt(&self, promptable: &dyn Promptable, request: PromptRequest) -> PromptStream {
        Box::pin(nesting::stream_inside(&self.budget, promptable.stream(request)))
    }

    /// Runs a future within the scope: agents that it prompts share the limits.
    pub fn run<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        nesting::inside(&self.budget, work)
    }

    /// Returns the token that is cancelled with the request, and when the scope is dropped.
    pub fn cancellation(&self) -> &CancellationToken {
        self.budget.cancellation()
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(crate) fn injected_values(&self) -> &InjectedValues {
        &self.injected
    }

    /// Returns the injected value of a type.
    pub fn injected<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.injected.get()
    }

    /// Returns the usage of all prompts within the scope.
    pub fn usage(&self) -> Usage {
        self.budget.spent().usage
    }

    /// Returns the number of model calls within the scope.
    pub fn turns(&self) -> u32 {
        self.budget.spent().turns
    }

    /// Adds the model calls of work elsewhere, such as those of an agent on another server.
    pub fn charge(&self, usage: Usage, turns: u32) {
        self.budget.charge_all(Spent { turns, usage, ..Spent::default() });
    }

    /// Reserves a share of the limits that are left, for work elsewhere that responds to a request. All shares together are never more
    /// than there is. A share is, of the turns and of the tokens, rounded up:
    /// - three quarters for a request that [is alone](PromptRequest::is_alone), such as that of the only tool call of a turn;
    /// - the same part for each of several concurrent calls, also those of other tools;
    /// - the same part for each of the [parts](Self::set_concurrency) of a scope, such as the nodes of a graph;
    /// - half of that, and half of the rest for the next one, if it is not known how many there are, such as for prompts of a function.
    pub fn reserve(&self, request: &PromptRequest) -> Reservation {
        Reservation::new(&self.budget, self.budget.reserve(if request.is_alone { 1 } else { 2 }))
    }

    /// Sets the number of parts of the scope that run at the same time, such as the nodes of a graph: each may
    /// [reserve](Self::reserve) the same part of what is left. Default: 1.
    pub fn set_concurrency(&self, parts: usize) {
        self.budget.set_concurrency(parts);
    }

    /// Reserves this much of the limits that are left, or all that is left if it is less.
    pub fn reserve_at_most(&self, most: Limits) -> Reservation {
        Reservation::new(&self.budget, self.budget.reserve_at_most(most))
    }

    /// Adds shares that work elsewhere may have used, since its usage is not known: those that an agent there has
    /// [kept](Self::unsettled) for work of its own. Those that it had `before` are added already.
    pub fn charge_unsettled(&self, shares: Option<Limits>, before: Option<Limits>) {
        let share = |limits: Option<Limits>| limits.as_ref().map(Limits::share).unwrap_or_default();
        self.budget.charge_all(Spent { unsettled: share(shares).less(share(before)), ..Spent::default() });
    }

    /// Returns the shares that stay reserved, since the usage of the work is not known. `None` if there are none.
    pub fn unsettled(&self) -> Option<Limits> {
        self.budget.spent().unsettled.limits()
    }

    /// Returns the limits that are left: the least of the scope and of all that it is nested in, less their usage so far and what is
    /// [reserved](Self::reserve), with the time until the earliest deadline.
    ///
    /// ```
    /// use strands::metrics::Usage;
    /// use strands::{Limits, PromptRequest, PromptScope};
    ///
    /// let scope = PromptScope::new(&PromptRequest::new("go"), Limits::new().turns(5).total_tokens(1_000))?;
    /// scope.charge(Usage::new(200, 100), 2);
    /// assert_eq!(scope.remaining(), Limits::unlimited().turns(3).total_tokens(700));
    /// # Ok::<(), strands::AgentError>(())
    /// ```
    pub fn remaining(&self) -> Limits {
        self.budget.remaining()
    }

    /// Returns the stop reason of a limit, of the scope or of an invocation around it, that allows no more model calls.
    pub fn limit_reached(&self) -> Option<StopReason> {
        self.budget.reached()
    }

    /// Checks that the Tokio runtime has timers. For a promptable that waits by time; agents check it when they are built.
    ///
    /// # Errors
    ///
    /// Returns [`BuildError::NoTimers`] outside of a Tokio runtime, and on one without timers.
    pub fn check_timers(&self) -> Result<(), BuildError> {
        if has_timers() { Ok(()) } else { Err(BuildError::NoTimers) }
    }

    /// Waits until the scope, or an invocation around it, is cancelled or reaches its deadline.
    pub async fn stopped(&self) -> StopReason {
        let deadline = self.budget.deadline();
        let expired = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.budget.ended() => StopReason::Cancelled,
            () = expired => StopReason::LimitDuration,
        }
    }

    /// Sets the position in a distributed trace, which prompts within the scope continue.
    pub fn set_trace(&self, trace: TraceContext) {
        self.budget.set_trace(trace);
    }

    /// Returns the position in a distributed trace, of the scope or of what is around it.
    pub fn trace(&self) -> Option<TraceContext> {
        self.budget.trace()
    }
}

impl Drop for PromptScope {
    fn drop(&mut self) {
        self.budget.end();
    }
}

impl fmt::Debug for PromptScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromptScope").field("limits", &self.limits).finish_non_exhaustive()
    }
}
