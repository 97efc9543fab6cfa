//! Matching of a text with tools: the best match shares the most distinctive words in its name, description and arguments.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use strands_core::ToolSpec;

use super::vocabulary::{is_stop_word, stem, stems};

/// Weight of a word that the text shares with a tool's name, with its description, and with its arguments.
const IN_NAME: f64 = 3.0;
const IN_DESCRIPTION: f64 = 1.0;
const IN_ARGUMENTS: f64 = 1.0;
/// Minimum weight of a match: one word of the name, or two of the description.
const MIN_STRENGTH: f64 = 2.0;

/// Returns the tool that `text` asks for, if any.
pub(super) fn requested<'a>(text: &str, tools: impl Iterator<Item = &'a ToolSpec>) -> Option<&'a ToolSpec> {
    ranked(text, tools).filter(|best| best.strength >= MIN_STRENGTH).map(|best| best.tool)
}

/// Returns the tool that fits `text` best, without a minimum. `None` only if there are no tools.
pub(super) fn nearest<'a>(text: &str, tools: impl Iterator<Item = &'a ToolSpec>) -> Option<&'a ToolSpec> {
    ranked(text, tools).map(|best| best.tool)
}

struct Match<'a> {
    tool: &'a ToolSpec,
    /// Total weight of the shared words.
    strength: f64,
    /// The same with each weight divided by the number of tools that have the word, so that distinctive words win.
    rank: f64,
}

fn ranked<'a>(text: &str, tools: impl Iterator<Item = &'a ToolSpec>) -> Option<Match<'a>> {
    let wanted: HashSet<String> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !is_stop_word(word))
        .flat_map(stems)
        .collect();
    let tools: Vec<_> = tools.map(|tool| (tool, weights(tool))).collect();
    let mut holders: HashMap<&str, f64> = HashMap::new();
    for word in tools.iter().flat_map(|(_, weights)| weights.keys()) {
        *holders.entry(word).or_default() += 1.0;
    }
    let matches = tools.iter().map(|(tool, weights)| {
        // Sorted before the sum: a sum of floats depends on the order, and a hash set has none.
        let mut shared: Vec<(f64, f64)> = wanted
            .iter()
            .filter_map(|word| {
                let weight = *weights.get(word)?;
                Some((weight, weight / holders.get(word.as_str())?))
            })
            .collect();
        shared.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)));
        Match {
            tool,
            strength: shared.iter().map(|(weight, _)| weight).sum(),
            rank: shared.iter().map(|(_, share)| share).sum(),
        }
    });
    // Of equal ranks, the tool declared first wins.
    matches.reduce(|best, next| if next.rank > best.rank { next } else { best })
}

/// Returns the stems of a tool's words with their weights.
fn weights(tool: &ToolSpec) -> HashMap<String, f64> {
    let empty: HashSet<String> = ["get", "find", "list", "show", "set"].map(stem).into();
    let properties = tool.input_schema.get("properties").and_then(Value::as_object);
    let arguments = properties.into_iter().flat_map(|properties| {
        properties.iter().flat_map(|(name, schema)| {
            let values = schema.get("enum").and_then(Value::as_array);
            let values = values.into_iter().flatten().filter_map(Value::as_str);
            values.chain([name.as_str()]).flat_map(stems)
        })
    });
    let mut weights = HashMap::new();
    let mut weigh = |word: String, weight: f64| {
        if !empty.contains(&word) && !is_stop_word(&word) {
            let known = weights.entry(word).or_insert(weight);
            *known = known.max(weight);
        }
    };
    stems(&tool.name).for_each(|word| weigh(word, IN_NAME));
    stems(&tool.description).for_each(|word| weigh(word, IN_DESCRIPTION));
    arguments.for_each(|word| weigh(word, IN_ARGUMENTS));
    weights
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tools() -> Vec<ToolSpec> {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        [
            ("get_weather", "The current weather in a city."),
            ("book_trip", "Books flights and a hotel of one trip."),
            ("my_bookings", "The traveller's own bookings."),
            ("cancel_booking", "Cancels one of the bookings."),
        ]
        .map(|(name, description)| ToolSpec::new(name, description, schema.clone()))
        .into()
    }

    fn requested_tool(text: &str) -> Option<String> {
        requested(text, tools().iter()).map(|tool| tool.name.clone())
    }

    #[test]
    fn picks_the_tool_with_the_most_distinctive_words() {
        assert_eq!(requested_tool("What's the weather in Oslo?").as_deref(), Some("get_weather"));
        assert_eq!(requested_tool("Book me a trip to Rome").as_deref(), Some("book_trip"));
        assert_eq!(requested_tool("please cancel my booking").as_deref(), Some("cancel_booking"));
    }

    #[test]
    fn picks_no_tool_for_unrelated_texts() {
        assert_eq!(requested_tool("Tell me a joke"), None);
        assert_eq!(requested_tool("hello, what can you do in a city?"), None);
        assert_eq!(requested_tool(""), None);
    }

    #[test]
    fn nearest_returns_any_tool_there_is() {
        let tools = tools();
        let nearest_to = |text| nearest(text, tools.iter()).map(|tool| tool.name.as_str());
        assert_eq!(nearest_to("Tell me a joke"), Some("get_weather"));
        assert_eq!(nearest_to("a hotel"), Some("book_trip"));
        assert!(nearest("a hotel", std::iter::empty()).is_none());
    }
}
