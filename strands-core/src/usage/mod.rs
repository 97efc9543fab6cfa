//! Token usage and latency of model calls.

mod provider_usage;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::provider_usage::ProviderUsage;

/// Token usage of one or more model calls.
///
/// `input_tokens` are charged as ordinary input. Tokens read from or written to the provider's cache are counted separately,
/// as Bedrock reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Usage {
    /// Input tokens.
    #[serde(default)]
    pub input_tokens: u64,
    /// Output tokens.
    #[serde(default)]
    pub output_tokens: u64,
    /// Total tokens, as the provider counts them.
    #[serde(default)]
    pub total_tokens: u64,
    /// Tokens read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_input_tokens: Option<u64>,
    /// Tokens written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_input_tokens: Option<u64>,
}

impl Usage {
    /// Creates a usage whose total is the sum of input and output.
    pub fn new(input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            input_tokens,
            output_tokens,
            total_tokens: input_tokens.saturating_add(output_tokens),
            ..Self::default()
        }
    }

    /// Sets the tokens read from and written to the provider's cache.
    #[must_use]
    pub fn with_cache(mut self, read: Option<u64>, write: Option<u64>) -> Self {
        self.cache_read_input_tokens = read;
        self.cache_write_input_tokens = write;
        self
    }

    /// Sets the total, if it is not the sum of input and output.
    #[must_use]
    pub fn with_total(mut self, total_tokens: u64) -> Self {
        self.total_tokens = total_tokens;
        self
    }

    /// Adds the tokens of another call.
    pub fn add(&mut self, other: Self) {
        fn sum(mine: Option<u64>, other: Option<u64>) -> Option<u64> {
            match (mine, other) {
                (None, None) => None,
                (mine, other) => Some(mine.unwrap_or(0).saturating_add(other.unwrap_or(0))),
            }
        }
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
        self.cache_read_input_tokens = sum(self.cache_read_input_tokens, other.cache_read_input_tokens);
        self.cache_write_input_tokens = sum(self.cache_write_input_tokens, other.cache_write_input_tokens);
    }

    /// Returns true if all counts are zero or absent.
    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the difference to an earlier state of the same count.
    ///
    /// ```
    /// use strands::metrics::Usage;
    ///
    /// assert_eq!(Usage::new(30, 12).beyond(Usage::new(20, 2)), Usage::new(10, 10));
    /// ```
    #[must_use]
    pub fn beyond(&self, earlier: Self) -> Self {
        fn difference(mine: Option<u64>, earlier: Option<u64>) -> Option<u64> {
            mine.map(|mine| mine.saturating_sub(earlier.unwrap_or(0))).filter(|more| *more > 0)
        }
        Self {
            input_tokens: self.input_tokens.saturating_sub(earlier.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(earlier.output_tokens),
            total_tokens: self.total_tokens.saturating_sub(earlier.total_tokens),
            cache_read_input_tokens: difference(self.cache_read_input_tokens, earlier.cache_read_input_tokens),
            cache_write_input_tokens: difference(self.cache_write_input_tokens, earlier.cache_write_input_tokens),
        }
    }

    /// Returns the number of prompt tokens, cached or not.
    pub fn prompt_tokens(&self) -> u64 {
        if self.input_tokens.saturating_add(self.output_tokens) == self.total_tokens {
            return self.input_tokens;
        }
        let cached =
            self.cache_read_input_tokens.unwrap_or(0).saturating_add(self.cache_write_input_tokens.unwrap_or(0));
        self.input_tokens.saturating_add(cached)
    }
}

/// Latency of one model call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ModelMetrics {
    /// Duration of the call, in milliseconds: reported by the provider, or else measured by the client.
    #[serde(default)]
    pub latency_ms: u64,
    /// Time from the request to the first content, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_byte_ms: Option<u64>,
}

impl ModelMetrics {
    /// Creates metrics of a call with this duration, in milliseconds.
    pub fn new(latency_ms: u64) -> Self {
        Self { latency_ms, time_to_first_byte_ms: None }
    }
}
