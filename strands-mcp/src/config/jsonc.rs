//! Comments and trailing commas in JSON, which the files of editors have.

/// Replaces comments, trailing commas and a byte order mark by spaces, so that errors in the rest have the same line.
pub(super) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.char_indices().peekable();
    let mut in_string = false;
    while let Some((at, character)) = characters.next() {
        let rest = text.get(at..).unwrap_or_default();
        match character {
            '\\' if in_string => {
                out.push(character);
                out.extend(characters.next().map(|(_, escaped)| escaped));
            }
            '"' => {
                in_string = !in_string;
                out.push(character);
            }
            '/' if !in_string => match comment(rest) {
                Some(comment) => {
                    out.extend(comment.chars().map(|hidden| if hidden == '\n' { '\n' } else { ' ' }));
                    while characters.next_if(|(next, _)| *next < at + comment.len()).is_some() {}
                }
                // No JSON: the parser reports it.
                None => {
                    out.push_str(rest);
                    return out;
                }
            },
            ',' if !in_string && is_trailing(rest) => out.push(' '),
            '\u{feff}' if at == 0 => out.push(' '),
            character => out.push(character),
        }
    }
    out
}

/// Returns the comment at the start of a text. A comment that does not end is none.
fn comment(text: &str) -> Option<&str> {
    let end = if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else {
        text.strip_prefix("/*")?.find("*/")? + "/*".len() + "*/".len()
    };
    text.get(..end)
}

/// Returns true if the end of a list or object follows a comma.
fn is_trailing(from_comma: &str) -> bool {
    let mut rest = from_comma.strip_prefix(',').unwrap_or_default().trim_start();
    while let Some(comment) = comment(rest) {
        rest = rest.get(comment.len()..).unwrap_or_default().trim_start();
    }
    rest.starts_with(['}', ']'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn removes_comments_and_trailing_commas() {
        for (text, expected) in [
            ("{\"a\": 1} // end", r#"{"a":1}"#),
            ("\u{feff}{/* a \n b */\"a\": [1, 2, /* c */ // d\n ], }", r#"{"a":[1,2]}"#),
            (r#"{"url": "http://a/*b*/,]", "q": "\"//"}"#, r#"{"url":"http://a/*b*/,]","q":"\"//"}"#),
            (r#"["a\\",]"#, r#"["a\\"]"#),
        ] {
            let parsed: Value = serde_json::from_str(&without_comments(text)).unwrap();
            assert_eq!(parsed.to_string(), expected);
        }
        for invalid in ["{/* {}", "{} / {}", "[,]x", "{,,}", "[1,,]", "{\"a\" 1}"] {
            assert!(serde_json::from_str::<Value>(&without_comments(invalid)).is_err(), "{invalid}");
        }
        let error = serde_json::from_str::<Value>(&without_comments("/* one\ntwo */\n{x")).unwrap_err();
        assert_eq!((error.line(), error.column()), (3, 2));
    }

    proptest! {
        #[test]
        fn any_json_stays_as_it_is(strings in prop::collection::vec(any::<String>(), 0..5)) {
            let json = serde_json::to_string(&strings).unwrap();
            prop_assert_eq!(without_comments(&json), json);
        }

        #[test]
        fn any_text_has_as_many_lines(text in "[/*\\\\\",\\]}\na\u{feff}é]{0,40}") {
            prop_assert_eq!(without_comments(&text).lines().count(), text.lines().count());
        }
    }
}
