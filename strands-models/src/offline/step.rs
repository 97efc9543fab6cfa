//! Steps of an [`OfflineModel`](super::OfflineModel), as planners return them.

use serde_json::Value;

/// Response of an [`OfflineModel`](super::OfflineModel) in one turn: text, tool calls, or both.
///
/// ```
/// use serde_json::json;
/// use strands::models::offline::OfflineStep;
///
/// let step = OfflineStep::calls([
///     ("search_flights", json!({"destination": "Oslo"})),
///     ("search_flights", json!({"destination": "Rome"})),
/// ])
/// .with_text("Searching flights in both directions.");
/// assert_eq!(step.tool_calls().count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct OfflineStep {
    text: String,
    calls: Vec<(String, Value)>,
}

impl OfflineStep {
    /// Responds with this text, and ends the turn.
    pub fn respond(text: impl Into<String>) -> Self {
        Self { text: text.into(), calls: Vec::new() }
    }

    /// Calls one tool. The result is in the next turn.
    pub fn call(tool: impl Into<String>, input: Value) -> Self {
        Self::calls([(tool, input)])
    }

    /// Calls several tools at once: pairs of a tool's name and its arguments, a JSON object. Without any, the turn ends
    /// with an empty response.
    pub fn calls(calls: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Self {
        Self { text: String::new(), calls: calls.into_iter().map(|(tool, input)| (tool.into(), input)).collect() }
    }

    /// Adds a call.
    pub fn with_call(mut self, tool: impl Into<String>, input: Value) -> Self {
        self.calls.push((tool.into(), input));
        self
    }

    /// Sets the text before the calls.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the calls in order: the tool's name and its arguments.
    pub fn tool_calls(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.calls.iter().map(|(tool, input)| (tool.as_str(), input))
    }
}
