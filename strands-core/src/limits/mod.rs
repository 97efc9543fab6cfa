//! Limits of one invocation. A reached limit ends it with a stop reason and a partial response, not with an error.

mod share;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use share::Share;

use crate::stop_reason::StopReason;
use crate::usage::Usage;

/// Default maximum number of model calls in one invocation.
const DEFAULT_TURNS: u32 = 100;

/// Limits of one invocation, including nested agents: those that its tools, hooks and conversation manager call, but not
/// those that its model calls on the provider's side.
///
/// Turns and tokens are checked before each model call, so one response may exceed them; the duration also ends running
/// model and tool calls. The default is 100 turns, which stops a model that calls tools forever.
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
    /// Creates the default limits: 100 turns, and no limit of tokens or time.
    pub const fn new() -> Self {
        Self::unlimited().turns(DEFAULT_TURNS)
    }

    /// Creates limits without any limit, not even of turns.
    pub const fn unlimited() -> Self {
        Self { turns: None, output_tokens: None, total_tokens: None, duration: None }
    }

    /// Sets the maximum number of model calls, not counting retries and summaries. Default: 100.
    #[must_use]
    #[doc(alias = "max_turns")]
    pub const fn turns(mut self, turns: u32) -> Self {
        self.turns = Some(turns);
        self
    }

    /// Sets the maximum number of output tokens, over all model calls. Default: unlimited.
    #[must_use]
    pub const fn output_tokens(mut self, tokens: u64) -> Self {
        self.output_tokens = Some(tokens);
        self
    }

    /// Sets the maximum number of input and output tokens, over all model calls. Default: unlimited.
    #[must_use]
    pub const fn total_tokens(mut self, tokens: u64) -> Self {
        self.total_tokens = Some(tokens);
        self
    }

    /// Sets the maximum wall-clock time. Default: unlimited.
    #[must_use]
    pub const fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    pub(crate) fn time(&self) -> Option<Duration> {
        self.duration
    }

    /// Returns what is left of the turns and tokens, without a limit of time.
    pub(crate) fn less(&self, turns: u32, usage: &Usage) -> Self {
        Self {
            turns: self.turns.map(|most| most.saturating_sub(turns)),
            output_tokens: self.output_tokens.map(|most| most.saturating_sub(usage.output_tokens)),
            total_tokens: self.total_tokens.map(|most| most.saturating_sub(usage.total_tokens)),
            duration: None,
        }
    }

    /// Returns the limits without a share of them.
    pub(crate) fn without(&self, share: Share) -> Self {
        let usage = Usage::new(0, share.output_tokens).with_total(share.total_tokens);
        Self { duration: self.duration, ..self.less(share.turns, &usage) }
    }

    /// Returns a part of the turns and tokens, rounded up, and the same time: of several takers the same for each, and of one three
    /// quarters.
    pub(crate) fn part_of(&self, takers: u32) -> Self {
        let part = |most: u64| if takers > 1 { most.div_ceil(takers.into()) } else { most.saturating_sub(most / 4) };
        Self {
            turns: self.turns.map(|most| u32::try_from(part(most.into())).unwrap_or(most)),
            output_tokens: self.output_tokens.map(part),
            total_tokens: self.total_tokens.map(part),
            duration: self.duration,
        }
    }

    /// Returns the turns and tokens that are limited.
    pub(crate) fn share(&self) -> Share {
        Share {
            turns: self.turns.unwrap_or_default(),
            output_tokens: self.output_tokens.unwrap_or_default(),
            total_tokens: self.total_tokens.unwrap_or_default(),
        }
    }

    /// Returns the lower of each limit.
    ///
    /// ```
    /// use strands::Limits;
    ///
    /// let limits = Limits::new().turns(5).tightened(Limits::unlimited().turns(9).total_tokens(1_000));
    /// assert_eq!(limits, Limits::new().turns(5).total_tokens(1_000));
    /// ```
    #[must_use]
    pub fn tightened(self, other: Self) -> Self {
        fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.into_iter().chain(other).min()
        }
        Self {
            turns: least(self.turns, other.turns),
            output_tokens: least(self.output_tokens, other.output_tokens),
            total_tokens: least(self.total_tokens, other.total_tokens),
            duration: least(self.duration, other.duration),
        }
    }

    /// Returns the stop reason of the limit that prevents the next model call, if one is reached.
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
