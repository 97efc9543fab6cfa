//! Extraction of the provider's message from an error body, without keys and without quotes of the conversation. Separate
//! from the error type, which does not know the conversation.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use regex_lite::Regex;
use serde_json::Value;

use super::recording::text_without_secrets;
use crate::message::{Message, SystemBlock};

/// Maximum length of a message, in bytes.
const LIMIT: usize = 300;
/// Length of the prefix of a provider's message that is examined, in bytes.
const EXAMINED: usize = 2_000;
/// Minimum length of a quote of the conversation, in bytes. A shorter prompt is searched for as a whole.
const QUOTE: usize = 16;
/// Minimum length of a prompt that is searched for as a whole, in bytes.
const SHORT_PROMPT: usize = 4;
/// Text in place of a quote.
const HIDDEN: &str = "[..]";
/// Fields in which servers put their message, best first.
const FIELDS: [&str; 9] =
    ["error", "errors", "message", "Message", "msg", "detail", "details", "error_description", "title"];
/// Fields of messages that hold no content.
const NAMES: [&str; 5] = ["role", "name", "toolUseId", "status", "format"];
/// Maximum nesting depth of the message in the body.
const DEPTH: usize = 6;

/// Returns the message in an error body, or `None` if it has none.
pub(super) fn shown(body: &str, messages: &[Arc<Message>], system: &[SystemBlock]) -> Option<String> {
    let mut text = message_text(body)?;
    text.truncate(text.floor_char_boundary(EXAMINED));
    let quotes = Quotes::of(&text).in_conversation(messages, system);
    for quote in quotes.into_iter().rev() {
        text.replace_range(quote, HIDDEN);
    }
    let text = text_without_secrets(&text).unwrap_or(text);
    let mut line = text.split(|letter: char| letter.is_control() || letter == ' ').filter(|word| !word.is_empty());
    let mut shown = line.next()?.to_owned();
    for word in line {
        shown.push(' ');
        shown.push_str(word);
    }
    if shown.len() > LIMIT {
        shown.truncate(shown.floor_char_boundary(LIMIT));
        shown.push_str("..");
    }
    Some(shown)
}

/// Returns the message in a body: a field of its JSON, or plain text that is not markup.
fn message_text(body: &str) -> Option<String> {
    let body = body.trim();
    let body = body.strip_prefix("data:").unwrap_or(body).trim_start();
    if !body.starts_with(['{', '[']) {
        return (!body.is_empty() && !body.starts_with('<')).then(|| body.to_owned());
    }
    match serde_json::from_str(body) {
        Ok(json) => message_in(&json, DEPTH),
        Err(_) => message_in_part(body),
    }
}

static MESSAGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#""(?:message|Message|msg|detail)"\s*:\s*("(?:[^"\\]|\\.)+")"#).ok());

/// Returns the message in truncated JSON.
fn message_in_part(body: &str) -> Option<String> {
    let found = MESSAGE.as_ref()?.captures(body)?;
    serde_json::from_str(found.get(1)?.as_str()).ok()
}

