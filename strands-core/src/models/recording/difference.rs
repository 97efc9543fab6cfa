//! Comparison of a request with the recorded one.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::Value;

/// Maximum length of a value in a difference, in characters.
const SHOWN: usize = 120;

/// A part of a request that a replay may compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestPart {
    /// Number of messages.
    Messages,
    /// Text of the newest message.
    UserText,
    /// Tool names and statuses of the tool results in the newest message.
    ToolResults,
    /// Content of the tool results in the newest message.
    ToolResultText,
    /// Names of the tools, in order.
    Tools,
    /// Tools that the model must call.
    ToolChoice,
    /// Name of the output schema.
    OutputSchema,
    /// System prompt.
    System,
}

impl RequestPart {
    const ALL: [Self; 8] = [
        Self::Messages,
        Self::UserText,
        Self::ToolResults,
        Self::ToolResultText,
        Self::Tools,
        Self::ToolChoice,
        Self::OutputSchema,
        Self::System,
    ];

    /// Returns this part of a request's summary.
    fn of(self, request: &Value) -> Value {
        let whole = |name: &str| request.get(name).cloned().unwrap_or_default();
        let results = |wanted: &[&str]| match request.get("toolResults") {
            Some(Value::Array(results)) => {
                let fields = |result: &Value| {
                    wanted.iter().map(|name| result.get(name).cloned().unwrap_or_default()).collect::<Value>()
                };
                results.iter().map(fields).collect()
            }
            _ => Value::Null,
        };
        match self {
            Self::Messages => whole("messages"),
            Self::UserText => whole("userText"),
            Self::ToolResults => results(&["tool", "error"]),
            Self::ToolResultText => results(&["text"]),
            Self::Tools => whole("tools"),
            Self::ToolChoice => whole("toolChoice"),
            Self::OutputSchema => whole("outputSchema"),
            Self::System => whole("system"),
        }
    }
}

impl fmt::Display for RequestPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Messages => "the number of messages",
            Self::UserText => "the newest message's text",
            Self::ToolResults => "the status of the tool results",
            Self::ToolResultText => "the content of the tool results",
            Self::Tools => "the tools' names",
            Self::ToolChoice => "the tool choice",
            Self::OutputSchema => "the output schema's name",
            Self::System => "the system prompt",
        })
    }
}

/// Set of the parts of a request that must equal the recorded ones.
///
/// The default contains the parts that are deterministic in most programs: number of messages, newest text, tools, status of
/// tool results, tool choice and output schema. It leaves out the content of tool results and the system prompt, which often
/// contain the current time. Ids are never compared: ids of tool calls are not recorded, and UUIDs and ids of tool calls
/// within texts count as equal.
///
/// ```
/// use strands::models::{RequestMatching, RequestPart};
///
/// const OURS: RequestMatching = RequestMatching::new().with(RequestPart::System).without(RequestPart::UserText);
/// assert!(OURS.contains(RequestPart::System) && !OURS.contains(RequestPart::UserText));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestMatching {
    /// A bit for each part.
    parts: u16,
}

impl RequestMatching {
    /// Creates the default set.
    pub const fn new() -> Self {
        Self::exact().without(RequestPart::ToolResultText).without(RequestPart::System)
    }

    /// Creates a set of all parts.
    pub const fn exact() -> Self {
        Self { parts: u16::MAX }
    }

    /// Creates an empty set: exchanges are replayed in order, for any requests.
    pub const fn in_order() -> Self {
        Self { parts: 0 }
    }

    /// Adds a part.
    #[must_use]
    pub const fn with(mut self, part: RequestPart) -> Self {
        self.parts |= Self::bit(part);
        self
    }

    /// Removes a part.
    #[must_use]
    pub const fn without(mut self, part: RequestPart) -> Self {
        self.parts &= !Self::bit(part);
        self
    }

    /// Returns true if this part must equal the recorded one.
    pub const fn contains(self, part: RequestPart) -> bool {
        self.parts & Self::bit(part) != 0
    }

    const fn bit(part: RequestPart) -> u16 {
        1 << part as u16
    }

    fn parts(self) -> impl Iterator<Item = RequestPart> {
        RequestPart::ALL.into_iter().filter(move |part| self.contains(*part))
    }

