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

    fn fill(self, chunk: &mut Chunk) {
        chunk.is_error = self.is_error();
        chunk.usage = self.usage;
        chunk.error = self.error;
        chunk.timings = self.timings;
    }
}

impl ChunkParser {
    /// Parses a chunk, or a document.
    pub(super) fn parse(&mut self, json: &str, chunk: &mut Chunk) -> serde_json::Result<()> {
        if self.parse_similar(json, chunk).is_some() {
            return Ok(());
        }
        *chunk = Chunk::default();
        let envelope: Envelope<'_> = serde_json::from_str(json)?;
        if let Some(choices) = envelope.choices {
            parse_choices(choices.get(), &mut chunk.choice)?;
            if envelope.is_plain() {
                self.remember(json, choices.get());
            }
        }
        envelope.fill(chunk);
        Ok(())
    }

    /// Parses a chunk that begins as the one that is remembered. Returns `None` for another one.
    ///
    /// JSON is read from left to right, so the choices follow the same bytes as in that chunk.
    fn parse_similar(&self, json: &str, chunk: &mut Chunk) -> Option<()> {
        let rest = json.strip_prefix(&*self.head).filter(|_| !self.head.is_empty())?;
        if let Some(choices) = rest.strip_suffix(&*self.tail) {
            return parse_choices(choices, &mut chunk.choice).ok();
        }
        let mut values = Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (choices, tail) = rest.split_at_checked(values.byte_offset())?;
        parse_choices(choices, &mut chunk.choice).ok()?;
        parse_tail(tail, chunk)
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

/// Parses the fields after the choices. OpenAI pads each chunk with a random text there.
fn parse_tail(tail: &str, chunk: &mut Chunk) -> Option<()> {
    let tail = tail.trim_ascii_start();
    let Some(fields) = tail.strip_prefix(',') else {
        return (tail == "}").then_some(());
    };
    // A comma is followed by a field.
    if !fields.trim_ascii_start().starts_with('"') {
        return None;
    }
    let object = ["{", fields].concat();
    let envelope: Envelope<'_> = serde_json::from_str(&object).ok()?;
    if envelope.choices.is_some() {
        return None;
    }
    envelope.fill(chunk);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::chunk::MessageContent;
    use super::*;

    /// Returns the content of a chunk for comparison, or `None` for one that can't be parsed.
    fn parsed(parser: &mut ChunkParser, json: &str) -> Option<String> {
        let mut chunk = Chunk::default();
        parser.parse(json, &mut chunk).ok()?;
        let text = chunk.choice.and_then(|choice| match choice.delta?.content {
            MessageContent::Text(text) => Some(text),
            _ => None,
        });
        Some(format!("{text:?} {:?} {:?} {} {:?}", chunk.usage, chunk.error, chunk.is_error, chunk.timings))
    }

    fn chunk(head: &str, text: &str, tail: &str) -> String {
        format!(r#"{{{head}"choices":[{{"index":0,"delta":{{"content":{}}}}}]{tail}}}"#, json!(text))
    }

    #[test]
    fn parses_the_fields_around_the_choices_once() {
        let mut parser = ChunkParser::default();
        let head = r#""id":"a","object":"chat.completion.chunk","created":1,"#;
        parsed(&mut parser, &chunk(head, "one", r#","usage":null"#)).unwrap();
        assert_eq!(parser.head, format!(r#"{{{head}"choices":"#));
        let similar = |head: &str, tail: &str| {
            let mut read = Chunk::default();
            parser.parse_similar(&chunk(head, "two", tail), &mut read).map(|()| {
                assert_eq!(read.choice.unwrap().index, Some(0));
                (read.usage.is_some(), read.error.is_some(), read.timings.is_some(), read.is_error)
            })
        };
        for (tail, read) in [
            (r#","usage":null"#, (false, false, false, false)),
            ("", (false, false, false, false)),
            (r#" , "usage":null,"obfuscation":"x{""#, (false, false, false, false)),
            (r#","usage":{"prompt_tokens":1}"#, (true, false, false, false)),
            (r#","error":{"message":"no"}"#, (false, true, false, false)),
            (r#","timings":{"cache_n":1}"#, (false, false, true, false)),
            (r#","object":"error""#, (false, false, false, true)),
        ] {
            assert_eq!(similar(head, tail), Some(read), "{tail}");
        }
        for (head, tail) in
            [(head, r#","choices":[]"#), (head, r#","usage":"#), (head, "}"), (head, ","), (r#""id":"b","#, "")]
        {
            assert_eq!(similar(head, tail), None, "{head} {tail}");
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
