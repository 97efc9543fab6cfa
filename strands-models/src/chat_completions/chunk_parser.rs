//! Parser of chunks. Those of one response repeat the fields around their choices, such as id and model, byte for byte: they are
//! parsed once, and compared afterwards.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::chunk::{Chunk, parse_choices};
use crate::http::tolerant;

/// Maximum size of the fields around the choices that are remembered, in bytes.
const MAX_ENVELOPE: usize = 4 * 1024;

/// Parser of the chunks of one response.
#[derive(Default)]
pub(super) struct ChunkParser {
    /// JSON before the choices of a chunk whose other fields were ignored. Empty if there was none.
    head: String,
    /// JSON after the choices.
    tail: String,
}

/// Chunk without its choices.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(deserialize_with = "tolerant::unparsed")]
    usage: Option<Box<RawValue>>,
    #[serde(deserialize_with = "tolerant::something")]
    error: Option<Box<Value>>,
    #[serde(deserialize_with = "tolerant::text")]
    object: Option<String>,
    timings: Option<Box<RawValue>>,
}

impl Envelope<'_> {
    fn is_error(&self) -> bool {
        self.object.as_deref() == Some("error")
    }

    /// Returns true if no field besides the choices is used.
    fn is_plain(&self) -> bool {
        self.usage.is_none() && self.error.is_none() && self.timings.is_none() && !self.is_error()
    }
}

impl ChunkParser {
    /// Parses a chunk, or a document.
    pub(super) fn parse(&mut self, json: &str, chunk: &mut Chunk) -> serde_json::Result<()> {
        if let Some(choices) = self.choices(json)
            && parse_choices(choices, &mut chunk.choice).is_ok()
        {
            return Ok(());
        }
        chunk.choice = None;
        let envelope: Envelope<'_> = serde_json::from_str(json)?;
        if let Some(choices) = envelope.choices {
            parse_choices(choices.get(), &mut chunk.choice)?;
            if envelope.is_plain() {
                self.remember(json, choices.get());
            }
        }
        chunk.is_error = envelope.is_error();
        chunk.usage = envelope.usage;
        chunk.error = envelope.error;
        chunk.timings = envelope.timings;
        Ok(())
    }

    /// Returns the choices of a chunk like the one that is remembered, if they are one JSON value.
    ///
    /// JSON is read from left to right, so the choices follow the same bytes as in that chunk.
    fn choices<'j>(&self, json: &'j str) -> Option<&'j str> {
        let rest = json.strip_prefix(&*self.head).filter(|_| !self.head.is_empty())?;
        if let Some(choices) = rest.strip_suffix(&*self.tail) {
            return Some(choices);
        }
        let mut values = Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (choices, tail) = rest.split_at_checked(values.byte_offset())?;
        is_plain_tail(tail).then_some(choices)
    }

    /// Remembers a chunk with these choices, which are part of its JSON.
    fn remember(&mut self, json: &str, choices: &str) {
        let at = choices.as_ptr().addr().checked_sub(json.as_ptr().addr());
        if let Some((head, rest)) = at.and_then(|at| json.split_at_checked(at))
            && let Some(tail) = rest.get(choices.len()..)
            && head.len() + tail.len() <= MAX_ENVELOPE
        {
            head.clone_into(&mut self.head);
            tail.clone_into(&mut self.tail);
        }
    }
}

/// Returns true if no field after the choices is used. OpenAI pads each chunk with a random text there.
fn is_plain_tail(tail: &str) -> bool {
    let tail = tail.trim_ascii_start();
    match tail.strip_prefix(',') {
        // A comma is followed by a field.
        Some(fields) if fields.trim_ascii_start().starts_with('"') => serde_json::from_str(&["{", fields].concat())
            .is_ok_and(|envelope: Envelope<'_>| envelope.is_plain() && envelope.choices.is_none()),
        Some(_) => false,
        None => tail == "}",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::chunk::MessageContent;
    use super::*;

    /// Returns the text and the other fields of a chunk.
    fn parsed(parser: &mut ChunkParser, json: &str) -> Option<(Option<String>, Option<String>, bool, bool, bool)> {
        let mut chunk = Chunk::default();
        parser.parse(json, &mut chunk).ok()?;
        let text = chunk.choice.and_then(|choice| match choice.delta?.content {
            MessageContent::Text(text) => Some(text),
            _ => None,
        });
        let usage = chunk.usage.map(|usage| usage.get().to_owned());
        Some((text, usage, chunk.error.is_some(), chunk.is_error, chunk.timings.is_some()))
    }

    fn chunk(head: &str, text: &str, tail: &str) -> String {
        format!(r#"{{{head}"choices":[{{"index":0,"delta":{{"content":{}}}}}]{tail}}}"#, json!(text))
    }

    #[test]
    fn parses_the_fields_around_the_choices_once() {
        let mut parser = ChunkParser::default();
        let head = r#""id":"a","object":"chat.completion.chunk","created":1,"#;
        parsed(&mut parser, &chunk(head, "one", r#","usage":null"#)).unwrap();
        let (known, _) = (parser.head.clone(), parser.tail.clone());
        assert_eq!(known, format!(r#"{{{head}"choices":"#));
        for tail in [r#","usage":null"#, "", r#" , "usage":null,"obfuscation":"x{""#] {
            let two = r#"[{"index":0,"delta":{"content":"two"}}]"#;
            assert_eq!(parser.choices(&chunk(head, "two", tail)), Some(two), "{tail}");
        }
        for (head, tail) in [
            (head, r#","usage":{"prompt_tokens":1}"#),
            (head, r#","error":{"message":"no"}"#),
            (head, r#","timings":{"cache_n":1}"#),
            (head, r#","choices":[]"#),
            (head, r#","usage":"#),
            (head, "}"),
            (r#""id":"b","#, ""),
        ] {
            assert!(parser.choices(&chunk(head, "three", tail)).is_none(), "{head} {tail}");
        }
    }

    #[test]
    fn remembers_no_chunk_whose_fields_are_used() {
        for (head, tail) in [
            (r#""usage":{"prompt_tokens":1},"#, ""),
            (r#""error":"no","#, ""),
            (r#""object":"error","#, ""),
            ("", r#","timings":{}"#),
            (&*format!(r#""id":"{}","#, "x".repeat(MAX_ENVELOPE)), ""),
        ] {
            let mut parser = ChunkParser::default();
            parsed(&mut parser, &chunk(head, "one", tail)).unwrap();
            assert_eq!(parser.head, "", "{head} {tail}");
        }
    }

    proptest! {
        #[test]
        fn chunks_mean_the_same_after_others(
            chunks in prop::collection::vec(
                (
                    prop::sample::select(vec!["", r#""id":"a","#, r#""object":"error","#, r#""choices":null,"#]),
                    "[a\\\"\\]}]{0,3}",
                    prop::sample::select(vec![
                        "", r#","usage":null"#, r#","usage":{"a":1}"#, r#","p":"xy""#, r#","error":"e""#, r#","timings":1"#, ",", "}", "]",
                    ]),
                ),
                1..8,
            ),
        ) {
            let mut parser = ChunkParser::default();
            for (head, text, tail) in chunks {
                let json = chunk(head, &text, tail);
                prop_assert_eq!(parsed(&mut parser, &json), parsed(&mut ChunkParser::default(), &json), "{}", json);
            }
        }
    }
}
