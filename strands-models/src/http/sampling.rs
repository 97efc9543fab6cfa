//! Sampling options and the setters of a request: one place, so that the builders of all providers stay alike.

use std::ops::RangeInclusive;

use serde::ser::SerializeMap;

use super::{Fields, ModelBuildError, check};

/// Sampling options of a request, under the names that all builders have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sampling {
    pub(crate) max_tokens: Option<u32>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<u32>,
    pub(crate) seed: Option<u64>,
    pub(crate) stop_sequences: Option<Vec<String>>,
}

/// Fields of the sampling options in a provider's requests. Fields of options without a setter are never written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SamplingFields {
    pub(crate) max_tokens: &'static str,
    pub(crate) temperature: &'static str,
    pub(crate) top_p: &'static str,
    pub(crate) top_k: &'static str,
    pub(crate) seed: &'static str,
    pub(crate) stop_sequences: &'static str,
}

impl SamplingFields {
    /// The fields of Chat Completions in its first version, which most servers accept.
    pub(crate) const CHAT: Self = Self {
        max_tokens: "max_tokens",
        temperature: "temperature",
        top_p: "top_p",
        top_k: "top_k",
        seed: "seed",
        stop_sequences: "stop",
    };
}

impl Sampling {
    /// Writes the options that are set.
    pub(crate) fn put<M: SerializeMap>(
        &self,
        fields: &mut Fields<'_, M>,
        names: &SamplingFields,
    ) -> Result<(), M::Error> {
        fields.put_some(names.temperature, self.temperature.as_ref())?;
        fields.put_some(names.top_p, self.top_p.as_ref())?;
        fields.put_some(names.top_k, self.top_k.as_ref())?;
        fields.put_some(names.max_tokens, self.max_tokens.as_ref())?;
        fields.put_some(names.stop_sequences, self.stop_sequences.as_ref())?;
        fields.put_some(names.seed, self.seed.as_ref())
    }

    /// Checks the ranges of `max_tokens` (at least 1), `temperature` and `top_p` (0 to 1). `expected` describes the range
    /// of the temperature.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError::InvalidNumber`] with the first number that is out of range.
    pub(crate) fn check(
        &self,
        temperature: RangeInclusive<f64>,
        expected: &'static str,
    ) -> Result<(), ModelBuildError> {
        check("max_tokens", self.max_tokens.map(f64::from), 1.0..=f64::MAX, "at least 1")?;
        check("temperature", self.temperature, temperature, expected)?;
        check("top_p", self.top_p, 0.0..=1.0, "from 0 to 1")
    }

    /// Checks that the seed fits the provider's integer type.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError::InvalidNumber`] for a larger seed.
    pub(crate) fn check_seed(&self, max: u64, expected: &'static str) -> Result<(), ModelBuildError> {
        match self.seed {
            #[allow(clippy::cast_precision_loss, reason = "the value is shown in an error")]
            Some(seed) if seed > max => {
                Err(ModelBuildError::InvalidNumber { field: "seed", value: seed as f64, expected })
            }
            _ => Ok(()),
        }
    }
}

/// Setters of a builder with a field `settings`, each followed by what is particular to the provider.
macro_rules! request_setters {
    (@max_tokens $doc:literal) => {
        /// Maximum number of output tokens of one response, reasoning included.
        #[doc = $doc]
        pub fn max_tokens(mut self, tokens: u32) -> Self {
            self.settings.sampling.max_tokens = Some(tokens);
            self
        }
    };
    (@temperature $doc:literal) => {
        /// Sampling temperature.
        #[doc = $doc]
        pub fn temperature(mut self, temperature: f64) -> Self {
            self.settings.sampling.temperature = Some(temperature);
            self
        }
    };
    (@top_p $doc:literal) => {
        /// Nucleus sampling (top-p), 0.0 to 1.0.
        #[doc = $doc]
        pub fn top_p(mut self, top_p: f64) -> Self {
            self.settings.sampling.top_p = Some(top_p);
            self
        }
    };
    (@top_k $doc:literal) => {
        /// Top-k sampling: number of the most probable tokens to sample from.
        #[doc = $doc]
        pub fn top_k(mut self, top_k: u32) -> Self {
            self.settings.sampling.top_k = Some(top_k);
            self
        }
    };
    (@seed $doc:literal) => {
        /// Seed of sampling. The same seed makes the same response to the same request more likely.
        #[doc = $doc]
        pub fn seed(mut self, seed: u64) -> Self {
            self.settings.sampling.seed = Some(seed);
            self
        }
    };
    (@stop_sequences $doc:literal) => {
        /// Stop sequences: texts at which the model stops.
        #[doc = $doc]
        pub fn stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.settings.sampling.stop_sequences = Some(sequences.into_iter().map(Into::into).collect());
            self
        }
    };
    (@reasoning_effort $doc:literal) => {
        /// Reasoning effort of the model.
        #[doc = $doc]
        pub fn reasoning_effort(mut self, effort: crate::ReasoningEffort) -> Self {
            self.settings.reasoning_effort = Some(effort);
            self
        }
    };
    (@parallel_tool_calls $doc:literal) => {
        /// Allows several tool calls in one response.
        #[doc = $doc]
        pub fn parallel_tool_calls(mut self, parallel: bool) -> Self {
            self.settings.parallel_tool_calls = Some(parallel);
            self
        }
    };
    (@server_tool $doc:literal) => {
        /// Adds a tool that the provider itself runs, in the provider's JSON. Its calls and results stay in the conversation
        /// as content of the provider.
        #[doc = $doc]
        pub fn server_tool(mut self, tool: impl Into<serde_json::Value>) -> Self {
            self.settings.server_tools.push(tool.into());
            self
        }
    };
    ($($setter:ident: $doc:literal),+ $(,)?) => {
        $(crate::http::request_setters! { @$setter $doc })+
    };
}

pub(crate) use request_setters;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_numbers_out_of_range() {
        let check =
            |sampling: Sampling| sampling.check(0.0..=1.5, "from 0 to 1.5").and(sampling.check_seed(7, "at most 7"));
        let none = Sampling::default();
        assert!(check(none.clone()).is_ok());
        for (wrong, field) in [
            (Sampling { max_tokens: Some(0), ..none.clone() }, "max_tokens"),
            (Sampling { temperature: Some(1.6), ..none.clone() }, "temperature"),
            (Sampling { temperature: Some(f64::NAN), ..none.clone() }, "temperature"),
            (Sampling { top_p: Some(-0.1), ..none.clone() }, "top_p"),
            (Sampling { seed: Some(8), ..none }, "seed"),
        ] {
            let error = check(wrong).unwrap_err();
            assert!(matches!(error, ModelBuildError::InvalidNumber { field: named, .. } if named == field), "{error}");
        }
    }
}
