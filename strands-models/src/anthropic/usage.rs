//! Token usage of a response. Some counts come at its beginning, the others at its end.

use serde_json::{Map, Value};
use strands_core::metrics::Usage;

use crate::http::tolerant;

/// Converts token counts. The provider counts cached tokens separately from the input, as we do, and sends no total.
pub(super) fn usage(raw: &Map<String, Value>) -> Usage {
    let count = |name: &str| raw.get(name).and_then(tolerant::count);
    let (input, output) = (count("input_tokens").unwrap_or_default(), count("output_tokens").unwrap_or_default());
    let (read, write) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    let total = [input, output, read.unwrap_or_default(), write.unwrap_or_default()];
    Usage::new(input, output).with_cache(read, write).with_total(total.into_iter().fold(0, u64::saturating_add))
}

/// Replaces counts of one response with later ones. Counts that are missing later are kept.
pub(super) fn update(known: &mut Map<String, Value>, later: Map<String, Value>) {
    for (name, value) in later {
        if !value.is_null() {
            known.insert(name, value);
        }
    }
}

/// Adds the counts of a response's continuation.
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
    fn replaces_counts_of_one_part_and_adds_those_of_continuations() {
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
