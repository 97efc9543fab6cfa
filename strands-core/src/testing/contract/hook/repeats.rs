//! Number of consecutive requests by a hook for the same repetition.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::super::violation::{ContractViolation, Promise, ensure};
use crate::hook::HookContext;

/// Counts of consecutive requests, for each invocation.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<String, u32>>);

impl Repeats {
    /// Increments a count if the hook requested a repetition, and resets it if not. The loop grants at most `most`.
    pub(super) fn count(
        &self,
        context: &HookContext,
        what: &str,
        requested: bool,
        most: u32,
    ) -> Result<(), ContractViolation> {
        let key = format!("{what} in invocation {}", context.invocation_id());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !requested {
            counts.remove(&key);
            return Ok(());
        }
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
        let expected = format!("at most {most} consecutive {what}");
        ensure(*count <= most, Promise::HookBoundedRepeats, expected, || "another one".to_owned())
    }
}