    /// Returns the differences between the recorded request and the current one.
    pub(super) fn differences(self, recorded: &Value, actual: &Value) -> Vec<RequestDifference> {
        let differences = self.parts().filter_map(|part| {
            let (recorded, actual) = (part.of(recorded), part.of(actual));
            (!same(&recorded, &actual)).then(|| RequestDifference::new(part, &recorded, &actual))
        });
        differences.collect()
    }
}

impl Default for RequestMatching {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RequestMatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.parts()).finish()
    }
}

/// A part of a request that differs from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestDifference {
    /// The part that differs.
    pub part: RequestPart,
    /// Excerpt of the recorded value around the first difference, at most 120 characters.
    pub recorded: String,
    /// Excerpt of the current value around the first difference, at most 120 characters.
    pub actual: String,
}

impl RequestDifference {
    fn new(part: RequestPart, recorded: &Value, actual: &Value) -> Self {
        let (recorded, actual) = (text_of(recorded), text_of(actual));
        let common = recorded.chars().zip(actual.chars()).take_while(|(one, other)| one == other).count();
        Self { part, recorded: excerpt(&recorded, common), actual: excerpt(&actual, common) }
    }
}

impl fmt::Display for RequestDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, recorded, actual } = self;
        write!(f, "{part} was `{recorded}` and is `{actual}`")
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn excerpt(text: &str, around: usize) -> String {
    let skipped = around.saturating_sub(SHOWN / 3);
    let mut shown: String = text.chars().skip(skipped).take(SHOWN).collect();
    if skipped > 0 {
        shown.insert(0, '…');
    }
    if text.chars().count() > skipped + SHOWN {
        shown.push('…');
    }
    shown
}

/// Returns true if the values are equal except for ids.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one == other || without_ids(one) == without_ids(other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (one, other) => one == other,
    }
}

fn without_ids(text: &str) -> Cow<'_, str> {
    static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let uuid = "[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}";
        // Bedrock, Anthropic, and OpenAI and its like.
        let calls = r"\b(?:tooluse|toolu|call)_[0-9A-Za-z_-]{8,}";
        Regex::new(&format!("{uuid}|{calls}")).ok()
    });
    match &*IDS {
        Some(ids) => ids.replace_all(text, "<id>"),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ignores_ids_only() {
        let text = |id: &str| json!(format!("trip {id} is booked"));
        let one = text("6f9619ff-8b86-d011-b42d-00c04fc964ff");
        assert!(same(&one, &text("00000000-0000-0000-0000-000000000001")));
        assert!(same(&text("tooluse_abcdefgh1"), &text("tooluse_zyxwvuts2")));
        assert!(!same(&one, &text("6f9619ff")));
    }

    #[test]
    fn shows_the_text_around_a_difference() {
        let (recorded, actual) = (format!("{}A{}", "x".repeat(500), "y".repeat(500)), "x".repeat(500));
        let difference = RequestDifference::new(RequestPart::UserText, &json!(recorded), &json!(actual));
        assert!(difference.recorded.contains('A') && !difference.actual.contains('A'));
        assert!(difference.recorded.chars().count() <= SHOWN + 2, "{difference}");
    }

    #[test]
    fn compares_the_parts_of_the_set() {
        let recorded = json!({
            "messages": 3, "userText": "a", "toolResults": [{"tool": "t", "error": false, "text": "1"}],
            "tools": ["t"], "toolChoice": {"any": {}}, "outputSchema": "Trip", "system": "s", "newer": 1,
        });
        let actual = json!({
            "messages": 4, "userText": "b", "toolResults": [{"tool": "u", "error": false, "text": "2"}],
            "tools": [], "system": "other",
        });
        let parts = |matching: RequestMatching| -> Vec<_> {
            matching.differences(&recorded, &actual).into_iter().map(|difference| difference.part).collect()
        };
        assert_eq!(parts(RequestMatching::exact()), RequestPart::ALL);
        assert_eq!(parts(RequestMatching::in_order()), []);
        for part in RequestPart::ALL {
            assert_eq!(parts(RequestMatching::in_order().with(part)), [part]);
            assert!(!parts(RequestMatching::exact().without(part)).contains(&part));
        }
        assert_eq!(RequestMatching::exact().differences(&recorded, &recorded), []);
    }
}
