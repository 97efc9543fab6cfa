//! Scripted responses of the benchmarks' models: the same events for the agent and for the hand-written loop, as values
//! and as the lines that a provider would send.

use serde_json::{Value, json};

pub(crate) const PROMPT: &str = "Will it be dry in Oslo this week, and if not, where is it?";
pub(crate) const SYSTEM_PROMPT: &str = "You are a travel assistant. Look the weather up before you recommend a place, \
    name the source of what you say, and answer in the language of the question.";

/// The responses of a model to the requests of one prompt, in order, each a list of events in the JSON of ConverseStream.
pub(crate) type Responses = Vec<Vec<Value>>;

/// One tool call in each of this many cycles, and then a short text.
pub(crate) fn tool_cycles(cycles: usize) -> Responses {
    let cities = ["Oslo", "Bergen", "Trondheim", "Tromsø", "Stavanger"].into_iter().cycle();
    let mut responses: Responses = cities.take(cycles).enumerate().map(|(at, city)| tool_call(at, city)).collect();
    responses.push(text(["It ", "is ", "dry ", "in ", "Bergen."]));
    responses
}

fn tool_call(at: usize, city: &str) -> Vec<Value> {
    tool_calls([(format!("tooluse_{at:022}"), "forecast".to_owned(), json!({"city": city, "days": 5}))])
}

/// Tool calls in one response, whose arguments are streamed in two deltas.
pub(crate) fn tool_calls(calls: impl IntoIterator<Item = (String, String, Value)>) -> Vec<Value> {
    let mut events = vec![json!({"messageStart": {"role": "assistant"}})];
    for (index, (id, name, input)) in calls.into_iter().enumerate() {
        let input = input.to_string();
        let (head, tail) = input.split_at(input.len() / 3);
        let start = json!({"toolUse": {"toolUseId": id, "name": name}});
        events.push(json!({"contentBlockStart": {"contentBlockIndex": index, "start": start}}));
        events.extend([head, tail].map(|delta| tool_input(index, delta)));
        events.push(json!({"contentBlockStop": {"contentBlockIndex": index}}));
    }
    ending(events, "tool_use")
}

/// One call whose arguments are streamed in this many deltas, and then a short text.
pub(crate) fn tool_input_deltas(deltas: usize) -> Responses {
    let words = "sea ".repeat(deltas.saturating_sub(2));
    let deltas = words.split_inclusive(' ').map(|word| tool_input(0, word));
    let mut events = vec![
        json!({"messageStart": {"role": "assistant"}}),
        json!({"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "tooluse_0", "name": "forecast"}}}}),
        tool_input(0, r#"{"days":5,"city":""#),
    ];
    events.extend(deltas);
    events.extend([tool_input(0, r#""}"#), json!({"contentBlockStop": {"contentBlockIndex": 0}})]);
    vec![ending(events, "tool_use"), text(["Done."])]
}

/// One response of this many text deltas.
pub(crate) fn text_deltas(deltas: usize) -> Responses {
    let words = ["The ", "forecast ", "for ", "Oslo ", "is ", "rain ", "until ", "Thursday. "];
    vec![text(words.into_iter().cycle().take(deltas))]
}

fn text<'a>(deltas: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    let mut events = vec![json!({"messageStart": {"role": "assistant"}})];
    events.extend(
        deltas
            .into_iter()
            .map(|delta| json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": delta}}})),
    );
    events.push(json!({"contentBlockStop": {"contentBlockIndex": 0}}));
    ending(events, "end_turn")
}

fn tool_input(index: usize, delta: &str) -> Value {
    json!({"contentBlockDelta": {"contentBlockIndex": index, "delta": {"toolUse": {"input": delta}}}})
}

fn ending(mut events: Vec<Value>, stop_reason: &str) -> Vec<Value> {
    events.push(json!({"messageStop": {"stopReason": stop_reason}}));
    let usage = json!({"inputTokens": 200, "outputTokens": 20, "totalTokens": 220});
    events.push(json!({"metadata": {"usage": usage, "metrics": {"latencyMs": 12}}}));
    events
}
