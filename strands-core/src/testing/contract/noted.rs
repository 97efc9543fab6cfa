//! The first violation that is observed inside of a callback.

use std::sync::{Mutex, PoisonError};

use super::violation::ContractViolation;

/// Keeps the first violation until the suite asks for it.
#[derive(Debug, Default)]
pub(super) struct Noted(Mutex<Option<ContractViolation>>);

impl Noted {
    /// Takes the first violation in.
    pub(super) fn note(&self, checked: Result<(), ContractViolation>) {
        if let Err(violation) = checked {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(violation);
        }
    }

    /// Returns the violation that was observed.
    pub(super) fn outcome(&self) -> Result<(), ContractViolation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}
