//! Conversion of a response to its structured output. It is separate from the response, which does not depend on errors.

use super::AgentError;
use crate::event::AgentResponse;

impl<T> AgentResponse<T> {
    /// Returns the structured output.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::NoOutput`] if the invocation ended before there was an output.
    pub fn into_output(self) -> Result<T, AgentError> {
        let stop_reason = self.stop_reason;
        self.output.ok_or(AgentError::NoOutput { stop_reason })
    }
}
