//! Records of steps: one entry each, or several parts if the record is larger than a checkpoint may be.

use std::collections::VecDeque;

use aws_durable_execution_sdk::{BoxError, Serdes, serdes::SerdesContext};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Maximum size of a checkpoint, minus a margin.
const MAX_ENTRY: usize = 255 * 1024;
/// Size of a part. Quotation marks and backslashes double in the JSON of the entry.
const PART: usize = 120 * 1024;
/// Maximum size of a record.
const MAX_RECORD: usize = 4 * 1024 * 1024;

/// The error of a record that is too large for a durable execution. It is the source of a
/// [`JournalError`](strands_core::JournalError), and ends the execution.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record has {bytes} bytes, and {limit} are allowed; limit the size of tool results, or offload them")]
#[non_exhaustive]
pub struct RecordTooLarge {
    /// Size of the record as JSON.
    pub bytes: usize,
    /// Maximum size.
    pub limit: usize,
}

strands_core::__debug_with_sources!(RecordTooLarge);

/// One entry of an execution, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Whole {
        /// Time of the end of the effect, in milliseconds since 1970.
        at: u64,
        value: Value,
    },
    Part(Part),
    /// The value was too large. It is recorded like a value, so that it is the same error in each attempt.
    TooLarge {
        at: u64,
        bytes: usize,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct Part {
    at: u64,
    /// Random number of the effect's attempt. An attempt may end between two of its parts.
    attempt: u64,
    /// Number of parts that follow.
    left: usize,
    /// A part of the value's JSON.
    json: String,
}

impl Entry {
    pub(super) fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    pub(super) fn at(&self) -> u64 {
        match self {
            Self::Whole { at, .. } | Self::Part(Part { at, .. }) | Self::TooLarge { at, .. } => *at,
        }
    }
}

/// Returns the entries of a value.
pub(super) fn entries(value: &Value, at: u64) -> VecDeque<String> {
    let mut json = format!(r#"{{"whole":{{"at":{at},"value":{value}}}}}"#);
    if json.len() <= MAX_ENTRY {
        return [json].into();
    }
    json = value.to_string();
    if json.len() > MAX_RECORD {
        let entry = Entry::TooLarge { at, bytes: json.len() };
        return [serde_json::to_string(&entry).unwrap_or_default()].into();
    }
    let attempt = fastrand::u64(..);
    let mut texts = Vec::new();
    let mut rest = json.as_str();
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.floor_char_boundary(PART));
        texts.push(text);
        rest = after;
    }
    let count = texts.len();
    let part = |(index, text): (usize, &str)| {
        let part = Part { at, attempt, left: count - 1 - index, json: text.to_owned() };
        serde_json::to_string(&Entry::Part(part)).unwrap_or_default()
    };
    texts.into_iter().enumerate().map(part).collect()
}

/// The parts of a value so far.
#[derive(Default)]
pub(super) struct Parts {
    attempt: u64,
    json: String,
}

impl Parts {
    /// Adds the next entry. Returns the value if it is complete.
    pub(super) fn add(&mut self, entry: Entry) -> Result<Option<Value>, BoxError> {
        let part = match entry {
            Entry::Whole { value, .. } => return Ok(Some(value)),
            Entry::TooLarge { bytes, .. } => return Err(RecordTooLarge { bytes, limit: MAX_RECORD }.into()),
            Entry::Part(part) => part,
        };
        if part.attempt != self.attempt {
            self.json.clear();
            self.attempt = part.attempt;
        }
        self.json.push_str(&part.json);
        if part.left > 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&self.json)?))
    }
}

/// Stores the text of an entry as it is.
pub(super) struct Text;

impl Serdes<String> for Text {
    async fn serialize(&self, value: String, _: SerdesContext) -> Result<String, BoxError> {
        Ok(value)
    }

    async fn deserialize(&self, text: String, _: SerdesContext) -> Result<String, BoxError> {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_back(entries: &VecDeque<String>) -> Vec<Option<Value>> {
        let mut parts = Parts::default();
        entries.iter().map(|entry| parts.add(Entry::read(entry).expect("an entry")).expect("a value")).collect()
    }

    #[test]
    fn splits_large_values_into_entries_that_fit_a_checkpoint() {
        for text in ["a".repeat(300 * 1024), "\"\\".repeat(200 * 1024), "\u{1F30D}\u{0}".repeat(100 * 1024)] {
            let value = json!({"text": text});
            let entries = entries(&value, 7);
            assert!(entries.len() > 1);
            assert!(entries.iter().all(|entry| entry.len() <= MAX_ENTRY), "{:?}", entries.iter().map(String::len));
            let read = read_back(&entries);
            assert!(read[..read.len() - 1].iter().all(Option::is_none));
            assert_eq!(read.last(), Some(&Some(value)));
        }
    }

    #[test]
    fn small_values_are_one_readable_entry() {
        let entries = entries(&json!({"n": 0.1}), 7);
        assert_eq!(entries, [r#"{"whole":{"at":7,"value":{"n":0.1}}}"#]);
    }

    #[test]
    fn parts_of_an_attempt_that_broke_off_are_dropped() {
        let first = entries(&json!("a".repeat(300 * 1024)), 1);
        let second = entries(&json!("b".repeat(300 * 1024)), 2);
        let both: VecDeque<String> = first.into_iter().take(2).chain(second).collect();
        assert_eq!(read_back(&both).pop(), Some(Some(json!("b".repeat(300 * 1024)))));
    }

    #[test]
    fn refuses_values_beyond_the_limit() {
        let entries = entries(&json!("a".repeat(MAX_RECORD)), 1);
        let entry = Entry::read(&entries[0]).expect("an entry");
        let error = Parts::default().add(entry).expect_err("beyond the limit");
        let error = error.downcast_ref::<RecordTooLarge>().expect("its type");
        assert_eq!((error.bytes, error.limit), (MAX_RECORD + 2, MAX_RECORD));
    }
}
