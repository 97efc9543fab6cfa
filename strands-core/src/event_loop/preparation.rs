//! Preparation of an invocation: the request, and the checks before any work.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::driver::Driver;
use super::effects::Effects;
use super::emitter::Emitter;
use super::stop_signal::StopSignal;
use super::structured_output::StructuredOutput;
use crate::hook::HookContext;
use crate::injected::InjectedValues;
use crate::interrupt::InterruptResponse;
use crate::journal::{Journal, Recorder};
use crate::limits::Limits;
use crate::message::SystemBlock;
use crate::nesting::{self, Budget};
use crate::outcome::AgentError;
use crate::output_type::OutputType;
use crate::prompt::Prompt;
use crate::run::Run;
use crate::scope::Scope;
use crate::tool::{Tool, ToolSet};
use crate::working_set::WorkingSet;

/// Request for an invocation.
pub(crate) struct Request<'a> {
    pub(crate) prompt: Prompt,
    pub(crate) responses: Vec<InterruptResponse>,
    pub(crate) injected: InjectedValues,
    /// `None` for those of the agent, or of the resumed invocation.
    pub(crate) limits: Option<Limits>,
    /// Maximum time from now on, besides that of the limits.
    pub(crate) time_limit: Option<Duration>,
    /// `None` if the caller can't cancel the invocation.
    pub(crate) cancellation: Option<CancellationToken>,
    pub(crate) output: Option<OutputType>,
    pub(crate) journal: Option<&'a dyn Journal>,
    pub(crate) tools: ToolSelection,
    /// `None` for that of the agent.
    pub(crate) system: Option<Vec<SystemBlock>>,
    /// Budget of the tool call that prompts. `None` for that of the tool or hook that polls the invocation.
    pub(crate) parent: Option<Arc<Budget>>,
    /// True if a request without a prompt and responses returns the interrupts of a suspended agent again.
    pub(crate) repeats_interrupts: bool,
}

/// The part of a request that starts the invocation.
pub(super) struct InvocationInput {
    pub(super) prompt: Prompt,
    pub(super) responses: Vec<InterruptResponse>,
    pub(super) output: Option<OutputType>,
}

/// Difference between the tools of an invocation and those of its agent.
#[derive(Default)]
pub(crate) struct ToolSelection {
    pub(crate) added: Vec<Arc<dyn Tool>>,
    pub(crate) hidden: Vec<String>,
}

impl ToolSelection {
    /// Returns an agent's tools with this difference applied.
    pub(super) fn apply(&self, tools: &ToolSet) -> Result<ToolSet, AgentError> {
        if self.added.is_empty() && self.hidden.is_empty() {
            return Ok(tools.clone());
        }
        Ok(tools.changed(&self.hidden, &self.added)?)
    }
}

impl<'a> Driver<'a> {
    /// Validates a request and creates its driver.
    pub(super) fn prepare(
        work: &'a mut WorkingSet,
        mut emitter: Emitter,
        request: Box<Request<'a>>,
    ) -> Result<(Self, InvocationInput, StopSignal), AgentError> {
        let Request {
            prompt,
            responses,
            mut injected,
            limits,
            time_limit,
            cancellation,
            output,
            journal,
            mut tools,
            system,
            parent,
            repeats_interrupts,
        } = *request;
        // An earlier invocation that was leaked instead of dropped has not cleaned up.
        work.settle();
        let parent = parent.or_else(nesting::current);
        nesting::check_depth(parent.as_ref()).map_err(AgentError::nested_too_deep)?;
        if journal.is_some() && work.session.is_some() {
            return Err(AgentError::JournalWithSession);
        }
        emitter.set_journaled(journal.is_some());
        let run = work.suspended_run();
        let steps = run.map(Run::journal_steps).unwrap_or_default();
        let effects = Effects { recorder: journal.map(|journal| Box::new(Recorder::new(journal, steps))) };
        let spent = run.map(Run::spent).unwrap_or_default();
        let effective_limits = limits.or(run.map(Run::limits)).unwrap_or(work.config.limits);
        let elapsed = run.map(Run::elapsed).unwrap_or_default();
        let time_left = effective_limits.time().map(|time| time.saturating_sub(elapsed));
        let time_left = time_left.into_iter().chain(time_limit).min();
        let deadline = time_left.and_then(|left| Instant::now().checked_add(left));
        let budget = Budget::new(parent.clone(), effective_limits, cancellation.clone(), deadline, spent);
        let budget = Arc::new(budget);
        budget.continue_trace(&mut injected);
        let recorded = effects.recorder.as_ref().map(|recorder| Arc::clone(recorder.recorded_micros()));
        let stop = StopSignal::new(cancellation, time_left, parent, recorded, Arc::clone(&budget));
        // Hidden tools and the system prompt of the resumed invocation stay in effect.
        let (hidden, stored_system) = run.map(Run::options).unwrap_or_default();
        tools.hidden.extend(hidden);
        let system = system.or(stored_system);
        let cycle = run.map(Run::cycle).unwrap_or_default();
        let invocation_id = journal.map(|_| effects.id());
        let names = Arc::clone(&work.config.names);
        let suspended_trace = run.and_then(Run::trace);
        let run_id = run.and_then(Run::id).cloned();
        let mut scope = Scope::new(names, work.state.clone(), injected, budget, invocation_id);
        (scope.suspended_trace, scope.run_id, scope.is_journaled) = (suspended_trace, run_id, journal.is_some());
        let selected = tools.apply(work.tools())?;
        let began = effects.began();
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
            system_override: system,
            output: StructuredOutput::default(),
            denial: None,
            limits,
            repeats_interrupts,
            has_called_hooks: false,
            ran_tools: false,
            has_saved: false,
            began,
            cycle_began: None,
            last_response: None,
            ended_by: None,
            previous: None,
            effective_limits,
            work,
        };
        driver.work.tools.forget_failure();
        Ok((driver, InvocationInput { prompt, responses, output }, stop))
    }
}
