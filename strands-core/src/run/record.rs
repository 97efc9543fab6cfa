//! The run in the stored record of an agent.

use super::{Run, stored, strands};
use crate::interrupt::InterruptedCall;
use crate::limits::Limits;
use crate::session::{AgentRecord, InternalState};

impl Run {
    /// Returns the run in a record: in the format of this crate, or in that of Strands if Strands wrote the record.
    pub(crate) fn in_record(state: &InternalState, limits: Limits) -> Result<Option<Self>, serde_json::Error> {
        match &state.run {
            Some(run) => stored::restore(run.clone()).map(Some),
            None => strands::restore(state.interrupt_state.clone(), limits),
        }
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
        Ok(run.map(|run| run.interrupted_calls()).unwrap_or_default())
    }
}
