//! Limits of one invocation. Reaching one ends it with a stop reason and what there is, not with an error.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::stop_reason::StopReason;
use crate::usage::Usage;

/// Default limit of model calls in one invocation.
const DEFAULT_TURNS: u32 = 100;

/// Limits of one invocation, with all agents nested in it: those that its tools, hooks and conversation manager call, but
/// not those that its model calls.
///
/// Turns and tokens are looked at before each model call, so one response may overshoot; the duration ends a call or a
/// tool that is under way. The default is 100 turns, so that a model that calls tools without end stops.
///
/// ```
/// use std::time::Duration;
/// use strands::Limits;
///
/// let limits = Limits::new().turns(20).total_tokens(100_000).duration(Duration::from_secs(60));
/// # drop(limits);
/// let many_tools = Limits::new().turns(1_000);
/// # drop(many_tools);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[doc(alias = "max_turns", alias = "max_iterations", alias = "recursion_limit")]
pub struct Limits {
    turns: Option<u32>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    duration: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// The default: 100 turns, and no limit of tokens or time.
    pub const fn new() -> Self {
        Self::unlimited().turns(DEFAULT_TURNS)
    }

    /// No limits: not even of turns.
    pub const fn unlimited() -> Self {
        Self { turns: None, output_tokens: None, total_tokens: None, duration: None }
    }

    /// Maximum number of model calls, without retries and summaries. Default: 100.
    #[must_use]
    #[doc(alias = "max_turns")]
    pub const fn turns(mut self, turns: u32) -> Self {
        self.turns = Some(turns);
        self
    }

    /// Maximum number of tokens that the model may write, over all calls.
    #[must_use]
    pub const fn output_tokens(mut self, tokens: u64) -> Self {
        self.output_tokens = Some(tokens);
        self
    }

    /// Maximum number of tokens read and written, over all calls.
    #[must_use]
    pub const fn total_tokens(mut self, tokens: u64) -> Self {
        self.total_tokens = Some(tokens);
        self
    }

    /// Maximum wall-clock time.
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
