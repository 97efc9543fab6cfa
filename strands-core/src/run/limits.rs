//! How far one invocation may go. Reaching a limit ends it with a stop reason and what there is, not with an error.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::StopReason;
use crate::usage::Usage;

/// How far one invocation may go.
///
/// Turns and tokens are looked at before each model call, so one answer may overshoot; the duration ends a call or a
/// tool that is under way.
///
/// ```
/// use std::time::Duration;
/// use strands_core::Limits;
///
/// let limits = Limits::new().turns(20).total_tokens(100_000).duration(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    turns: Option<u32>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    duration: Option<Duration>,
}

impl Limits {
    /// No limits.
    pub const fn new() -> Self {
        Self { turns: None, output_tokens: None, total_tokens: None, duration: None }
    }

    /// The most model calls.
    #[must_use]
    pub const fn turns(mut self, turns: u32) -> Self {
        self.turns = Some(turns);
        self
    }

    /// The most tokens that the model may write, over all calls.
    #[must_use]
    pub const fn output_tokens(mut self, tokens: u64) -> Self {
        self.output_tokens = Some(tokens);
        self
    }

    /// The most tokens read and written, over all calls.
    #[must_use]
    pub const fn total_tokens(mut self, tokens: u64) -> Self {
        self.total_tokens = Some(tokens);
        self
    }

    /// The longest wall-clock time.
    #[must_use]
    pub const fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    pub(crate) fn time(&self) -> Option<Duration> {
        self.duration
    }

    /// The limit that keeps the next model call from being made.
    pub(crate) fn reached(&self, turns: u32, usage: &Usage) -> Option<StopReason> {
        if self.turns.is_some_and(|most| turns >= most) {
            Some(StopReason::LimitTurns)
        } else if self.total_tokens.is_some_and(|most| usage.total_tokens >= most) {
            Some(StopReason::LimitTotalTokens)
        } else if self.output_tokens.is_some_and(|most| usage.output_tokens >= most) {
            Some(StopReason::LimitOutputTokens)
        } else {
            None
        }
    }
}
