//! Calls of the hooks of events around model calls and tool calls. With a journal, what they decide is one recorded step, and a
//! replay applies it instead of calling them again.

use futures_core::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::driver::Driver;
use super::journal_records::HookFailure;
use super::stop_signal::StopSignal;
use crate::event::GuardrailReport;
use crate::hook::{
    AfterInvocation, AfterTools, BeforeInvocation, BeforeTools, Hook, HookContext, HookReplay, HookResult,
    MessageAdded, SelectTools, is_implemented,
};
use crate::interrupt::InterruptResponse;
use crate::journal::{JournalError, JournalStep, Recorder};
use crate::message::Message;
use crate::models::StopReason;
use crate::nesting::Spent;
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::state::StateChanges;

/// An event around calls.
pub(super) trait Event<'a>: Send {
    /// Name of the hooks' method.
    const NAME: &'static str;
    /// True if hooks are called in reverse order.
    const IS_REVERSED: bool = false;
    /// True if the other hooks are called after one has failed.
    const CALLS_ALL: bool = false;
    /// Decision of the hooks.
    type Decision: Serialize + DeserializeOwned + Send;
    /// The parts of the event that are recorded only if they change.
    type Before: Send + Sync;

    fn call<'h>(&'h mut self, hook: &'h dyn Hook) -> BoxFuture<'h, HookResult>;
    fn set_context(&mut self, context: &'a HookContext);
    fn before(&self) -> Self::Before;
    fn decision(&self, before: &Self::Before) -> Self::Decision;
    fn apply(&mut self, decision: Self::Decision, before: Self::Before);
}

/// Outcome of the hooks of an event.
#[derive(Default)]
pub(super) struct HooksEnd {
    /// The first failure of a hook.
    pub(super) failure: Option<AgentError>,
    /// Reason of a stop that cut off a hook.
    pub(super) cut_off: Option<StopReason>,
}

/// Contexts of an event for hooks that are called now, and for those that are called again in a replay.
pub(super) struct EventContexts {
    live: HookContext,
    replayed: HookContext,
}

/// Record of a decision of hooks.
#[derive(Serialize, Deserialize)]
struct RecordedDecision<D> {
    decision: D,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<HookFailure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cut_off: Option<StopReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested: Option<Spent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StateChanges>,
}

impl Driver<'_> {
    /// Returns the contexts of the next event. `None` without a journal, when the driver's own context serves.
    pub(super) fn event_contexts(&self) -> Option<Box<EventContexts>> {
        let is_needed = self.effects.are_recorded() && !self.work.config.hooks().is_empty();
        is_needed.then(|| Box::new(EventContexts { live: self.context.live(), replayed: self.context.replayed() }))
    }

    /// Calls the hooks of an event.
    pub(super) fn call_hooks<'r, 'a: 'r, E: Event<'a>>(
        &'r self,
        event: &'r mut E,
        contexts: Option<&'a EventContexts>,
        stop: &'r mut StopSignal,
    ) -> BoxFuture<'r, Result<HooksEnd, JournalError>> {
        let hooks = self.work.config.hooks();
        match (&self.effects.recorder, contexts) {
            (Some(recorder), Some(contexts)) if records(event, hooks) => {
                Box::pin(self.call_recorded(recorder, event, contexts, stop))
            }
            _ => Box::pin(async move { Ok(call_all(event, ordered::<E>(hooks), stop, false).await) }),
        }
    }

    async fn call_recorded<'a, E: Event<'a>>(
        &self,
        recorder: &Recorder<'_>,
        event: &mut E,
        contexts: &'a EventContexts,
        stop: &mut StopSignal,
    ) -> Result<HooksEnd, JournalError> {
        let hooks = self.work.config.hooks();
        let name = recorder.next_name(E::NAME);
        let before = event.before();
        let effect = self.decide((event, &before), &contexts.live, stop);
        let recorded = recorder.record(JournalStep::new(&name), effect).await?;
        let RecordedDecision { decision, failure, cut_off, nested, state } = recorded.value;
        if recorded.is_replay {
            event.set_context(&contexts.replayed);
            let again = ordered::<E>(hooks).filter(|hook| hook.replay() != HookReplay::Recorded);
            call_all(event, again, stop, false).await;
            self.repeat_changes(nested, state);
        }
        event.apply(decision, before);
        Ok(HooksEnd { failure: failure.map(HookFailure::into_error), cut_off })
    }

    /// Calls the hooks of an event and returns the record of what they decide.
    fn decide<'r, 'a: 'r, E: Event<'a>>(
        &'r self,
        (event, before): (&'r mut E, &'r E::Before),
        context: &'a HookContext,
        stop: &'r mut StopSignal,
    ) -> BoxFuture<'r, RecordedDecision<E::Decision>> {
        Box::pin(async move {
            event.set_context(context);
            let budget = &self.context.scope().budget;
            let (spent, state) = (budget.spent(), self.work.state.watched());
            let hooks = ordered::<E>(self.work.config.hooks());
            let HooksEnd { failure, cut_off } = call_all(event, hooks, stop, true).await;
            let nested = budget.spent().beyond(spent);
            RecordedDecision {
                decision: event.decision(before),
                failure: failure.as_ref().map(HookFailure::of),
                cut_off,
                nested: (!nested.is_nothing()).then_some(nested),
                state: state.changes(),
            }
        })
    }

    /// Calls the hooks of an event that a failed journal can't record: those that are called in each attempt.
    pub(super) fn call_observers<'r, 'a: 'r, E: Event<'a>>(
        &'r self,
        event: &'r mut E,
        stop: &'r mut StopSignal,
    ) -> BoxFuture<'r, HooksEnd> {
        let hooks = ordered::<E>(self.work.config.hooks()).filter(|hook| hook.replay() != HookReplay::Recorded);
        Box::pin(call_all(event, hooks, stop, false))
    }

    /// Returns true if a journal records which tools hooks select.
    pub(super) fn records_selected_tools(&self) -> bool {
        if !self.effects.are_recorded() {
            return false;
        }
        let mut event = SelectTools { context: &self.context, tools: &self.tools, hidden: Vec::new() };
        records(&mut event, self.work.config.hooks())
    }
}

