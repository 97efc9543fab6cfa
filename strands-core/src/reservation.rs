//! [`Reservation`]: the share of a scope's limits that work elsewhere may use.

use std::fmt;
use std::sync::Arc;

use crate::limits::Limits;
use crate::nesting::Budget;
use crate::usage::Usage;

/// A share of the limits of a [`PromptScope`](crate::PromptScope), for work elsewhere whose usage is known only when it has ended, such
/// as a turn of an agent on another worker. Until then nothing else may use the share, in the scope and in all that it is nested in.
///
/// [`release`](Self::release) gives the share back, after the real usage was [charged](crate::PromptScope::charge). Dropping the
/// reservation keeps the share reserved for good, since the work may have used it: for work that was cancelled, or is out of reach. The
/// usage that the scope reports does not have it.
///
/// ```
/// use strands::metrics::Usage;
/// use strands::{Limits, PromptRequest, PromptScope};
///
/// let request = PromptRequest::new("go");
/// let scope = PromptScope::new(&request, Limits::new().turns(9))?;
/// let (hotels, flights) = (scope.reserve(&request), scope.reserve(&request));
/// assert_eq!(hotels.limits(), Limits::unlimited().turns(5));
/// assert_eq!(flights.limits(), Limits::unlimited().turns(2));
///
/// scope.charge(Usage::new(200, 100), 1);
/// hotels.release();
/// drop(flights);
/// assert_eq!((scope.turns(), scope.remaining()), (1, Limits::unlimited().turns(6)));
/// # Ok::<(), strands::AgentError>(())
/// ```
#[must_use = "a reservation that is dropped is never given back"]
pub struct Reservation {
    budget: Arc<Budget>,
    granted: Limits,
    is_open: bool,
}

impl Reservation {
    pub(crate) fn new(budget: &Arc<Budget>, granted: Limits) -> Self {
        Self { budget: Arc::clone(budget), granted, is_open: true }
    }

    /// Returns the share as limits of the work, with the time until the earliest deadline.
    pub fn limits(&self) -> Limits {
        self.granted
    }

    /// Returns what is left of the share after this usage.
    pub fn left(&self, usage: Usage, turns: u32) -> Limits {
        self.granted.less(turns, &usage)
    }

    /// Replaces the share by another one: that of work which is already running, since an earlier process has started it.
    pub fn replace(&mut self, granted: Limits) {
        self.budget.replace_held(self.granted.share(), granted.share());
        self.granted = granted;
    }

    /// Gives the share back.
    pub fn release(mut self) {
        self.is_open = false;
        self.budget.replace_held(self.granted.share(), Limits::unlimited().share());
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.is_open {
            self.budget.keep_held(self.granted.share());
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("limits", &self.granted).finish_non_exhaustive()
    }
}
