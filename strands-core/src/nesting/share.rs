//! Shares of a budget.

use crate::limits::Share;

/// Shares of a budget that nothing else may use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shares {
    /// Those of work that runs elsewhere.
    pub(super) held: Share,
    /// Those of work whose usage is not known, and never will be.
    pub(super) unsettled: Share,
}

impl Shares {
    pub(super) fn all(&self) -> Share {
        self.held.plus(self.unsettled)
    }
}
