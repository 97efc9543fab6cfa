//! Limit of the content of one response.

use strands_core::models::ModelError;

/// Counter of a response's content against its limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContentLimit {
    bytes: usize,
    limit: usize,
}

impl ContentLimit {
    /// Creates a limit of bytes of content.
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: 0, limit }
    }

    /// Adds bytes of content.
    pub(crate) fn grow(&mut self, by: usize) -> Result<(), ModelError> {
        self.bytes = self.bytes.saturating_add(by);
        if self.bytes > self.limit {
            return Err(ModelError::ResponseTooLarge { limit: Some(self.limit), details: Box::default() });
        }
        Ok(())
    }
}
