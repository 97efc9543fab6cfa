//! The conversation manager at work around a model call: before it, where the conversation is about to be too long, and
//! after it, where the model says that it is.

use std::sync::Arc;

use super::driver::Driver;
use super::stop::Stop;
use crate::conversation::Reduction;
use crate::error_chain::ErrorChain;
use crate::event::AgentEvent;
use crate::models::{ModelError, StopReason};
use crate::outcome::AgentError;

impl Driver<'_> {
    /// Has the conversation shortened before a model call, where its manager thinks that it is time. Returns why the
    /// invocation is to end, where it was stopped meanwhile.
    pub(super) async fn prepare_conversation(&mut self, stop: &mut Stop<'_>) -> Option<StopReason> {
        let manager = Arc::clone(&self.work.config.conversation);
        let mut conversation = self.conversation().revertible();
        let prepared = stop.race_outside(manager.prepare(&mut conversation)).await;
        let cost = conversation.cost();
        let stored = self.reduced(cost);
        match prepared.map(|prepared| stored.and(prepared)) {
            Err(reason) => return Some(reason),
            Ok(Ok(Reduction::Reduced(what))) => self.emitter.emit(|| AgentEvent::ContextReduced { what }).await,
            Ok(Ok(Reduction::Impossible(_) | Reduction::NotNeeded)) => {}
            // The model may still take it; and when it does not, the manager is asked again and its failure counts.
            Ok(Err(error)) => {
                self.emitter
                    .emit(|| AgentEvent::ContextReductionFailed { error: ErrorChain::new(&*error).to_string() })
                    .await;
            }
        }
        None
    }

    /// Has the conversation shortened after the model has refused it. Returns the model's error, or the reason if the
    /// invocation is stopped meanwhile.
    pub(super) async fn shorten(
        &mut self,
        overflow: ModelError,
        tried: &mut Vec<String>,
        stop: &mut Stop<'_>,
    ) -> Result<Result<ModelError, StopReason>, AgentError> {
        let manager = Arc::clone(&self.work.config.conversation);
        let before = self.work.history.size();
        let mut conversation = self.conversation().revertible();
        let reduction = stop.race_outside(manager.reduce(&mut conversation)).await;
        let cost = conversation.cost();
        let stored = self.reduced(cost);
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
            // Asking again and again would not end.
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
