//! Meaning of a text argument by its name, which decides the kind of text that is extracted for it.

use super::vocabulary::stems;

/// Meaning of a text argument.
pub(super) enum ArgumentMeaning {
    Origin,
    Destination,
    Code,
    Day,
    Formula,
    Prose,
    Other,
}

impl ArgumentMeaning {
    /// Returns the meaning of an argument with this name.
    pub(super) fn of(name: &str) -> Self {
        let words: Vec<String> = stems(name).collect();
        let any = |names: &[&str]| names.iter().flat_map(|name| stems(name)).any(|stem| words.contains(&stem));
        if any(&["origin", "from", "source", "start", "departure", "sender"]) {
            Self::Origin
        } else if any(&["destination", "to", "target", "recipient", "arrival"]) {
            Self::Destination
        } else if any(&["code", "id", "number", "reference"]) {
            Self::Code
        } else if any(&["day", "date", "when", "weekday"]) {
            Self::Day
        } else if any(&["expression", "formula", "equation", "calculation"]) {
            Self::Formula
        } else if any(&[
            "query",
            "text",
            "question",
            "prompt",
            "message",
            "input",
            "content",
            "topic",
            "task",
            "request",
            "sentence",
            "instruction",
            "body",
            "note",
            "description",
            "summary",
        ]) {
            Self::Prose
        } else {
            Self::Other
        }
    }

    /// Returns prepositions that introduce such an argument in a text.
    pub(super) fn prepositions(&self) -> &'static [&'static str] {
        match self {
            Self::Origin => &["from"],
            Self::Destination => &["to", "for", "in"],
            _ => &["in", "at", "for", "of", "about", "on", "near", "named", "called", "to", "from"],
        }
    }
}
