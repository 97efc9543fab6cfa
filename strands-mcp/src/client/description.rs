//! Descriptions from servers, made safe to show: hidden characters are escaped, and sizes are capped.
//!
//! A server's texts are data of another party. Characters that a human does not see, such as tags, zero-width and bidirectional
//! control characters, are read by models nevertheless, and can hide instructions from a human who reviews the tools.

use std::fmt::Write as _;

use rmcp::model::JsonObject;
use serde_json::Value;

/// Maximum size of a name, URI or title, in bytes.
const MAX_LINE: usize = 2048;

/// Maximum size of a text inside a schema, in bytes.
const MAX_SCHEMA_TEXT: usize = 4 * 1024;

/// Maximum size of all texts inside a schema, in bytes.
const MAX_SCHEMA_TEXTS: usize = 64 * 1024;

/// Keywords of a schema whose value is text for readers.
const TEXTS: [&str; 3] = ["description", "title", "$comment"];

/// Keywords whose value is a schema, or a list of schemas.
const SCHEMAS: [&str; 17] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "extends",
];

/// Keywords whose value is an object of schemas.
const NAMED_SCHEMAS: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// Returns a text in which hidden characters are escaped like `\u{202e}`, of at most `most_bytes` bytes. A truncated text ends
/// with a note.
pub(crate) fn visible_text(text: &str, most_bytes: usize) -> String {
    let mut visible = String::with_capacity(text.len().min(most_bytes));
    let mut escaped = String::new();
    let mut before = None;
    for (at, character) in text.char_indices() {
        escaped.clear();
        if is_hidden(character, before, text.get(at + character.len_utf8()..)) {
            // Writing to a string does not fail.
            let _ = write!(escaped, "{}", character.escape_unicode());
        } else {
            escaped.push(character);
        }
        if visible.len() + escaped.len() > most_bytes {
            return truncated(visible, text.len(), most_bytes);
        }
        visible.push_str(&escaped);
        before = Some(character);
    }
    visible
}

/// Returns a name, URI or title on one line.
pub(crate) fn visible_line(text: &str) -> String {
    visible_text(text, MAX_LINE).replace('\n', "\\n").replace('\r', "\\r")
}

/// Replaces the end of a text by a note.
fn truncated(mut text: String, size: usize, most_bytes: usize) -> String {
    let note = format!("… [truncated: {size} bytes]");
    let Some(most_text) = most_bytes.checked_sub(note.len()) else { return text };
    let end = text.floor_char_boundary(most_text);
    text.truncate(end);
    text + &note
}

/// Returns true for a character that has no shape of its own, or changes that of others.
fn is_hidden(character: char, before: Option<char>, after: Option<&str>) -> bool {
    match character {
        '\n' | '\t' => false,
        '\r' => !after.is_some_and(|after| after.starts_with('\n')),
        // Emoji and text style of the character before: one is common, more of them encode data.
        '\u{fe0e}' | '\u{fe0f}' => {
            before.is_none_or(|before| is_variation_selector(before) || before.is_ascii_control())
        }
        character if is_variation_selector(character) => true,
        // Fillers and joiners without a shape.
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
        | '\u{2800}' => true,
        // Zero-width characters, bidirectional controls, separators, and invisible operators.
        '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        // Tags and other ignorable characters.
        '\u{e0000}'..='\u{e0fff}' => true,
        character => character.is_control(),
    }
}

