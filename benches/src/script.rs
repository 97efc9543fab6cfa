//! The conversation of every row, whatever its protocol.

pub(crate) const PROMPT: &str = "Will it be dry in Oslo this week, and if not, where is it?";
pub(crate) const SYSTEM_PROMPT: &str = "You are a travel assistant. Look the weather up before you recommend a place, \
    name the source of what you say, and answer in the language of the question.";
/// Final text of the model, also used in every turn of a long conversation.
pub(crate) const ANSWER: &str = "It is dry in Bergen.";
/// Number of deltas of a long response.
pub(crate) const DELTAS: usize = 2_000;

/// Cities of tool calls, without end.
pub(crate) fn cities() -> impl Iterator<Item = &'static str> {
    ["Oslo", "Bergen", "Trondheim", "Tromsø", "Stavanger"].into_iter().cycle()
}

/// Text deltas of 4 bytes each, without end.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    ["sun ", "and ", "sea ", "with", " an ", "ice,"].into_iter().cycle()
}
