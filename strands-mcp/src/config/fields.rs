//! Settings of a server by their keys, with the checks of their types.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{McpServerConfigError, quoted};
use super::expansion::{Variables, expanded};
use super::suggestion::closest;

/// Keys that set something, with their other spellings. The first one is the name in errors.
pub(super) const KEYS: [&[&str]; 18] = [
    &["type", "transport", "transportType"],
    &["command"],
    &["args"],
    &["env"],
    &["cwd"],
    &["url", "serverUrl", "httpUrl"],
    &["headers"],
    &["disabled"],
    &["enabled"],
    &["prefix"],
    &["allowTools", "allowedTools", "enabledTools", "includeTools"],
    &["denyTools", "disabledTools", "excludeTools"],
    &["toolFilters", "tool_filters"],
    &["optional", "continue_on_error"],
    &["timeout"],
    &["connectTimeout", "startupTimeout", "startup_timeout"],
    &["description"],
    &["name"],
];

/// Keys of editors that have no effect on a program: approvals in their user interface, and texts.
const IGNORED: [&str; 12] = [
    "alwaysAllow",
    "application_name",
    "application_version",
    "autoApprove",
    "comment",
    "dev",
    "gallery",
    "icon",
    "metadata",
    "trust",
    "version",
    "watchPaths",
];

/// Keys of editors whose effect is missing here, with advice.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("auth", "set it on the client in the program"),
    ("authProviderType", "set it on the client in the program"),
    ("envFile", "set the variables in `env`"),
    ("env_file", "set the variables in `env`"),
    ("headersHelper", "set a token source on the client in the program"),
    ("oauth", "set it on the client in the program"),
    ("sandbox", "start a sandbox as the `command`"),
    ("sandboxEnabled", "start a sandbox as the `command`"),
    ("inputs", "use environment variables"),
];

/// Numbers of this size are seconds for some editors and milliseconds for others.
const AMBIGUOUS: f64 = 1000.0;

/// Settings of a server.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    fields: &'a Map<String, Value>,
    variables: Variables<'a>,
}

impl<'a> Fields<'a> {
    /// Creates the settings after a check of all keys.
    pub(super) fn new(fields: &'a Map<String, Value>, variables: Variables<'a>) -> Result<Self, McpServerConfigError> {
        let known = || KEYS.iter().copied().flatten().copied();
        let is_comment = |key: &&str| key.starts_with(['_', '$', '#', '/']);
        for key in fields.keys().map(String::as_str).filter(|key| !is_comment(key)) {
            if let Some((key, instead)) = UNSUPPORTED.into_iter().find(|(unsupported, _)| *unsupported == key) {
                return Err(McpServerConfigError::UnsupportedKey { key, instead });
            }
            if !known().chain(IGNORED).any(|known| known == key) {
                let main = KEYS.iter().filter_map(|names| names.first().copied());
                return Err(McpServerConfigError::UnknownKey {
                    key: key.to_owned(),
                    suggestion: closest(key, known()),
                    known: quoted(main),
                });
            }
        }
        Ok(Self { fields, variables })
    }

    /// Returns the value of a key, under any of its names. Null is as good as absent.
    pub(super) fn get(&self, key: &'static str) -> Result<Option<(&'static str, &'a Value)>, McpServerConfigError> {
        let names = KEYS.into_iter().find(|names| names.first() == Some(&key)).unwrap_or_default();
        let present = |name: &&'static str| Some((*name, self.fields.get(*name).filter(|value| !value.is_null())?));
        let mut present = names.iter().filter_map(present);
        match (present.next(), present.next()) {
            (Some((first, _)), Some((second, _))) => Err(McpServerConfigError::RepeatedKey { first, second }),
            (found, _) => Ok(found),
        }
    }

    pub(super) fn boolean(&self, key: &'static str) -> Result<Option<bool>, McpServerConfigError> {
        let Some((key, value)) = self.get(key)? else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| invalid(key, "true or false"))
    }

    /// Returns a text without expansion.
    pub(super) fn literal(&self, key: &'static str) -> Result<Option<&'a str>, McpServerConfigError> {
        let Some((key, value)) = self.get(key)? else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| invalid(key, "a string"))
    }

    /// Returns a text with expanded references.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<String>, McpServerConfigError> {
        let Some((key, value)) = self.get(key)? else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| invalid(key, "a string"))?;
        expanded(key, text, self.variables).map(Some)
    }

    /// Returns a list of texts without expansion.
    pub(super) fn literals(&self, key: &'static str) -> Result<Option<Vec<&'a str>>, McpServerConfigError> {
        let Some((key, value)) = self.get(key)? else { return Ok(None) };
        strings(key, value).map(Some)
    }

    /// Returns a list of texts with expanded references.
    pub(super) fn texts(&self, key: &'static str) -> Result<Option<Vec<String>>, McpServerConfigError> {
        let Some(texts) = self.literals(key)? else { return Ok(None) };
        let numbered = texts.into_iter().enumerate();
        let texts = numbered.map(|(at, text)| expanded(&format!("{key}[{at}]"), text, self.variables));
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// Returns named texts with expanded references. Numbers and booleans become text, as in the environment of a process.
    pub(super) fn named_texts(&self, key: &'static str) -> Result<Vec<(String, String)>, McpServerConfigError> {
        let Some((key, value)) = self.get(key)? else { return Ok(Vec::new()) };
        let entries = value.as_object().ok_or_else(|| invalid(key, "an object of strings"))?;
        let text = |(name, value): (&String, &Value)| {
            let key = format!("{key}.{name}");
            let text = match value {
                Value::String(text) => expanded(&key, text, self.variables)?,
                Value::Number(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                _ => return Err(invalid(key, "a string")),
            };
            Ok((name.clone(), text))
        };
        entries.iter().map(text).collect()
    }

    /// Returns a duration: seconds below 1000, or a string with a unit.
    pub(super) fn duration(&self, key: &'static str) -> Result<Option<Duration>, McpServerConfigError> {
        let Some((key, value)) = self.get(key)? else { return Ok(None) };
        let duration = match value {
            Value::Number(seconds) => {
                seconds.as_f64().filter(|seconds| *seconds < AMBIGUOUS).map(|seconds| (seconds, 1.0))
            }
            Value::String(text) => with_unit(text),
            _ => None,
        };
        let duration = duration.and_then(|(number, unit)| Duration::try_from_secs_f64(number * unit).ok());
        let positive = duration.filter(|duration| !duration.is_zero());
        let expected = "a number of seconds below 1000, or a string such as \"90s\", \"500ms\" or \"2m\"";
        positive.map(Some).ok_or_else(|| invalid(key, expected))
    }
}

/// Returns a number and its unit in seconds.
fn with_unit(text: &str) -> Option<(f64, f64)> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let (number, unit) = text.split_at_checked(end)?;
    let seconds = match unit.trim_start() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Some((number.parse().ok()?, seconds))
}

/// Returns the items of a list of strings.
pub(super) fn strings<'a>(key: &str, value: &'a Value) -> Result<Vec<&'a str>, McpServerConfigError> {
    let items = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    items.ok_or_else(|| invalid(key, "a list of strings"))
}

pub(super) fn invalid(key: impl Into<String>, expected: &'static str) -> McpServerConfigError {
    McpServerConfigError::InvalidValue { key: key.into(), expected }
}
