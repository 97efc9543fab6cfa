//! What an answer cost, in Anthropic's words: some at its beginning, the rest at its end.

use serde_json::{Map, Value};
use strands_core::metrics::Usage;

use crate::http::tolerant;

/// The provider counts tokens of its cache apart from the input, as we do, and does not say the sum.
pub(super) fn usage(raw: &Map<String, Value>) -> Usage {
    let count = |name: &str| raw.get(name).and_then(tolerant::count);
    let (input, output) = (count("input_tokens").unwrap_or_default(), count("output_tokens").unwrap_or_default());
    let (read, write) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    let total = [input, output, read.unwrap_or_default(), write.unwrap_or_default()];
    Usage::new(input, output).with_cache(read, write).with_total(total.into_iter().fold(0, u64::saturating_add))
}

/// Later counts of one answer take the place of earlier ones; what is not said again stands.
pub(super) fn update(known: &mut Map<String, Value>, later: Map<String, Value>) {
    for (name, value) in later {
        if !value.is_null() {
            known.insert(name, value);
        }
    }
}

/// Adds the counts of an answer that goes on where the other one paused.
pub(super) fn add(sum: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        match (sum.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(value)) => add(known, value),
            (Some(known), value) => {
                *known = match (tolerant::count(known), tolerant::count(&value)) {
                    (Some(known), Some(more)) => known.saturating_add(more).into(),
                    _ => value,
                }
            }
            (None, value) => drop(sum.insert(name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_total_is_the_sum_of_everything() {
        let raw = map(json!({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20}));
        assert_eq!(usage(&raw), Usage::new(10, 5).with_cache(Some(100), Some(20)).with_total(135));
        assert_eq!(usage(&Map::new()), Usage::default());
    }

    #[test]
    fn later_counts_take_the_place_of_earlier_ones_and_continued_answers_add_up() {
        let mut known = map(json!({"input_tokens": 10, "output_tokens": 1, "service_tier": "standard"}));
        update(&mut known, map(json!({"output_tokens": 7, "input_tokens": null})));
        assert_eq!(known, map(json!({"input_tokens": 10, "output_tokens": 7, "service_tier": "standard"})));
        add(
            &mut known,
            map(json!({"output_tokens": 3, "service_tier": "priority",
            "server_tool_use": {"web_search_requests": 2}})),
        );
        add(&mut known, map(json!({"server_tool_use": {"web_search_requests": 1}})));
        assert_eq!(
            known,
            map(json!({"input_tokens": 10, "output_tokens": 10, "service_tier": "priority",
                "server_tool_use": {"web_search_requests": 3}}))
        );
    }
}
