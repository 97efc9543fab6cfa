//! Cause of a retry, for listeners and diagnostics.

use crate::models::ModelError;
use crate::session::SessionError;

/// Cause of a retry.
#[derive(Clone, Copy)]
pub(super) enum RetryCause<'a> {
    Hook,
    Model(&'a ModelError),
    Conflict(&'a SessionError),
}

impl RetryCause<'_> {
    pub(super) fn text(self) -> String {
        match self {
            Self::Hook => "a hook requested a retry".to_owned(),
            Self::Model(error) => error.to_string(),
            Self::Conflict(error) => error.to_string(),
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Model(error) => error.kind().as_str(),
            Self::Conflict(_) => "session_conflict",
        }
    }
}
