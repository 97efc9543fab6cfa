//! The run in the stored record of an agent.

use super::{Run, stored, strands};
use crate::interrupt::InterruptedCall;
use crate::limits::Limits;
use crate::session::{AgentRecord, InternalState};

impl Run {
    /// Returns the run in a record: in the format of this crate, or in that of Strands if Strands wrote the record.
    pub(crate) fn in_record(state: &InternalState, limits: Limits) -> Result<Option<Self>, serde_json::Error> {
        match &state.run {
            Some(run) => {
                let mut run = stored::restore(run.clone())?;
                if let Some(pending) = run.pending_mut() {
                    pending.restore_continuations(strands::continuations(&state.interrupt_state)?);
                }
                Ok(Some(run))
            }
            None => strands::restore(state.interrupt_state.clone(), limits),
        }
    }

    /// Returns the interrupted calls as they are for an agent that is built from the record. While a worker goes on with a call, its
    /// responses count.
    pub(super) fn into_open_calls(mut self) -> Vec<InterruptedCall> {
        self.drop_unchecked_responses();
        self.interrupted_calls()
    }
}

impl AgentRecord {
    /// Returns the tool calls that are interrupted, with their interrupts and the responses to them so far, without opening
    /// the agent. Strands may have written the record.
    ///
    /// A crash may leave a record that is older than the messages. Its interrupts are no longer pending, and an agent that is
    /// built from the session has none.
    ///
    /// # Errors
    ///
    /// Returns an error if the record's state of interrupts can't be read.
    pub fn interrupted_calls(&self) -> Result<Vec<InterruptedCall>, serde_json::Error> {
        let run = Run::in_record(&self.internal_state, Limits::default())?;
        Ok(run.map(Run::into_open_calls).unwrap_or_default())
    }
}
