//! A share of limits: the model calls and tokens that work elsewhere may use, and that nothing else may use meanwhile.

use serde::{Deserialize, Serialize};

use super::Limits;

/// Model calls and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    #[serde(default)]
    pub(crate) turns: u32,
    #[serde(default)]
    pub(crate) output_tokens: u64,
    #[serde(default)]
    pub(crate) total_tokens: u64,
}

impl Share {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            turns: self.turns.saturating_add(other.turns),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            total_tokens: self.total_tokens.saturating_add(other.total_tokens),
        }
    }

    pub(crate) fn less(self, other: Self) -> Self {
        Self {
            turns: self.turns.saturating_sub(other.turns),
            output_tokens: self.output_tokens.saturating_sub(other.output_tokens),
            total_tokens: self.total_tokens.saturating_sub(other.total_tokens),
        }
    }

    /// Returns the share as limits. `None` if it is nothing.
    pub(crate) fn limits(self) -> Option<Limits> {
        let limits = Limits::unlimited().turns(self.turns);
        let limits = limits.output_tokens(self.output_tokens).total_tokens(self.total_tokens);
        (!self.is_nothing()).then_some(limits)
    }
}
