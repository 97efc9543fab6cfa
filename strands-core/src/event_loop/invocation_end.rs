//! End of an invocation: makes the history valid, applies the conversation manager, saves to the session, and calls hooks.

use std::error::Error as StdError;
use std::sync::Arc;

use super::decisions::HooksEnd;
use super::driver::Driver;
use super::stop_signal::StopSignal;
use crate::conversation::{Conversation, Cost, Interruption};
use crate::depth;
use crate::event::AgentResponse;
use crate::hook::AfterInvocation;
use crate::metrics::Usage;
use crate::outcome::AgentError;
use crate::prompt::Prompt;

impl Driver<'_> {
    /// Makes the history valid, applies the conversation manager, and saves to the session.
    pub(super) async fn finish(
        &mut self,
        ended: Result<Box<AgentResponse>, AgentError>,
        stop: &mut StopSignal,
    ) -> Result<Box<AgentResponse>, AgentError> {
        self.end_cycle();
        // Before a refused response suspends the run again: what others did with theirs counts.
        self.update_spent();
        // The durable engine makes another attempt, which has the real results.
        if matches!(ended, Err(AgentError::Journal(_))) {
            self.work.settle();
            return ended;
        }
        let results = self.work.settle_with(|results| self.effects.track(results));
        if let Some(results) = results {
            // The first failure is the one to report, unless the journal fails.
            if let Err(failure @ AgentError::Journal(_)) = Box::pin(self.announce(&results, stop)).await {
                return Err(failure);
            }
        }
        if matches!(ended, Err(AgentError::Session(_))) {
            return ended;
        }
        if self.work.suspended {
            return self.save(ended, stop).await;
        }
        let manager = Arc::clone(&self.work.config.conversation);
        let mut conversation = self.conversation(stop);
        let applied = stop.race_unrecorded(manager.apply(&mut conversation)).await;
        let (cost, interruption) = (conversation.cost(), conversation.take_interruption());
        let stored = self.finish_reduction(cost);
        if let Some(Interruption::Journal(error)) = interruption {
            return Err(error.into());
        }
        let failed = |source| AgentError::Conversation { manager: manager.name(), source };
        let was_stopped = matches!(interruption, Some(Interruption::Stopped(_)));
        let applied = applied.ok().filter(|_| !was_stopped).unwrap_or(Ok(())).and(stored).map_err(failed);
        self.save(ended.and_then(|response| applied.map(|()| response)), stop).await
    }

    /// Saves to the session. An earlier error takes precedence over a failure to save.
    async fn save(
        &mut self,
        ended: Result<Box<AgentResponse>, AgentError>,
        stop: &mut StopSignal,
    ) -> Result<Box<AgentResponse>, AgentError> {
        if self.work.session.is_none() {
            return ended;
        }
        match Box::pin(stop.race_unrecorded(self.work.save_invocation())).await {
            Ok(saved) => ended.and_then(|response| saved.map(|()| response)),
            Err(_) => ended,
        }
    }

    /// Calls `after_invocation` hooks. An earlier error takes precedence over a hook's.
    pub(super) async fn after_invocation(
        &mut self,
        ended: Result<Box<AgentResponse>, AgentError>,
        stop: &mut StopSignal,
    ) -> (Result<Box<AgentResponse>, AgentError>, Option<Prompt>) {
        self.update_context();
        let contexts = self.event_contexts();
        let mut event = AfterInvocation { context: &self.context, outcome: ended.as_deref(), resume: None };
        let called = match &ended {
            Err(AgentError::Journal(_)) => Ok(self.call_observers(&mut event, stop).await),
            _ => self.call_hooks(&mut event, contexts.as_deref(), stop).await,
        };
        let resume = event.resume;
        match called {
            // The durable engine makes another attempt, which has the outcome.
            Err(failure) => (Err(failure.into()), None),
            Ok(HooksEnd { failure: Some(failure), .. }) => (ended.and(Err(failure)), None),
            Ok(HooksEnd { failure: None, .. }) => (ended, resume),
        }
    }

    pub(super) fn conversation(&mut self, stop: &StopSignal) -> Conversation<'_> {
        let work = &mut *self.work;
        let config = &work.config;
        let conversation = Conversation::new(&mut work.history, &mut work.conversation_state, &*work.model);
        let conversation = conversation.with_request(&self.system, &self.specs, config.retry);
        match &self.effects.recorder {
            Some(recorder) => conversation.recorded_by(recorder, stop.for_effect(recorder.elapsed())),
            None => conversation,
        }
    }

    /// Accounts for the work of the conversation manager, which had this cost.
    ///
    /// # Errors
    ///
    /// Returns an error if the manager's state can't be stored. Values that nest too deep are removed.
    pub(super) fn finish_reduction(&mut self, cost: Cost) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self.work.history.repair();
        if cost.usage != Usage::default() {
            let latency = u64::try_from(cost.latency.as_millis()).unwrap_or(u64::MAX);
            self.metrics().add_usage(cost.usage, latency);
            self.context.scope().budget.charge(cost.usage);
            if let Some(run) = &mut self.work.run {
                run.charge(cost.usage);
            }
        }
        let state = &mut self.work.conversation_state;
        let deep = state.iter().find(|(_, value)| depth::check(value).is_err()).map(|(name, _)| name.clone());
        match deep {
            Some(name) => {
                state.retain(|_, value| depth::check(value).is_ok());
                Err(format!("its state `{name}` nests deeper than 100 levels of arrays and objects").into())
            }
            None => Ok(()),
        }
    }
}
