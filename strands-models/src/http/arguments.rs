//! Streamed tool arguments. Some servers send an empty object before the real arguments, or all of them again at the end.
//! Certain parts are emitted at once. Arguments that contradict each other are concatenated, which is not valid JSON, so that
//! the agent refuses the call.

use serde_json::Value;
use strands_core::lenient_json;

use super::json_end::JsonEnd;

/// Arguments of one call.
#[derive(Debug, Default)]
pub(crate) struct StreamedArguments {
    first: Part,
    /// Number of bytes of the first value that were emitted. A possible placeholder is withheld.
    emitted: usize,
    /// Value after the first one, until it is known to be the same.
    again: Part,
    /// True after values that contradict each other.
    contradictory: bool,
}

/// Partial JSON value.
#[derive(Debug, Default)]
struct Part {
    text: String,
    end: JsonEnd,
}

impl StreamedArguments {
    /// Adds a delta, and returns the text that is certain now.
    pub(crate) fn push(&mut self, delta: &str) -> Option<String> {
        let mut certain = String::new();
        let mut rest = delta;
        while !rest.is_empty() {
            if self.contradictory {
                certain.push_str(rest);
                break;
            }
            rest = if self.first.end.is_reached() { self.again.take(rest) } else { self.first.take(rest) };
            if self.again.end.is_reached() {
                self.compare(&mut certain);
            } else if self.is_held_back() && !may_be_placeholder(&self.again.text) {
                // The real arguments have begun.
                self.first = std::mem::take(&mut self.again);
            }
        }
        if self.emitted > 0 || !may_be_placeholder(&self.first.text) {
            self.emit(&mut certain);
        }
        (!certain.is_empty()).then_some(certain)
    }

    /// Adds all arguments, with or without deltas before.
    pub(crate) fn push_whole(&mut self, whole: &str) -> Option<String> {
        if self.are(whole) {
            return None;
        }
        // The last deltas may be missing.
        match whole.strip_prefix(&*self.first.text) {
            Some(rest) if !self.first.end.is_reached() => self.push(rest),
            _ => self.push(whole),
        }
    }

    /// Ends the arguments, and returns the text that was withheld.
    pub(crate) fn end(&mut self) -> Option<String> {
        let mut certain = String::new();
        if !self.again.text.trim().is_empty() {
            self.compare(&mut certain);
        }
        // `null` is read as no arguments everywhere; these are not.
        if self.emitted == 0 && ["[]", "\"\""].contains(&&*self.first.text) {
            "{}".clone_into(&mut self.first.text);
        }
        self.emit(&mut certain);
        (!certain.is_empty()).then_some(certain)
    }

    /// Returns true after something other than white space.
    pub(crate) fn has_begun(&self) -> bool {
        !self.first.text.trim_start().is_empty()
    }

    /// Returns true if the value is complete and not a placeholder.
    pub(crate) fn are_complete(&self) -> bool {
        self.first.end.is_reached() && !is_placeholder(&self.first.text)
    }

    /// Returns true if the value is complete, even if it is a placeholder.
    pub(crate) fn is_whole(&self) -> bool {
        self.first.end.is_reached()
    }

    /// Returns true if these arguments are equal.
    pub(crate) fn are(&self, other: &str) -> bool {
        let first = self.first.text.trim();
        // A much shorter text differs; this avoids parsing the first one again for each of many.
        let is_comparable = other.len() >= first.len() / SHORTEST_SAME;
        let value = |text: &str| lenient_json::from_str::<Value>(text).ok();
        first == other.trim() || is_comparable && value(other).is_some_and(|other| value(first) == Some(other))
    }

    /// Returns true if a complete placeholder was withheld.
    fn is_held_back(&self) -> bool {
        self.emitted == 0 && self.first.end.is_reached() && is_placeholder(&self.first.text)
    }

    /// Compares a value after the first one with it.
    fn compare(&mut self, certain: &mut String) {
        let again = std::mem::take(&mut self.again);
        if is_placeholder(&again.text) {
            return;
        }
        if self.is_held_back() {
            self.first = again;
            return;
        }
        if !self.are(&again.text) {
            self.emit(certain);
            certain.push_str(&again.text);
            self.contradictory = true;
        }
    }

    fn emit(&mut self, certain: &mut String) {
        certain.push_str(self.first.text.get(self.emitted..).unwrap_or_default());
        self.emitted = self.first.text.len();
    }
}

impl Part {
    /// Adds the text up to the end of the value, and returns the rest.
    fn take<'a>(&mut self, text: &'a str) -> &'a str {
        let (value, rest) = text.split_at_checked(self.end.find(text)).unwrap_or((text, ""));
        self.text.push_str(value);
        rest
    }
}

/// Factor by which equal arguments may be shorter without white space.
const SHORTEST_SAME: usize = 8;

/// Placeholders of arguments that are not known yet.
const PLACEHOLDERS: [&str; 4] = ["{}", "[]", "null", "\"\""];

/// Maximum length of a placeholder in bytes, with white space.
const LONGEST_PLACEHOLDER: usize = 16;

fn is_placeholder(text: &str) -> bool {
    text.len() <= LONGEST_PLACEHOLDER && PLACEHOLDERS.iter().any(|placeholder| rest(placeholder, text) == Some(""))
}

/// Returns true if a text is the beginning of a placeholder, or empty.
fn may_be_placeholder(text: &str) -> bool {
    text.len() <= LONGEST_PLACEHOLDER && PLACEHOLDERS.iter().any(|placeholder| rest(placeholder, text).is_some())
}

