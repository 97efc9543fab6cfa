//! What the models of the benchmarks say: the same events for the agent and for the hand-written loop, as values and as
//! the lines in which a provider would send them.

use serde_json::{Value, json};

pub(crate) const PROMPT: &str = "Will it be dry in Oslo this week, and if not, where is it?";
pub(crate) const SYSTEM_PROMPT: &str = "You are a travel assistant. Look the weather up before you recommend a place, \
    name the source of what you say, and answer in the language of the question.";

/// The answers of a model to the requests of one prompt, in order; each is a list of events in the JSON of ConverseStream.
pub(crate) type Answers = Vec<Vec<Value>>;

/// One tool call in each of so many cycles, and then a short text.
pub(crate) fn tool_cycles(cycles: usize) -> Answers {
    let cities = ["Oslo", "Bergen", "Trondheim", "Tromsø", "Stavanger"].into_iter().cycle();
    let mut answers: Answers = cities.take(cycles).enumerate().map(|(at, city)| tool_call(at, city)).collect();
    answers.push(text(["It ", "is ", "dry ", "in ", "Bergen."]));
    answers
}

fn tool_call(at: usize, city: &str) -> Vec<Value> {
    tool_calls([(format!("tooluse_{at:022}"), "forecast".to_owned(), json!({"city": city, "days": 5}))])
}

/// Calls of tools, all in one answer; the arguments come in two pieces.
pub(crate) fn tool_calls(calls: impl IntoIterator<Item = (String, String, Value)>) -> Vec<Value> {
    let mut events = vec![json!({"messageStart": {"role": "assistant"}})];
    for (index, (id, name, input)) in calls.into_iter().enumerate() {
        let input = input.to_string();
        let (head, tail) = input.split_at(input.len() / 3);
        let start = json!({"toolUse": {"toolUseId": id, "name": name}});
        events.push(json!({"contentBlockStart": {"contentBlockIndex": index, "start": start}}));
        events.extend([head, tail].map(|piece| tool_input(index, piece)));
        events.push(json!({"contentBlockStop": {"contentBlockIndex": index}}));
    }
    ending(events, "tool_use")
}

/// One call whose arguments come in so many pieces, and then a short text.
pub(crate) fn tool_input_deltas(deltas: usize) -> Answers {
    let words = "sea ".repeat(deltas.saturating_sub(2));
    let pieces = words.split_inclusive(' ').map(|word| tool_input(0, word));
    let mut events = vec![
        json!({"messageStart": {"role": "assistant"}}),
        json!({"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "tooluse_0", "name": "forecast"}}}}),
        tool_input(0, r#"{"days":5,"city":""#),
    ];
    events.extend(pieces);
    events.extend([tool_input(0, r#""}"#), json!({"contentBlockStop": {"contentBlockIndex": 0}})]);
    vec![ending(events, "tool_use"), text(["Done."])]
}

/// One answer of so many pieces of text.
pub(crate) fn text_deltas(deltas: usize) -> Answers {
    let words = ["The ", "forecast ", "for ", "Oslo ", "is ", "rain ", "until ", "Thursday. "];
    vec![text(words.into_iter().cycle().take(deltas))]
}

fn text<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    let mut events = vec![json!({"messageStart": {"role": "assistant"}})];
    events.extend(
        pieces
            .into_iter()
            .map(|piece| json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": piece}}})),
    );
    events.push(json!({"contentBlockStop": {"contentBlockIndex": 0}}));
    ending(events, "end_turn")
}

fn tool_input(index: usize, piece: &str) -> Value {
    json!({"contentBlockDelta": {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}})
}

fn ending(mut events: Vec<Value>, stop_reason: &str) -> Vec<Value> {
    events.push(json!({"messageStop": {"stopReason": stop_reason}}));
    let usage = json!({"inputTokens": 200, "outputTokens": 20, "totalTokens": 220});
    events.push(json!({"metadata": {"usage": usage, "metrics": {"latencyMs": 12}}}));
    events
}