fn is_variation_selector(character: char) -> bool {
    matches!(character, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Returns a schema in which the descriptions, titles and comments of all its parts are [visible](visible_text) and capped.
/// Everything else is unchanged: values of `enum`, `const` and `default`, names of properties, and unknown keywords.
pub(crate) fn visible_schema(schema: &JsonObject) -> JsonObject {
    let mut schema = schema.clone();
    let mut left = MAX_SCHEMA_TEXTS;
    make_visible(&mut schema, &mut left);
    schema
}

fn make_visible(schema: &mut JsonObject, left: &mut usize) {
    for (keyword, value) in schema {
        match value {
            Value::String(text) if TEXTS.contains(&keyword.as_str()) => {
                *text = visible_text(text, MAX_SCHEMA_TEXT.min(*left));
                *left -= text.len();
            }
            Value::Object(part) if SCHEMAS.contains(&keyword.as_str()) => make_visible(part, left),
            Value::Array(parts) if SCHEMAS.contains(&keyword.as_str()) => {
                parts.iter_mut().filter_map(Value::as_object_mut).for_each(|part| make_visible(part, left));
            }
            Value::Object(parts) if NAMED_SCHEMAS.contains(&keyword.as_str()) => {
                parts.values_mut().filter_map(Value::as_object_mut).for_each(|part| make_visible(part, left));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn escapes_hidden_characters() {
        for (text, visible) in [
            ("Reads a file.\n\t- path\r\n", "Reads a file.\n\t- path\r\n"),
            ("Grüße, 世界, שלום, مرحبا, 👋", "Grüße, 世界, שלום, مرحبا, 👋"),
            ("⚠\u{fe0f} careful", "⚠\u{fe0f} careful"),
            ("a\u{fe0f}\u{fe0f}", "a\u{fe0f}\\u{fe0f}"),
            ("a\u{fe01}\u{e0101}", "a\\u{fe01}\\u{e0101}"),
            ("safe\u{202e}evil\u{2069}", "safe\\u{202e}evil\\u{2069}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("tag\u{e0041}\u{e007f}", "tag\\u{e0041}\\u{e007f}"),
            ("\u{1b}[2Jbell\u{7}\u{0}", "\\u{1b}[2Jbell\\u{7}\\u{0}"),
            ("over\rwrite", "over\\u{d}write"),
            ("c1\u{9b}", "c1\\u{9b}"),
            ("line\u{2028}end", "line\\u{2028}end"),
        ] {
            assert_eq!(visible_text(text, 1000), visible, "{text:?}");
        }
    }

    #[test]
    fn truncates_with_a_note() {
        let text = "é".repeat(100);
        assert_eq!(visible_text(&text, 200), text);
        let short = visible_text(&text, 60);
        assert!(short.ends_with("é… [truncated: 200 bytes]") && short.len() <= 60, "{short}");
        assert_eq!(visible_text("abcdef", 3), "abc");
        assert_eq!(visible_text("abcdef", 0), "");
    }

    #[test]
    fn changes_only_texts_of_a_schema() {
        let hidden = "a\u{202e}b";
        let schema = |text: &str| {
            json!({
                "type": "object",
                "description": text,
                "properties": {
                    "description": {"type": "string", "description": text, "enum": [hidden], "default": hidden},
                    "title": {"anyOf": [{"title": text, "const": {"description": hidden}}, true]},
                    "list": {"type": "array", "items": {"$comment": text}, "examples": [{"description": hidden}]},
                },
                "$defs": {"x": {"description": text, "pattern": hidden}},
                "required": [hidden],
                "x-unknown": {"description": hidden},
            })
        };
        let visible = visible_schema(schema(hidden).as_object().unwrap());
        assert_eq!(Value::Object(visible), schema("a\\u{202e}b"));
    }

    #[test]
    fn caps_the_texts_of_a_schema() {
        let property = json!({"type": "string", "description": "d".repeat(10_000)});
        let properties: JsonObject = (0..100).map(|n| (format!("p{n}"), property.clone())).collect();
        let schema = json!({"type": "object", "properties": properties});
        let visible = Value::Object(visible_schema(schema.as_object().unwrap()));
        assert!(visible.to_string().len() < MAX_SCHEMA_TEXTS + 100 * 60);
        assert_eq!(visible["properties"].as_object().unwrap().len(), 100);
    }

    proptest! {
        #[test]
        fn visible_texts_fit_and_hide_nothing(text in any::<String>(), most in 0_usize..300) {
            let visible = visible_text(&text, most);
            prop_assert!(visible.len() <= most);
            let again = visible_text(&visible, usize::MAX);
            prop_assert!(again == visible || visible.ends_with('\r'), "{visible:?}");
        }
    }
}
