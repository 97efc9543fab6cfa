//! Expansion of environment variables in settings: `${VAR}`, `${env:VAR}` and `${VAR:-default}`.

use super::error::McpServerConfigError;

/// Source of the values of environment variables.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Maximum size of an expanded text, in bytes.
const MAX_EXPANDED: usize = 1024 * 1024;

/// Maximum depth of references in the defaults of others.
const MAX_DEPTH: usize = 8;

/// Reads a variable of the process.
pub(super) fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Expands the references in the text of a setting. `$${` is a literal `${`.
///
/// As in a shell, the default counts if the variable is missing or empty, and may have references itself.
///
/// # Errors
///
/// Returns an error with the name of a missing variable, or with the reference if it has another form. Values of variables
/// are in no error.
pub(super) fn expanded(key: &str, text: &str, variables: Variables<'_>) -> Result<String, McpServerConfigError> {
    expanded_at(key, text, variables, MAX_DEPTH)
}

fn expanded_at(key: &str, text: &str, variables: Variables<'_>, depth: usize) -> Result<String, McpServerConfigError> {
    let invalid =
        |reference: String, reason| McpServerConfigError::InvalidReference { key: key.to_owned(), reference, reason };
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let unclosed = || invalid(format!("${{{}", start_of_line(after)), "it has no closing brace");
        let end = end_of_reference(after).ok_or_else(unclosed)?;
        let (reference, following) = (after.get(..end).unwrap_or_default(), after.get(end + 1..).unwrap_or_default());
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        let invalid = |reason| invalid(format!("${{{}}}", start_of_line(name)), reason);
        let variable = name.strip_prefix("env:").unwrap_or(name);
        if name.starts_with("input:") {
            return Err(invalid("inputs of an editor are not available; use an environment variable"));
        }
        if !is_variable(variable) {
            return Err(invalid("expected the name of an environment variable"));
        }
        match (variables(variable), default) {
            (Some(value), None) => out.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => out.push_str(&value),
            (_, Some(default)) => {
                let below = depth.checked_sub(1).ok_or_else(|| invalid("it is nested too deep"))?;
                out.push_str(&expanded_at(key, default, variables, below)?);
            }
            (None, None) => {
                let variable = variable.to_owned();
                return Err(McpServerConfigError::MissingVariable { key: key.to_owned(), variable });
            }
        }
        if out.len() > MAX_EXPANDED {
            return Err(McpServerConfigError::TooLong { key: key.to_owned(), most: MAX_EXPANDED });
        }
        rest = following;
    }
    out.push_str(rest);
    Ok(out)
}

/// Returns the position of the brace that closes a reference, after those of references in its default.
fn end_of_reference(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// Returns the text of a reference for an error.
fn start_of_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.char_indices().nth(40).and_then(|(end, _)| line.get(..end)).unwrap_or(line)
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        let variables = |name: &str| match name {
            "TOKEN" => Some("s3cret".to_owned()),
            "EMPTY" => Some(String::new()),
            "RECURSIVE" => Some("${TOKEN}".to_owned()),
            _ => None,
        };
        expanded("env.KEY", text, &variables).map_err(|error| error.to_string())
    }

    #[test]
    fn expands_references() {
        for (text, expected) in [
            ("", ""),
            ("plain $TOKEN $ {} }", "plain $TOKEN $ {} }"),
            ("Bearer ${TOKEN}!", "Bearer s3cret!"),
            ("${env:TOKEN}${TOKEN}", "s3crets3cret"),
            ("${MISSING:-http://a:1/}b", "http://a:1/b"),
            ("${MISSING:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-default}", "default"),
            ("${env:MISSING:-${TOKEN}}", "s3cret"),
            ("${MISSING:-{\"a\": {}}}", "{\"a\": {}}"),
            ("${TOKEN:-${MISSING}}", "s3cret"),
            ("$${TOKEN} ${TOKEN}", "${TOKEN} s3cret"),
            ("${RECURSIVE}", "${TOKEN}"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn rejects_deep_defaults() {
        let nested = |levels| ["${A:-".repeat(levels), "x".to_owned(), "}".repeat(levels)].concat();
        assert_eq!(expand(&nested(MAX_DEPTH)).as_deref(), Ok("x"));
        assert!(expand(&nested(100_000)).unwrap_err().ends_with("it is nested too deep"));
    }

    #[test]
    fn errors_name_the_variable_and_no_value() {
        for (text, expected) in [
            (
                "${TOKEN} ${MISSING}",
                "environment variable `MISSING` in `env.KEY` is not set; set it, or write `${MISSING:-default}`",
            ),
            ("${TOKEN", "invalid reference `${TOKEN` in `env.KEY`: it has no closing brace"),
            (
                "${input:key}",
                "invalid reference `${input:key}` in `env.KEY`: inputs of an editor are not available; use an environment variable",
            ),
            ("${}", "invalid reference `${}` in `env.KEY`: expected the name of an environment variable"),
            ("${1A}", "invalid reference `${1A}` in `env.KEY`: expected the name of an environment variable"),
            ("${a b}", "invalid reference `${a b}` in `env.KEY`: expected the name of an environment variable"),
        ] {
            let error = expand(text).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.contains("s3cret"));
        }
    }

    proptest! {
        #[test]
        fn any_text_expands_or_is_an_error(text in "[${}:\\-a-zA-Z_1 é]{0,40}") {
            if let Ok(expanded) = expand(&text) {
                let has_reference = text.contains("${");
                prop_assert!(has_reference || expanded == text);
            }
        }
    }
}
