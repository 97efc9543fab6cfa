//! UTF-16 pairs whose halves are in two events: servers that split text by code units send one half at the end of a string, and
//! the other at the beginning of the next.

/// Length of an escape such as `\ud83d`.
const ESCAPE: usize = 6;

/// Returns true if a string in the event's JSON ends with the first half of a pair.
pub(super) fn ends_in_half(json: &str) -> bool {
    first_half(json).is_some()
}

/// Moves the first half of a pair to its second half, if the next event has one.
pub(super) fn join(json: &mut String, next: &mut String) {
    let (Some(first), Some(second)) = (first_half(json), second_half(next)) else { return };
    let half: String = json.drain(first..first + ESCAPE).collect();
    next.insert_str(second, &half);
}

/// Returns the position of a first half at the end of a string.
fn first_half(json: &str) -> Option<usize> {
    let halves = json.match_indices("\\u").filter(|(at, _)| is_half(json, *at, b"89ab"));
    let ends = |at: &usize| json.as_bytes().get(at + ESCAPE) == Some(&b'"');
    halves.map(|(at, _)| at).find(|at| ends(at) && !is_escaped(json, *at))
}

/// Returns the position of a second half at the beginning of a string.
fn second_half(json: &str) -> Option<usize> {
    let halves = json.match_indices("\\u").filter(|(at, _)| is_half(json, *at, b"cdef"));
    let begins = |at: &usize| {
        at.checked_sub(1).is_some_and(|quote| json.as_bytes().get(quote) == Some(&b'"') && !is_escaped(json, quote))
    };
    halves.map(|(at, _)| at).find(begins)
}

/// Returns true if the escape at this position is a surrogate whose second digit is one of these.
fn is_half(json: &str, at: usize, second: &[u8]) -> bool {
    let Some([b'd' | b'D', digit, rest @ ..]) = json.as_bytes().get(at + 2..at + ESCAPE) else {
        return false;
    };
    second.contains(&digit.to_ascii_lowercase()) && rest.iter().all(u8::is_ascii_hexdigit)
}

/// Returns true if an odd number of backslashes precedes this position.
fn is_escaped(json: &str, at: usize) -> bool {
    let before = json.as_bytes().get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_halves_of_two_events() {
        for (first, next, joined) in [
            (r#"{"a":"x\ud83d"}"#, r#"{"a":"\ude00y"}"#, Some((r#"{"a":"x"}"#, r#"{"a":"\ud83d\ude00y"}"#))),
            (
                r#"{"a":"\uD83D","b":"z"}"#,
                r#"{"b":"z","a":"\uDE00"}"#,
                Some((r#"{"a":"","b":"z"}"#, r#"{"b":"z","a":"\uD83D\uDE00"}"#)),
            ),
            (
                r#"{"a":"{\"b\":\"\ud83d"}"#,
                r#"{"a":"\ude00\"}"}"#,
                Some((r#"{"a":"{\"b\":\""}"#, r#"{"a":"\ud83d\ude00\"}"}"#)),
            ),
            // The other half is not at the beginning, or missing.
            (r#"{"a":"x\ud83d"}"#, r#"{"a":"y\ude00"}"#, None),
            (r#"{"a":"x\ud83d"}"#, r#"{"a":"\"\ude00"}"#, None),
            (r#"{"a":"x\ud83d"}"#, r#"{"a":"y"}"#, None),
            (r#"{"a":"x\ud83dy"}"#, r#"{"a":"\ude00"}"#, None),
            // JSON in JSON, whose deltas are joined before parsing.
            (r#"{"a":"{\"b\":\"\\ud83d"}"#, r#"{"a":"\\ude00\"}"}"#, None),
        ] {
            let (mut event, mut after) = (first.to_owned(), next.to_owned());
            join(&mut event, &mut after);
            assert_eq!((event.as_str(), after.as_str()), joined.unwrap_or((first, next)));
        }
        assert!(ends_in_half(r#"{"a":"\ud83d"}"#));
        assert!(!ends_in_half(r#"{"a":"\ud83d\ude00"}"#));
        assert!(!ends_in_half(r#"{"a":"\\ud83d"}"#));
        assert!(!ends_in_half(""));
    }
}
