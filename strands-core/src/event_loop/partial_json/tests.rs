use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Returns the values that are reported while the chunks arrive.
fn reported(mut reader: PartialJson, chunks: &[&str]) -> Vec<Value> {
    chunks.iter().filter_map(|chunk| reader.push(chunk)).collect()
}

fn by_character(reader: PartialJson, text: &str) -> Vec<Value> {
    let chunks: Vec<String> = text.chars().map(String::from).collect();
    reported(reader, &chunks.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Returns true if `part` is a valid partial value of `whole`.
fn is_prefix(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::String(part), Value::String(whole)) => whole.starts_with(part.as_str()),
        (Value::Array(part), Value::Array(whole)) => {
            let last = part.len().saturating_sub(1);
            part.len() <= whole.len()
                && part
                    .iter()
                    .zip(whole)
                    .enumerate()
                    .all(|(at, (part, whole))| if at == last { is_prefix(part, whole) } else { part == whole })
        }
        (Value::Object(part), Value::Object(whole)) => {
            let last = part.len().saturating_sub(1);
            part.len() <= whole.len()
                && part.iter().zip(whole).enumerate().all(|(at, ((name, part), (other, whole)))| {
                    name == other && if at == last { is_prefix(part, whole) } else { part == whole }
                })
        }
        _ => part == whole,
    }
}

