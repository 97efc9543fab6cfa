//! What an [`OfflineModel`](super::OfflineModel) does in one turn: say something, call tools, or both.

use serde_json::Value;

/// What an [`OfflineModel`](super::OfflineModel) does in one turn: it says something, calls tools, or both.
///
/// ```
/// use serde_json::json;
/// use strands::models::offline::OfflineStep;
///
/// let both_ways = OfflineStep::calls([
///     ("search_flights", json!({"destination": "Oslo"})),
///     ("search_flights", json!({"destination": "Rome"})),
/// ])
/// .after_saying("I look for flights there and back.");
/// assert_eq!(both_ways.tool_calls().count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct OfflineStep {
    text: String,
    calls: Vec<(String, Value)>,
}

impl OfflineStep {
    /// Says this, and ends the turn.
    pub fn say(text: impl Into<String>) -> Self {
        Self { text: text.into(), calls: Vec::new() }
    }

    /// Calls one tool. The model is asked again when the result is there.
    pub fn call(tool: impl Into<String>, input: Value) -> Self {
        Self::calls([(tool, input)])
    }

    /// Calls several tools at once: pairs of a tool's name and its arguments, a JSON object. Without any, nothing is
    /// said and the turn ends.
    pub fn calls(calls: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Self {
        Self { text: String::new(), calls: calls.into_iter().map(|(tool, input)| (tool.into(), input)).collect() }
    }

    /// The same with one more call.
    pub fn and_call(mut self, tool: impl Into<String>, input: Value) -> Self {
        self.calls.push((tool.into(), input));
        self
    }

    /// The same with this said before the calls.
    pub fn after_saying(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// What is said.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The calls, in order: the tool's name and its arguments.
    pub fn tool_calls(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.calls.iter().map(|(tool, input)| (tool.as_str(), input))
    }
}