/// Returns the end of a placeholder that begins with a text, apart from white space.
fn rest<'a>(placeholder: &'a str, text: &str) -> Option<&'a str> {
    text.split_whitespace().try_fold(placeholder, |rest, word| rest.strip_prefix(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn joined(deltas: &[&str]) -> String {
        let mut arguments = StreamedArguments::default();
        let mut text: String = deltas.iter().filter_map(|delta| arguments.push(delta)).collect();
        text.extend(arguments.end());
        text
    }

    #[test]
    fn replaces_placeholders_by_the_real_arguments() {
        let oslo = "{\"city\":\"Oslo\"}";
        for deltas in [
            &["{}", "{\"city\":", "\"Oslo\"}"][..],
            &["{", "}", "{\"city\":", "\"Oslo\"}"],
            &["{ }\n", "{\"city\":\"Oslo\"}"],
            &["{}{\"city\":\"Oslo\"}"],
            &["{}", "{}", "{\"city\":\"Oslo\"}"],
            &["null", "{\"city\":\"Oslo\"}"],
            &["[]", "{\"city\":\"Oslo\"}"],
            &["\"\"", "{", "\"city\":\"Oslo\"}"],
            &["{\"city\":\"Oslo\"}", "{}"],
            &["", "{\"city\":\"Oslo\"}", ""],
        ] {
            assert_eq!(joined(deltas).trim_start(), oslo, "{deltas:?}");
        }
        for deltas in [&["{}"][..], &["{", "}"], &["[]"], &["\"\""], &["{}", "null"]] {
            assert_eq!(joined(deltas), "{}", "{deltas:?}");
        }
        assert_eq!((joined(&[]), joined(&["null"])), (String::new(), "null".to_owned()));
        assert_eq!(joined(&["{\"a\":", "{}", "}"]), "{\"a\":{}}", "an empty object inside is no placeholder");
    }

    #[test]
    fn ignores_repeated_arguments() {
        let oslo = "{\"city\":\"Oslo\"}";
        for deltas in [
            &["{\"city\":", "\"Oslo\"}", "{\"city\":\"Oslo\"}"][..],
            &["{\"city\":\"Oslo\"}", "{\"city\":", "\"Oslo\"}"],
            &["{\"city\":\"Oslo\"}", " { \"city\" : \"Oslo\" } ", "{\"city\":\"Oslo\"}"],
            &["{\"city\":\"Oslo\"}{\"city\":\"Oslo\"}"],
        ] {
            assert_eq!(joined(deltas).trim_start(), oslo, "{deltas:?}");
        }
    }

    #[test]
    fn accepts_whole_arguments_after_their_deltas() {
        for (deltas, whole, expected) in [
            (&["{\"a\":", "1}"][..], "{\"a\":1}", "{\"a\":1}"),
            (&["{\"a\":", "1}"], "{\"a\": 1}", "{\"a\":1}"),
            (&["{\"a\":"], "{\"a\":", "{\"a\":"),
            (&["{\"a\":"], "{\"a\":1}", "{\"a\":1}"),
            (&[], "{\"a\":1}", "{\"a\":1}"),
            (&["{\"a\":1}"], "", "{\"a\":1}"),
            (&["{}"], "{\"a\":1}", "{\"a\":1}"),
            (&["{\"a\":1}"], "{\"a\":2}", "{\"a\":1}{\"a\":2}"),
        ] {
            let mut arguments = StreamedArguments::default();
            let mut text: String = deltas.iter().filter_map(|delta| arguments.push(delta)).collect();
            text.extend(arguments.push_whole(whole));
            text.extend(arguments.end());
            assert_eq!(text, expected, "{deltas:?} {whole}");
        }
    }

    #[test]
    fn makes_contradictory_arguments_invalid_json() {
        for deltas in [
            &["{\"city\":\"Oslo\"}", "{\"city\":\"Rome\"}"][..],
            &["{\"city\":\"Oslo\"}", "{\"city\":\"Rome\"}", "{\"city\":\"Oslo\"}"],
            &["{\"city\":\"Oslo\"}", "{\"city\":"],
            &["{\"city\":\"Oslo\"}", "}"],
            &["{}", "}"],
            &["{\"ci", "{\"city\":\"Oslo\"}"],
            &["null", "null{\"a\":1}", "{\"a\":2}"],
        ] {
            let joined = joined(deltas);
            assert!(serde_json::from_str::<Value>(&joined).is_err(), "{deltas:?} became {joined}");
        }
    }

    #[test]
    fn emits_certain_text_at_once() {
        let mut arguments = StreamedArguments::default();
        assert_eq!(arguments.push("{"), None);
        assert_eq!(arguments.push("\"city\":").as_deref(), Some("{\"city\":"));
        assert!(arguments.has_begun() && !arguments.are_complete());
        assert_eq!(arguments.push("\"Oslo\"}").as_deref(), Some("\"Oslo\"}"));
        assert!(arguments.are_complete());
        assert_eq!(arguments.end(), None);
    }

    proptest! {
        #[test]
        fn reads_arguments_in_any_chunks(names in prop::collection::vec("[a-zü{}\\[\\]\" ]{0,5}", 1..4), at in 1..7_usize, before in any::<bool>(), after in any::<bool>()) {
            let object: serde_json::Map<_, _> = names.into_iter().map(|name| (name.clone(), json!([name, 1, {}]))).collect();
            let value = Value::Object(object).to_string();
            let text = [if before { "{}" } else { "" }, &*value, if after { &*value } else { "" }].concat();
            let letters: Vec<char> = text.chars().collect();
            let deltas: Vec<String> = letters.chunks(at).map(|delta| delta.iter().collect()).collect();
            let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
            prop_assert_eq!(joined(&deltas), value);
        }
    }
}