fn message_in(value: &Value, depth: usize) -> Option<String> {
    match value {
        _ if depth == 0 => None,
        Value::String(text) if text.trim().is_empty() => None,
        // A gateway may quote the JSON response of the upstream server in a string.
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            let inner = serde_json::from_str(text).ok().and_then(|value| message_in(&value, depth - 1));
            inner.or_else(|| Some(text.clone()))
        }
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => values.iter().find_map(|value| message_in(value, depth - 1)),
        Value::Object(fields) => {
            let message = FIELDS.iter().find_map(|name| message_in(fields.get(*name)?, depth - 1));
            // OpenRouter's own message only says that the upstream provider failed.
            let upstream = fields.get("metadata").and_then(|metadata| message_in(metadata.get("raw")?, depth - 1));
            match (message, upstream) {
                (Some(message), Some(upstream)) => Some(format!("{message}: {upstream}")),
                (message, upstream) => message.or(upstream),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Search for parts of a text in a conversation. Its time is linear in the length of the conversation.
struct Quotes<'a> {
    text: &'a str,
    parts: HashSet<&'a [u8]>,
    /// First two bytes of the parts. Most windows of a conversation begin otherwise and need not be hashed.
    beginnings: HashSet<[u8; 2]>,
    found: HashSet<Vec<u8>>,
}

impl<'a> Quotes<'a> {
    fn of(text: &'a str) -> Self {
        let parts: HashSet<&[u8]> = text.as_bytes().windows(QUOTE).collect();
        let beginnings = parts.iter().filter_map(|part| part.first_chunk().copied()).collect();
        Self { text, parts, beginnings, found: HashSet::new() }
    }

    /// Returns the ranges of the text that are quotes, sorted and disjoint.
    fn in_conversation(mut self, messages: &[Arc<Message>], system: &[SystemBlock]) -> Vec<Range<usize>> {
        let mut quotes: Vec<Range<usize>> = Vec::new();
        for message in messages {
            let prompt = message.text();
            if (SHORT_PROMPT..QUOTE).contains(&prompt.trim().len()) {
                let prompt = prompt.trim();
                quotes.extend(self.text.match_indices(prompt).map(|(at, _)| at..at + prompt.len()));
            }
            if let Ok(json) = serde_json::to_value(&**message) {
                self.search_json(&json);
            }
        }
        for block in system {
            if let Ok(json) = serde_json::to_value(block) {
                self.search_json(&json);
            }
        }
        let found = |(_, part): &(usize, &[u8])| self.found.contains(*part);
        let long = self.text.as_bytes().windows(QUOTE).enumerate().filter(found).map(|(at, _)| at..at + QUOTE);
        quotes.extend(long);
        quotes.sort_by_key(|quote| quote.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for quote in quotes {
            match joined.last_mut() {
                Some(last) if quote.start <= last.end => last.end = last.end.max(quote.end),
                _ => joined.push(quote),
            }
        }
        // A window of bytes may begin and end within a character.
        let whole =
            |quote: Range<usize>| self.text.floor_char_boundary(quote.start)..self.text.ceil_char_boundary(quote.end);
        joined.into_iter().map(whole).collect()
    }

    fn search_json(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.search_text(text),
            Value::Array(values) => values.iter().for_each(|value| self.search_json(value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    if !NAMES.contains(&name.as_str()) {
                        self.search_json(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn search_text(&mut self, text: &str) {
        for part in text.as_bytes().windows(QUOTE) {
            let begins = part.first_chunk().is_some_and(|begin| self.beginnings.contains(begin));
            if begins && self.parts.contains(part) {
                self.found.insert(part.to_vec());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(body: &str) -> Option<String> {
        shown(body, &[], &[])
    }

    #[test]
    fn finds_the_message_in_the_formats_of_many_servers() {
        for (body, expected) in [
            (json!({"error": {"message": "no such model", "type": "x"}}), "no such model"),
            (json!({"error": "model 'x' not found"}), "model 'x' not found"),
            (
                json!({"message": "The provided model identifier is invalid."}),
                "The provided model identifier is invalid.",
            ),
            (json!({"Message": "denied"}), "denied"),
            (json!([{"error": {"code": 400, "message": "API key not valid."}}]), "API key not valid."),
            (json!({"detail": [{"loc": ["body"], "msg": "field required", "input": "private"}]}), "field required"),
            (json!({"detail": "Not Found"}), "Not Found"),
            (
                json!({"error": {"message": "Provider returned error", "metadata": {"raw": "{\"error\":{\"message\":\"overloaded\"}}"}}}),
                "Provider returned error: overloaded",
            ),
            (json!({"error": {"message": ""}, "message": "second"}), "second"),
        ] {
            assert_eq!(plain(&body.to_string()).as_deref(), Some(expected), "{body}");
        }
        let cut = r#"{"detail":[{"type":"missing","msg":"field \"x\" required","input":[{"role":"us"#;
        assert_eq!(plain(cut).as_deref(), Some("field \"x\" required"));
        assert_eq!(plain("upstream connect error\r\n").as_deref(), Some("upstream connect error"));
        for nothing in ["", "<html><body>502</body></html>", "{}", r#"{"error": {"message": "cut o"#, r#"{"code": 7}"#]
        {
            assert_eq!(plain(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn truncates_the_message_and_joins_its_lines() {
        let long = plain(&json!({"message": format!("a\n\tb {}", "ä".repeat(5_000))}).to_string()).unwrap();
        assert!(long.starts_with("a b ä") && long.ends_with("ä..") && long.len() <= LIMIT + 2, "{long}");
    }

    #[test]
    fn hides_quotes_of_the_conversation() {
        let call =
            crate::message::ToolUse::new("t1", "get_current_weather", json!({"place": ["the house by the old mill"]}));
        let messages = [
            Message::user("Wie heißt die geheime Straße, in der Jürgen wohnt?"),
            Message::new(crate::message::Role::Assistant, vec![crate::message::ContentBlock::ToolUse(call)]),
            Message::user("hunter2"),
        ]
        .map(Arc::new);
        let system = [SystemBlock::Text("You work for the ministry of defence.".to_owned())];
        for (message, expected) in [
            (
                "invalid content 'geheime Straße, in der Jürgen wohnt?' in message 0",
                "invalid content '[..]' in message 0",
            ),
            ("near \"the house by the old mill\": bad input", "near \"[..]\": bad input"),
            ("`hunter2` is too short", "`[..]` is too short"),
            ("system: You work for the ministry of defence. (37 characters)", "system: [..] (37 characters)"),
            ("unknown function get_current_weather", "unknown function get_current_weather"),
            ("max_tokens is too large", "max_tokens is too large"),
        ] {
            let body = json!({"error": {"message": message}}).to_string();
            assert_eq!(shown(&body, &messages, &system).as_deref(), Some(expected));
        }
    }

    #[test]
    fn hides_keys() {
        for message in [
            "Incorrect API key provided: sk-proj-abcd1234efgh5678ijkl. You can find yours at",
            "Incorrect API key provided: sk-pr*****************ijkl.",
            "Authentication Error, Received API Key = sk-...ijkl, Key Hash",
            "the header `Authorization: Bearer abcdefijkl` is not valid",
            "AIzaSyA1234567890abcdefghijklmnopqrstijkl is not valid",
        ] {
            let shown = plain(&json!({"error": {"message": message}}).to_string()).unwrap();
            assert!(!shown.contains("ijkl") && shown.contains("[scrubbed]"), "{shown}");
        }
    }
}
