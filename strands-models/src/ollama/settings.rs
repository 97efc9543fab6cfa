//! Settings of a request, without its conversation.

use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::ReasoningEffort;
use crate::http::{Fields, Sampling, SamplingFields};

/// Time for which a model stays in memory: a duration in Go's notation, or a negative number for an unlimited time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeepAlive(pub(super) Duration);

impl Serialize for KeepAlive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let milliseconds = self.0.as_millis();
        // The server counts nanoseconds in 64 bits.
        if self.0.as_nanos() > i64::MAX.unsigned_abs().into() {
            return serializer.serialize_i64(-1);
        }
        let units =
            [("h", milliseconds / 3_600_000), ("m", milliseconds / 60_000 % 60), ("s", milliseconds / 1000 % 60)];
        let mut text: String =
            units.iter().filter(|(_, count)| *count > 0).map(|(unit, count)| format!("{count}{unit}")).collect();
        if !milliseconds.is_multiple_of(1000) {
            text += &format!("{}ms", milliseconds % 1000);
        }
        serializer.serialize_str(if text.is_empty() { "0s" } else { &text })
    }
}

/// Settings of a request, without its conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) sampling: Sampling,
    pub(super) min_p: Option<f64>,
    pub(super) num_ctx: Option<u32>,
    /// Entries of `options` that override the others.
    pub(super) options: Map<String, Value>,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) reasoning_effort: Option<ReasoningEffort>,
    /// Switches reasoning on, without a level.
    pub(super) thinks: bool,
    pub(super) truncate: Option<bool>,
    pub(super) extra: Map<String, Value>,
}

impl Settings {
    /// Returns `think` of a request: a switch or a level.
    pub(super) fn think(&self) -> Option<Value> {
        match self.reasoning_effort {
            Some(ReasoningEffort::None) => Some(false.into()),
            Some(effort) => Some(effort.as_str().into()),
            None => self.thinks.then(|| true.into()),
        }
    }
}

/// `options` of a request.
pub(super) struct ModelOptions<'a>(pub(super) &'a Settings);

const SAMPLING: SamplingFields = SamplingFields { max_tokens: "num_predict", ..SamplingFields::CHAT };

impl Serialize for ModelOptions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(settings) = self;
        let mut options = Fields { map: serializer.serialize_map(None)?, extra: &settings.options };
        options.put_some("num_ctx", settings.num_ctx.as_ref())?;
        options.put_some("min_p", settings.min_p.as_ref())?;
        settings.sampling.put(&mut options, &SAMPLING)?;
        options.put_extra()?;
        options.map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_durations_in_gos_notation() {
        for (duration, written) in [
            (Duration::ZERO, json!("0s")),
            (Duration::from_secs(300), json!("5m")),
            (Duration::from_secs(3_661), json!("1h1m1s")),
            (Duration::from_millis(1_500), json!("1s500ms")),
            (Duration::MAX, json!(-1)),
        ] {
            assert_eq!(serde_json::to_value(KeepAlive(duration)).unwrap(), written);
        }
    }

    #[test]
    fn writes_reasoning_as_a_switch_or_a_level() {
        let think = |reasoning_effort, thinks| Settings { reasoning_effort, thinks, ..Settings::default() }.think();
        assert_eq!(think(None, false), None);
        assert_eq!(think(None, true), Some(json!(true)));
        assert_eq!(think(Some(ReasoningEffort::None), false), Some(json!(false)));
        assert_eq!(think(Some(ReasoningEffort::Max), true), Some(json!("max")));
    }

    #[test]
    fn overrides_setters_by_options_of_the_program() {
        let options = Map::from_iter([("top_k".to_owned(), json!(7)), ("mirostat".to_owned(), json!(1))]);
        let sampling = Sampling { top_k: Some(40), max_tokens: Some(8), ..Sampling::default() };
        let settings = Settings { sampling, options, ..Settings::default() };
        assert_eq!(json!(ModelOptions(&settings)), json!({"num_predict": 8, "top_k": 7, "mirostat": 1}));
    }
}
