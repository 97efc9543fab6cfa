//! The number of times in a row that a hook asks for the same again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::super::violation::{ContractViolation, Promise, ensure};
use crate::hook::HookContext;

/// Counts what a hook asks for, in each invocation.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<String, u32>>);

impl Repeats {
    /// Counts one more if the hook has asked for it, and begins again if not. The loop grants so many at most.
    pub(super) fn count(
        &self,
        context: &HookContext,
        what: &str,
        asked: bool,
        most: u32,
    ) -> Result<(), ContractViolation> {
        let key = format!("{what} in invocation {}", context.invocation_id());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked {
            counts.remove(&key);
            return Ok(());
        }
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
        let expected = format!("at most {most} in a row of: {what}");
        ensure(*count <= most, Promise::HookBoundedRepeats, expected, || "another one".to_owned())
    }
}
