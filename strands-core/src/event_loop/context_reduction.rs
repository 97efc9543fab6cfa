//! Reduction of the conversation by its manager: before a model call that is about to overflow the context window, and
//! after one that did.

use std::sync::Arc;

use super::driver::Driver;
use super::stop_signal::StopSignal;
use crate::conversation::{Interruption, Reduction};
use crate::error_chain::ErrorChain;
use crate::event::AgentEvent;
use crate::journal::JournalError;
use crate::models::{ModelError, StopReason};
use crate::outcome::AgentError;

impl Driver<'_> {
    /// Lets the conversation manager reduce the conversation before a model call. Returns the reason if the invocation is
    /// stopped meanwhile.
    pub(super) async fn prepare_conversation(
        &mut self,
        stop: &mut StopSignal,
    ) -> Result<Option<StopReason>, JournalError> {
        let manager = Arc::clone(&self.work.config.conversation);
        let mut conversation = self.conversation(stop).revertible();
        let prepared = stop.race_unrecorded(manager.prepare(&mut conversation)).await;
        let (cost, interruption) = (conversation.cost(), conversation.take_interruption());
        let stored = self.finish_reduction(cost);
        match interruption {
            Some(Interruption::Journal(error)) => return Err(error),
            Some(Interruption::Stopped(reason)) => return Ok(Some(reason)),
            None => {}
        }
        match prepared.map(|prepared| stored.and(prepared)) {
            Err(reason) => return Ok(Some(reason)),
            Ok(Ok(Reduction::Reduced(what))) => self.emitter.emit(|| AgentEvent::ContextReduced { what }).await,
            Ok(Ok(Reduction::Impossible(_) | Reduction::NotNeeded)) => {}
            // The model may still accept it. If not, the manager is called again, and then its failure counts.
            Ok(Err(error)) => {
                self.emitter
                    .emit(|| AgentEvent::ContextReductionFailed { error: ErrorChain::new(&*error).to_string() })
                    .await;
            }
        }
        Ok(None)
    }

    /// Reduces the conversation after a context overflow. Returns the model's error, or the reason if the invocation is
    /// stopped meanwhile.
    pub(super) async fn reduce_context(
        &mut self,
        overflow: ModelError,
        tried: &mut Vec<String>,
        stop: &mut StopSignal,
    ) -> Result<Result<ModelError, StopReason>, AgentError> {
        let manager = Arc::clone(&self.work.config.conversation);
        let before = self.work.history.size();
        let mut conversation = self.conversation(stop).revertible();
        let reduction = stop.race_unrecorded(manager.reduce(&mut conversation)).await;
        let (cost, interruption) = (conversation.cost(), conversation.take_interruption());
        let stored = self.finish_reduction(cost);
        match interruption {
            Some(Interruption::Journal(error)) => return Err(error.into()),
            Some(Interruption::Stopped(reason)) => return Ok(Err(reason)),
            None => {}
        }
        let reduction = match reduction {
            Err(reason) => return Ok(Err(reason)),
            Ok(reduction) => stored.and(reduction),
        };
        let reduction = reduction.map_err(|source| AgentError::Conversation { manager: manager.name(), source })?;
        let impossible = match reduction {
            Reduction::Reduced(what) if self.work.history.size() < before => {
                tried.push(what.clone());
                self.emitter.emit(|| AgentEvent::ContextReduced { what }).await;
                return Ok(Ok(overflow));
            }
            // Without progress, another attempt would not end either.
            Reduction::Reduced(what) => format!("{what}, which made it no smaller"),
            Reduction::Impossible(why) => why,
            Reduction::NotNeeded => "the conversation manager saw no need".to_owned(),
        };
        tried.push(impossible);
        let mut source = overflow;
        source.find_message(self.work.history.messages(), &self.system);
        Err(AgentError::ContextOverflow { tried: tried.join("; then "), source })
    }
}
