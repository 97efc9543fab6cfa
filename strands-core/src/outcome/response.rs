//! Structured output of a response, or the reason that there is none. Apart from the response, which knows no errors.

use super::AgentError;
use crate::event::AgentResponse;

impl<T> AgentResponse<T> {
    /// Returns the structured output.
    ///
    /// # Errors
    ///
    /// [`AgentError::NoOutput`] when the invocation ended before there was one, with the reason.
    pub fn into_output(self) -> Result<T, AgentError> {
        let stop_reason = self.stop_reason;
        self.output.ok_or(AgentError::NoOutput { stop_reason })
    }
}
