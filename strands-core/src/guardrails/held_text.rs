//! Streamed text that is held back until it is decided.

use super::Window;
use super::checking::{Blocked, Checks};

/// Size of decided text from which on it is dropped, unless it is context.
const MIN_DROPPED: usize = 4 << 10;

/// Text of one block: context that was decided before, and the part that is held back.
#[derive(Default)]
pub(super) struct HeldText {
    text: String,
    /// End of the part that is decided.
    decided: usize,
    /// End of the last redaction. It may be beyond the decided part.
    covered: usize,
    /// True once something was changed.
    pub(super) is_changed: bool,
}

impl HeldText {
    pub(super) fn push(&mut self, chunk: &str) {
        self.text.push_str(chunk);
    }

    /// Returns the number of bytes that are held back.
    pub(super) fn held(&self) -> usize {
        self.text.len() - self.decided
    }

    /// Returns a text of which nothing was released.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Decides about as much text as possible, or about everything once the text is complete. Returns the text to release.
    pub(super) async fn release(&mut self, checks: &mut Checks<'_>, is_complete: bool) -> Result<String, Blocked> {
        match checks.settings.guardrail.window() {
            Window::Whole { max_bytes } if !is_complete => {
                if self.text.len() > max_bytes {
                    checks.failed("too_long")?;
                }
                Ok(String::new())
            }
            Window::Whole { .. } => {
                self.is_changed |= checks.text(&mut self.text).await?;
                Ok(std::mem::take(&mut self.text))
            }
            Window::Bytes(bytes) => self.release_decided(checks, bytes, is_complete).await,
        }
    }

    async fn release_decided(
        &mut self,
        checks: &mut Checks<'_>,
        bytes: usize,
        is_complete: bool,
    ) -> Result<String, Blocked> {
        let end = self.text.len();
        let decided = if is_complete {
            end
        } else {
            let beyond_window = end.saturating_sub(bytes).max(self.decided);
            let decided = checks.decided(&self.text, self.decided)?.clamp(beyond_window, end);
            self.text.floor_char_boundary(decided)
        };
        if decided <= self.decided {
            return Ok(String::new());
        }
        let range = self.decided..decided;
        let redactions = checks.redactions(&self.text, range.clone()).await?;
        let mut released = String::with_capacity(range.len());
        let count = checks.apply(&self.text, range, redactions, &mut self.covered, &mut released)?;
        self.is_changed |= count > 0;
        self.decided = decided;
        self.drop_old(bytes);
        Ok(released)
    }

    /// Drops decided text that is no context any more.
    fn drop_old(&mut self, context: usize) {
        let old = self.text.floor_char_boundary(self.decided.saturating_sub(context));
        if old >= MIN_DROPPED.max(context) {
            self.text.drain(..old);
            self.decided -= old;
            self.covered = self.covered.saturating_sub(old);
        }
    }
}
