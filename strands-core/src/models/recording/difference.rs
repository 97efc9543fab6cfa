//! Whether a request is the one that was recorded, and if not, what differs.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::Value;

/// How much of a value a difference shows.
const SHOWN: usize = 120;

/// A part of a request that a replay may compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestPart {
    /// How many messages there are.
    Messages,
    /// The text of the newest message.
    UserText,
    /// Which tools answered in the newest message, and whether with an error.
    ToolResults,
    /// What the tools in the newest message answered.
    ToolResultText,
    /// The names of the tools, in order.
    Tools,
    /// Which tools must be called.
    ToolChoice,
    /// The name of the JSON schema that the answer must have.
    OutputSchema,
    /// The system prompt.
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

    /// The part of a request's summary.
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
            Self::ToolResults => "the tools that answered, and whether with an error,",
            Self::ToolResultText => "what the tools answered",
            Self::Tools => "the tools' names",
            Self::ToolChoice => "the tool choice",
            Self::OutputSchema => "the output schema's name",
            Self::System => "the system prompt",
        })
    }
}

/// Which parts of a request must be as they were recorded.
///
/// The default are those that a program decides: the number of messages, the newest text, the tools and which of them
/// answered, how, the tool choice and the output's schema. What tools answered and the system prompt, which often hold
/// the time of day, are left out. Ids are never compared: those of tool calls are not recorded, and UUIDs and the
/// providers' ids of calls within texts are taken to be equal.
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
    /// What a program decides.
    pub const fn new() -> Self {
        Self::exact().without(RequestPart::ToolResultText).without(RequestPart::System)
    }

    /// Everything that is recorded.
    pub const fn exact() -> Self {
        Self { parts: u16::MAX }
    }

    /// Nothing: exchanges are replayed in their order, whatever is asked.
    pub const fn in_order() -> Self {
        Self { parts: 0 }
    }

    /// And this part.
    #[must_use]
    pub const fn with(mut self, part: RequestPart) -> Self {
        self.parts |= Self::bit(part);
        self
    }

    /// But not this part.
    #[must_use]
    pub const fn without(mut self, part: RequestPart) -> Self {
        self.parts &= !Self::bit(part);
        self
    }

    /// True when this part must be as it was recorded.
    pub const fn contains(self, part: RequestPart) -> bool {
        self.parts & Self::bit(part) != 0
    }

    const fn bit(part: RequestPart) -> u16 {
        1 << part as u16
    }

    fn parts(self) -> impl Iterator<Item = RequestPart> {
        RequestPart::ALL.into_iter().filter(move |part| self.contains(*part))
    }

    /// What differs between a recorded request and another.
    pub(super) fn differences(self, recorded: &Value, asked: &Value) -> Vec<RequestDifference> {
        let differences = self.parts().filter_map(|part| {
            let (recorded, asked) = (part.of(recorded), part.of(asked));
            (!same(&recorded, &asked)).then(|| RequestDifference::new(part, &recorded, &asked))
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

/// A part of a request that is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestDifference {
    /// The part.
    pub part: RequestPart,
    /// How it was recorded, from shortly before the first difference, cut to 120 characters.
    pub recorded: String,
    /// How it is now, likewise.
    pub asked: String,
}

impl RequestDifference {
    fn new(part: RequestPart, recorded: &Value, asked: &Value) -> Self {
        let (recorded, asked) = (words(recorded), words(asked));
        let common = recorded.chars().zip(asked.chars()).take_while(|(one, other)| one == other).count();
        Self { part, recorded: excerpt(&recorded, common), asked: excerpt(&asked, common) }
    }
}

impl fmt::Display for RequestDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, recorded, asked } = self;
        write!(f, "{part} was `{recorded}` and is `{asked}`")
    }
}

fn words(value: &Value) -> String {
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

/// Equal but for ids.
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
    fn ids_are_no_difference_and_everything_else_is() {
        let text = |id: &str| json!(format!("trip {id} is booked"));
        let one = text("6f9619ff-8b86-d011-b42d-00c04fc964ff");
        assert!(same(&one, &text("00000000-0000-0000-0000-000000000001")));
        assert!(same(&text("tooluse_abcdefgh1"), &text("tooluse_zyxwvuts2")));
        assert!(!same(&one, &text("6f9619ff")));
    }

    #[test]
    fn a_difference_shows_where_it_is() {
        let (recorded, asked) = (format!("{}A{}", "x".repeat(500), "y".repeat(500)), "x".repeat(500));
        let difference = RequestDifference::new(RequestPart::UserText, &json!(recorded), &json!(asked));
        assert!(difference.recorded.contains('A') && !difference.asked.contains('A'));
        assert!(difference.recorded.chars().count() <= SHOWN + 2, "{difference}");
    }

    #[test]
    fn each_part_is_compared_where_it_is_asked_for() {
        let recorded = json!({
            "messages": 3, "userText": "a", "toolResults": [{"tool": "t", "error": false, "text": "1"}],
            "tools": ["t"], "toolChoice": {"any": {}}, "outputSchema": "Trip", "system": "s", "newer": 1,
        });
        let asked = json!({
            "messages": 4, "userText": "b", "toolResults": [{"tool": "u", "error": false, "text": "2"}],
            "tools": [], "system": "other",
        });
        let parts = |matching: RequestMatching| -> Vec<_> {
            matching.differences(&recorded, &asked).into_iter().map(|difference| difference.part).collect()
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
