//! Preparation of an invocation: the request, the checks before anything is done, and the reasons to end it from outside.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::driver::Driver;
use super::effects::Effects;
use super::emitter::Emitter;
use super::output_type::OutputType;
use super::structured_output::StructuredOutput;
use crate::hook::HookContext;
use crate::injected::InjectedValues;
use crate::interrupt::InterruptResponse;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::message::SystemBlock;
use crate::models::StopReason;
use crate::nesting::{self, Budget};
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::run::Run;
use crate::scope::Scope;
use crate::tool::{Tool, ToolSet};
use crate::working_set::WorkingSet;

/// Request for an invocation.
pub(crate) struct Request<'a> {
    pub(crate) prompt: Prompt,
    pub(crate) answers: Vec<InterruptResponse>,
    pub(crate) injected: InjectedValues,
    /// `None`: the agent's own, or those of the invocation that is resumed.
    pub(crate) limits: Option<Limits>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) output: Option<OutputType>,
    pub(crate) journal: Option<&'a dyn Journal>,
    pub(crate) tools: ToolSelection,
    /// `None`: the agent's own.
    pub(crate) system: Option<Vec<SystemBlock>>,
    /// The budget of the tool call that makes the invocation. `None`: that of the tool or hook on whose stack it is.
    pub(crate) parent: Option<Arc<Budget>>,
}

/// Beginning of an invocation.
pub(super) struct Beginning {
    pub(super) prompt: Prompt,
    pub(super) answers: Vec<InterruptResponse>,
    pub(super) output: Option<OutputType>,
    pub(super) cancellation: CancellationToken,
    pub(super) time_left: Option<Duration>,
    /// The budget of the invocation that this one is nested in.
    pub(super) parent: Option<Arc<Budget>>,
}

/// Difference between the tools of an invocation and those of its agent.
#[derive(Default)]
pub(crate) struct ToolSelection {
    pub(crate) added: Vec<Arc<dyn Tool>>,
    pub(crate) hidden: Vec<String>,
}

impl ToolSelection {
    /// Returns an agent's tools with this difference.
    pub(super) fn of(&self, tools: &ToolSet) -> Result<ToolSet, AgentError> {
        if self.added.is_empty() && self.hidden.is_empty() {
            return Ok(tools.clone());
        }
        Ok(tools.changed(&self.hidden, &self.added)?)
    }
}

impl<'a> Driver<'a> {
    /// Checks what the caller has given, before anything is done.
    pub(super) fn prepare(
        work: &'a mut WorkingSet,
        mut emitter: Emitter,
        request: Request<'a>,
    ) -> Result<(Self, Beginning), AgentError> {
        let Request { prompt, answers, injected, limits, cancellation, output, journal, mut tools, system, parent } =
            request;
        // An invocation that was leaked instead of dropped has left its traces.
        work.settle();
        let parent = parent.or_else(nesting::current);
        nesting::check_depth(parent.as_ref()).map_err(AgentError::nested_too_deep)?;
        if journal.is_some() && work.session.is_some() {
            return Err(AgentError::JournalWithSession);
        }
        let effects = Effects { journal };
        emitter.set_journaled(journal.is_some());
        let run = work.suspended_run();
        let spent = run.map(Run::spent).unwrap_or_default();
        let in_force = limits.or(run.map(Run::limits)).unwrap_or(work.config.limits);
        let elapsed = run.map(Run::elapsed).unwrap_or_default();
        let time_left = in_force.time().map(|time| time.saturating_sub(elapsed));
        let deadline = time_left.and_then(|left| Instant::now().checked_add(left));
        let budget = Budget::new(parent.clone(), in_force, cancellation.clone(), deadline, spent);
        // What was hidden before an interrupt stays hidden, and the system prompt stays what it was.
        let (hidden, stored_system) = run.map(Run::options).unwrap_or_default();
        tools.hidden.extend(hidden);
        let system = system.or(stored_system);
        let cycle = run.map(Run::cycle).unwrap_or_default();
        let invocation_id = journal.map(|_| effects.id());
        let names = Arc::clone(&work.config.names);
        let scope = Scope::new(names, work.state.clone(), injected, Arc::new(budget), invocation_id);
        let selected = tools.of(work.tools())?;
        let driver = Driver {
            emitter,
            effects,
            context: HookContext::new(Arc::new(scope), cycle),
            specs: selected.specs().clone(),
            tools: selected,
            selection: tools,
            system: match &system {
                Some(system) => work.config.with_plugins(&system.as_slice().into()),
                None => Arc::clone(&work.sent_system),
            },
            own_system: system,
            output: StructuredOutput::default(),
            is_replay: false,
            denial: None,
            limits,
            begun: false,
            ran_tools: false,
            has_saved: false,
            began: effects.now(),
            cycle_began: None,
            last_response: None,
            previous: None,
            in_force,
            work,
        };
        driver.work.tools.forget_failure();
        Ok((driver, Beginning { prompt, answers, output, cancellation, time_left, parent }))
    }
}

/// Resolves when an invocation is cancelled, or has no time left; or one that it is nested in.
pub(crate) async fn end_of(
    cancellation: &CancellationToken,
    time: Option<Duration>,
    parent: Option<Arc<Budget>>,
) -> StopReason {
    if time.is_none() && parent.is_none() {
        cancellation.cancelled().await;
        return StopReason::Cancelled;
    }
    let outer = parent.as_ref().and_then(|parent| parent.deadline());
    let outer = outer.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let time = time.into_iter().chain(outer).min();
    let out_of_time = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let parent_ended = async {
        match &parent {
            Some(parent) => parent.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cancellation.cancelled() => StopReason::Cancelled,
        // In front of the end of an outer invocation, which may have the same reason.
        () = out_of_time => StopReason::LimitDuration,
        () = parent_ended => StopReason::Cancelled,
    }
}