#[test]
fn reports_a_growing_value() {
    let seen = by_character(PartialJson::of_arguments(Wrapping::None), r#"{"a": "hé", "b": [12, true]}"#);
    let expected = [
        json!({}),
        json!({"a": ""}),
        json!({"a": "h"}),
        json!({"a": "hé"}),
        json!({"a": "hé", "b": []}),
        json!({"a": "hé", "b": [12]}),
        json!({"a": "hé", "b": [12, true]}),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn never_splits_escapes_and_surrogate_pairs() {
    let seen = by_character(PartialJson::of_arguments(Wrapping::None), r#""a\n\u00e9\ud83c\udf6f\"""#);
    assert_eq!(seen, ["", "a", "a\n", "a\né", "a\né🍯", "a\né🍯\""]);
}

#[test]
fn unwraps_wrapped_values_and_keeps_bare_ones() {
    let reader = || PartialJson::of_arguments(Wrapping::Field("value".into()));
    assert_eq!(by_character(reader(), r#"{"value": [1, 23], "why": "so"}"#), [json!([]), json!([1]), json!([1, 23])]);
    assert_eq!(by_character(reader(), r#"{"v\u0061lue": 7}"#), [json!(7)]);
    assert_eq!(by_character(reader(), "[1]"), [json!([]), json!([1])]);
    assert_eq!(by_character(reader(), r#"{"why": {"value": 1}, "value": [2]}"#), [json!([]), json!([2])]);
    assert_eq!(by_character(reader(), r#"{"kind": {"value": 1}}"#), [json!({"kind": {"value": 1}})]);
    assert_eq!(by_character(reader(), "{}"), [json!({})]);
}

#[test]
fn reports_ambiguous_objects_only_when_complete() {
    let reader = || PartialJson::of_arguments(Wrapping::Ambiguous);
    assert_eq!(by_character(reader(), r#"{"value": [1, 2]} "#), [json!({"value": [1, 2]})]);
    assert_eq!(by_character(reader(), "[1]"), [json!([]), json!([1])]);
}

#[test]
fn stops_at_a_repeated_field() {
    let seen =
        by_character(PartialJson::of_arguments(Wrapping::None), r#"{"a": 1, "b": {"a": 2}, "\u0061": 3, "c": 4}"#);
    assert_eq!(seen.last(), Some(&json!({"a": 1, "b": {"a": 2}})));
    let seen =
        by_character(PartialJson::of_arguments(Wrapping::Field("value".into())), r#"{"a": 1, "a": 2, "value": 3}"#);
    assert_eq!(seen, [Value::Null; 0]);
}

#[test]
fn skips_a_byte_order_mark() {
    for text in ["\u{feff}[1]", "\u{feff}\n```json\n[1]\n```"] {
        assert_eq!(by_character(PartialJson::of_text(Wrapping::None), text), [json!([]), json!([1])], "{text:?}");
    }
    assert_eq!(by_character(PartialJson::of_text(Wrapping::None), "[1\u{feff}, 2]"), [json!([])]);
}

#[test]
fn skips_a_code_fence() {
    for text in ["```json\n[1]\n```", " \r\n```JSON  \r\n[1]\r\n```", "```[1]```", "````\n[1]\n````", "\t[1] "] {
        assert_eq!(by_character(PartialJson::of_text(Wrapping::None), text), [json!([]), json!([1])], "{text:?}");
    }
    for text in ["Sure: [1]", "``[1]", "```js\n[1]\n```", "`json"] {
        assert_eq!(by_character(PartialJson::of_text(Wrapping::None), text), [Value::Null; 0], "{text:?}");
    }
}

#[test]
fn stops_at_invalid_json() {
    for text in ["[1 2]", "{\"a\" 1}", "[}", "nul}", "{1: 2}", r#"["\ud800x"]"#, r#"["\udc00"]"#, r#"["\u00g0"]"#] {
        let seen = by_character(PartialJson::of_arguments(Wrapping::None), text);
        assert!(seen.iter().all(|value| value.as_array().is_none_or(|items| items.len() <= 1)), "{text}: {seen:?}");
    }
    let deep = "[".repeat(MAX_DEPTH + 1);
    assert!(by_character(PartialJson::of_arguments(Wrapping::None), &deep).len() <= MAX_DEPTH);
}

#[test]
fn does_not_parse_long_values_for_every_character() {
    let text = json!({"text": "x".repeat(100_000)}).to_string();
    let seen = by_character(PartialJson::of_arguments(Wrapping::None), &text);
    assert!(seen.len() < 2_000, "{}", seen.len());
    assert_eq!(seen.last().map(Value::to_string), Some(text));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-zäöü\"\\\\🍯]{0,6}", inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Returns JSON in the styles of models: with characters as escapes, or with white space.
fn json_text(value: &Value, escapes: bool, pretty: bool) -> String {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let text = text.unwrap_or_default();
    if !escapes {
        return text;
    }
    let mut escaped = String::new();
    for character in text.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

/// Returns the partial value of a text, by parsing each possible completion.
fn reference(text: &str) -> Option<Value> {
    let mut found = None;
    let mut letters: Vec<char> = without_number(text).chars().collect();
    while found.is_none() && !letters.is_empty() {
        let so_far: String = letters.iter().collect();
        found = closings(&so_far).iter().find_map(|closing| serde_json::from_str(&format!("{so_far}{closing}")).ok());
        letters.pop();
    }
    found
}

/// Returns the text without a trailing number, which may be incomplete.
fn without_number(text: &str) -> &str {
    let rest = text.trim_end_matches(|letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter));
    let is_number = !in_string(text) && !rest.ends_with(|last: char| last.is_ascii_alphabetic());
    if is_number { rest } else { text }
}

fn in_string(text: &str) -> bool {
    let (mut inside, mut escaped) = (false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
    }
    inside
}

fn closings(text: &str) -> [String; 2] {
    let (mut open, mut inside, mut escaped) = (String::new(), false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ if inside => {}
            '{' => open.insert(0, '}'),
            '[' => open.insert(0, ']'),
            '}' | ']' => drop(open.remove(0)),
            _ => {}
        }
    }
    [open.clone(), format!("\"{open}")]
}

proptest! {
    #[test]
    fn reports_prefixes_of_the_complete_value(
        value in json_value(),
        (escapes, pretty, wrapped, fenced) in any::<(bool, bool, bool, bool)>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let root = if wrapped { json!({"value": value}) } else { value };
        let json = json_text(&root, escapes, pretty);
        // Parsed floats may differ in the last digit.
        let mut value: Value = serde_json::from_str(&json).unwrap_or_default();
        if wrapped {
            value = value["value"].take();
        }
        let text = if fenced { format!("```json\n{json}\n```") } else { json };
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&ends)).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let chunks: Vec<&str> =
            cuts.windows(2).map(|pair| text.get(pair[0]..pair[1]).unwrap_or_default()).collect();
        let wrapping = if wrapped { Wrapping::Field("value".to_owned()) } else { Wrapping::None };
        let seen = reported(PartialJson::of_text(wrapping), &chunks);
        for part in &seen {
            prop_assert!(is_prefix(part, &value), "{part} is not a prefix of {value}");
        }
        for pair in seen.windows(2) {
            prop_assert!(pair[0] != pair[1] && is_prefix(&pair[0], &pair[1]), "{} then {}", pair[0], pair[1]);
        }
        // A bare number may continue until the text ends.
        if wrapped || fenced || !value.is_number() {
            prop_assert_eq!(seen.last(), Some(&value));
        }
    }

    #[test]
    fn matches_a_parser_of_each_possible_completion(
        value in json_value(),
        (escapes, pretty) in any::<(bool, bool)>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = json_text(&value, escapes, pretty);
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let text = text.get(..*cut.get(&ends)).unwrap_or_default();
        let seen = reported(PartialJson::of_arguments(Wrapping::None), &[text]).pop();
        prop_assert_eq!(seen, reference(text), "{}", text);
    }
}
