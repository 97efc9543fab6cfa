//! Everything that shapes a request, beside the conversation.

use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::http::Fields;

/// Reasoning of a model before its response.
///
/// Most models that think know on and off, some know levels, and those of the family `gpt-oss` know nothing but levels
/// ([Ollama's page on thinking](https://docs.ollama.com/capabilities/thinking)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Think {
    /// Not at all.
    Off,
    /// As much as it does by itself.
    On,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Most.
    Max,
}

impl From<bool> for Think {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl Serialize for Think {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On => serializer.serialize_bool(true),
            Self::Low => serializer.serialize_str("low"),
            Self::Medium => serializer.serialize_str("medium"),
            Self::High => serializer.serialize_str("high"),
            Self::Max => serializer.serialize_str("max"),
        }
    }
}

/// How long a model stays in memory. The server reads a duration as Go writes it, and a negative number as for ever.
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

/// What a builder was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) think: Option<Think>,
    pub(super) truncate: Option<bool>,
    pub(super) sampling: Sampling,
    pub(super) extra: Map<String, Value>,
}

/// The body's `options`.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampling {
    pub(super) num_ctx: Option<u32>,
    pub(super) num_predict: Option<u32>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u32>,
    pub(super) min_p: Option<f64>,
    pub(super) seed: Option<i64>,
    pub(super) stop: Option<Vec<String>>,
    /// The program's own, which win.
    pub(super) more: Map<String, Value>,
}

impl Serialize for Sampling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut options = Fields { map: serializer.serialize_map(None)?, extra: &self.more };
        options.put_some("num_ctx", self.num_ctx.as_ref())?;
        options.put_some("num_predict", self.num_predict.as_ref())?;
        options.put_some("temperature", self.temperature.as_ref())?;
        options.put_some("top_p", self.top_p.as_ref())?;
        options.put_some("top_k", self.top_k.as_ref())?;
        options.put_some("min_p", self.min_p.as_ref())?;
        options.put_some("seed", self.seed.as_ref())?;
        options.put_some("stop", self.stop.as_ref())?;
        options.put_extra()?;
        options.map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
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
    fn thinking_is_a_switch_or_a_level() {
        let written = [true.into(), false.into(), Think::Max].map(|think: Think| json!(think));
        assert_eq!(written, [json!(true), json!(false), json!("max")]);
    }

    #[test]
    fn an_option_of_the_programs_own_wins() {
        let more = Map::from_iter([("top_k".to_owned(), json!(7)), ("mirostat".to_owned(), json!(1))]);
        let sampling = Sampling { top_k: Some(40), num_predict: Some(8), more, ..Sampling::default() };
        assert_eq!(json!(sampling), json!({"num_predict": 8, "top_k": 7, "mirostat": 1}));
    }
}