/// Returns the hooks in the order of their calls.
fn ordered<'h, 'a, E: Event<'a>>(hooks: &'h [std::sync::Arc<dyn Hook>]) -> impl Iterator<Item = &'h dyn Hook> + Send {
    let count = hooks.len();
    (0..count).filter_map(move |at| hooks.get(if E::IS_REVERSED { count - 1 - at } else { at })).map(|hook| &**hook)
}

/// Returns true if a hook of the event is recorded.
fn records<'a, E: Event<'a>>(event: &mut E, hooks: &[std::sync::Arc<dyn Hook>]) -> bool {
    // The futures are dropped before they are polled, which does nothing.
    hooks.iter().any(|hook| hook.replay() != HookReplay::Called && is_implemented(&*event.call(&**hook)))
}

async fn call_all<'a, 'h, E: Event<'a>>(
    event: &mut E,
    hooks: impl Iterator<Item = &'h dyn Hook>,
    stop: &mut StopSignal,
    is_recorded: bool,
) -> HooksEnd {
    let mut end = HooksEnd::default();
    for hook in hooks {
        let called = match is_recorded {
            true => stop.race(event.call(hook)).await,
            false => stop.race_unrecorded(event.call(hook)).await,
        };
        match called {
            Ok(Ok(())) => {}
            Ok(Err(source)) => {
                end.failure.get_or_insert_with(|| AgentError::in_hook(E::NAME)(source));
                if !E::CALLS_ALL {
                    break;
                }
            }
            Err(reason) => end.cut_off = Some(reason),
        }
    }
    end
}

/// Decision of `before_invocation` hooks.
#[derive(Serialize, Deserialize)]
pub(super) struct InvocationDecision {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deny: Option<String>,
    /// `None` if they did not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt: Option<Vec<Message>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    responses: Option<Vec<InterruptResponse>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reports: Vec<GuardrailReport>,
}

impl<'a> Event<'a> for BeforeInvocation<'a> {
    const NAME: &'static str = "before_invocation";
    type Decision = InvocationDecision;
    type Before = (Vec<Message>, Vec<InterruptResponse>);

    fn call<'h>(&'h mut self, hook: &'h dyn Hook) -> BoxFuture<'h, HookResult> {
        hook.before_invocation(self)
    }

    fn set_context(&mut self, context: &'a HookContext) {
        self.context = context;
    }

    fn before(&self) -> Self::Before {
        (self.prompt.clone(), self.responses.clone())
    }

    fn decision(&self, (prompt, responses): &Self::Before) -> InvocationDecision {
        InvocationDecision {
            deny: self.deny.clone(),
            prompt: (*self.prompt != *prompt).then(|| self.prompt.clone()),
            responses: (*self.responses != *responses).then(|| self.responses.clone()),
            reports: self.reports.clone(),
        }
    }

    fn apply(&mut self, decision: InvocationDecision, before: Self::Before) {
        let InvocationDecision { deny, prompt, responses, reports } = decision;
        (self.deny, self.reports) = (deny, reports);
        *self.prompt = prompt.unwrap_or(before.0);
        *self.responses = responses.unwrap_or(before.1);
    }
}

/// Implements [`Event`] for an event whose hooks decide by one field.
macro_rules! events {
    ($($event:ident, $method:ident: $decision:ty {
        [$($constant:ident),*] decision = $take:expr, apply = $apply:expr
    })+) => {
        $(
            impl<'a> Event<'a> for $event<'a> {
                const NAME: &'static str = stringify!($method);
                $(const $constant: bool = true;)*
                type Decision = $decision;
                type Before = ();

                fn call<'h>(&'h mut self, hook: &'h dyn Hook) -> BoxFuture<'h, HookResult> {
                    hook.$method(self)
                }

                fn set_context(&mut self, context: &'a HookContext) {
                    self.context = context;
                }

                fn before(&self) {}

                fn decision(&self, (): &()) -> $decision {
                    let decision: fn(&Self) -> $decision = $take;
                    decision(self)
                }

                fn apply(&mut self, decision: $decision, (): ()) {
                    let apply: fn(&mut Self, $decision) = $apply;
                    apply(self, decision);
                }
            }
        )+
    };
}

events! {
    SelectTools, select_tools: Vec<String> {
        [] decision = |event| event.hidden.clone(),
        apply = |event, hidden| event.hidden = hidden
    }
    MessageAdded, message_added: () {
        [] decision = |_| (),
        apply = |_, ()| ()
    }
    BeforeTools, before_tools: Option<String> {
        [] decision = |event| event.deny.clone(),
        apply = |event, deny| event.deny = deny
    }
    AfterTools, after_tools: Option<String> {
        [IS_REVERSED] decision = |event| event.end_turn.clone(),
        apply = |event, end_turn| event.end_turn = end_turn
    }
    AfterInvocation, after_invocation: Option<Vec<Message>> {
        [IS_REVERSED, CALLS_ALL] decision = |event| event.resume.as_ref().map(|resume| resume.messages.clone()),
        apply = |event, resume| event.resume = resume.map(|messages| Prompt { messages })
    }
}
