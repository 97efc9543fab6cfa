//! How much one answer may hold.

use strands_core::models::ModelError;

/// Counts the content of an answer against a bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContentLimit {
    bytes: usize,
    limit: usize,
}

impl ContentLimit {
    /// No answer may have more than `limit` bytes of content.
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: 0, limit }
    }

    /// So much more of it.
    pub(crate) fn grow(&mut self, by: usize) -> Result<(), ModelError> {
        self.bytes = self.bytes.saturating_add(by);
        if self.bytes > self.limit {
            return Err(ModelError::ResponseTooLarge { limit: Some(self.limit), details: Box::default() });
        }
        Ok(())
    }
}
