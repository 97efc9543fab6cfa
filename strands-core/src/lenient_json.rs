//! Parsing of JSON with unpaired surrogates, as written by programs that cut strings between UTF-16 code units.
//!
//! An unpaired surrogate (`"\ud83d"` alone) and bytes that are not UTF-8 are read as U+FFFD, so that one invalid character
//! does not make a whole response or session unreadable.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Length of an escape such as `\ud83d`.
const ESCAPE: usize = 6;

/// Deserializes JSON, with U+FFFD in place of unpaired surrogates and invalid UTF-8.
///
/// ```
/// let text: String = strands::lenient_json::from_slice(br#""half: \ud83d""#)?;
/// assert_eq!(text, "half: \u{fffd}");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the JSON is invalid otherwise, or does not match the type.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    // Checking all bytes at once is faster than serde_json's check of each string.
    match str::from_utf8(json) {
        Ok(text) => from_str(text),
        Err(_) => serde_json::from_str(&replace_lone_surrogates(&String::from_utf8_lossy(json))),
    }
}

/// Deserializes JSON text, with U+FFFD in place of unpaired surrogates.
///
/// # Errors
///
/// Returns an error if the JSON is invalid otherwise, or does not match the type.
pub fn from_str<T: DeserializeOwned>(json: &str) -> serde_json::Result<T> {
    serde_json::from_str(json).or_else(|error| repaired(json, error))
}

fn repaired<T: DeserializeOwned>(json: &str, error: serde_json::Error) -> serde_json::Result<T> {
    match replace_lone_surrogates(json) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(repaired) => serde_json::from_str(&repaired),
    }
}

/// Replaces each escaped unpaired surrogate in JSON with the escape of U+FFFD. Pairs are kept, and so is text that only
/// looks like an escape (`\\ud83d`), such as JSON within a JSON string.
pub fn replace_lone_surrogates(json: &str) -> Cow<'_, str> {
    let mut repaired = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        let escape = at + found;
        at = match code_unit(json, escape) {
            Some(0xd800..=0xdbff) if matches!(code_unit(json, escape + ESCAPE), Some(0xdc00..=0xdfff)) => {
                escape + 2 * ESCAPE
            }
            Some(0xd800..=0xdfff) => {
                repaired.push_str(json.get(copied..escape).unwrap_or_default());
                repaired.push_str("\\ufffd");
                copied = escape + ESCAPE;
                copied
            }
            Some(_) => escape + ESCAPE,
            // Another escape, with one character.
            None => escape + 2,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    repaired.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(repaired)
}

/// Returns the UTF-16 code unit of the escape at a position, if there is one.
fn code_unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at.checked_add(ESCAPE)?)?.strip_prefix("\\u")?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn replaces_unpaired_surrogates() {
        for (json, expected) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""a\uDE00b""#, "a\u{fffd}b"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\\ud83d""#, r"\ud83d"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
        ] {
            assert_eq!(from_str::<String>(json).unwrap(), expected, "{json}");
            assert_eq!(from_slice::<Value>(json.as_bytes()).unwrap(), expected, "{json}");
        }
        assert_eq!(from_slice::<String>(b"\"a\xff \\ud83d\"").unwrap(), "a\u{fffd} \u{fffd}");
    }

    #[test]
    fn rejects_other_invalid_json() {
        for json in [r#""\ud83""#, r#""\ud83d"#, "", "{", r#""\u+83d""#, "\"\\é\"", r#""\x""#] {
            assert!(from_str::<Value>(json).is_err(), "{json}");
            assert!(from_slice::<Value>(json.as_bytes()).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn keeps_surrogate_pairs(text in ".{0,40}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert!(matches!(replace_lone_surrogates(&json), Cow::Borrowed(_)));
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(from_str::<String>(&format!("\"{escaped}\"")).unwrap(), text);
        }

        #[test]
        fn matches_lossy_utf_16_decoding(units in prop::collection::vec(any::<u16>(), 0..20)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04X}")).collect();
            prop_assert_eq!(from_str::<String>(&format!("\"{escaped}\"")).unwrap(), String::from_utf16_lossy(&units));
        }

        #[test]
        fn does_not_panic(text in r#"[\\u\"d83eéx]{0,24}"#) {
            replace_lone_surrogates(&text);
        }
    }
}
