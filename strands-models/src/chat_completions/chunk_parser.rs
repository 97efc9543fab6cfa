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
        let choice = chunk.choice.map(|choice| {
            let text = choice.delta.and_then(|delta| match delta.content {
                MessageContent::Text(text) => Some(text),
                _ => None,
            });
            (choice.index, text, choice.message.is_some(), choice.finish_reason, choice.usage, choice.error)
        });
        Some(format!("{choice:?} {:?} {:?} {} {:?}", chunk.usage, chunk.error, chunk.is_error, chunk.timings))
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

    /// JSON of a field's name: also escaped, and with a name that begins like another.
    const NAMES: [&str; 11] = [
        "\"id\"",
        "\"object\"",
        "\"obj\\u0065ct\"",
        "\"usage\"",
        "\"us\\u0061ge\"",
        "\"error\"",
        "\"timings\"",
        "\"choices\"",
        "\"ch\\u006fices\"",
        "\"choices \"",
        "\"x\\\"choices\"",
    ];

    const CHOICES: [&str; 10] = [
        r#"[{"index":0,"delta":{"content":"a"}}]"#,
        r#"[{"index":0,"delta":{"content":"b"}}]"#,
        r#"[ {"delta":{"content":"],\"usage\":1}"}} ] "#,
        "[]",
        "null",
        r#"[null,{"index":1,"delta":{"content":"c"},"finish_reason":"stop"}]"#,
        r#"{"index":0,"delta":{"content":"d"}}"#,
        r#"[{"index":0,"delta":{"content":"a"},"delta":{"content":"e"}}]"#,
        r#"[{"error":{"code":1}}]"#,
        "1",
    ];

    const VALUES: [&str; 12] = [
        "null",
        "1",
        "\"error\"",
        "\"\"",
        "{}",
        r#"{"a":1}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"inner"}}],"usage":{"a":1}}"#,
        r#""\"choices\":[]""#,
        r#""}""#,
        r#"["choices",{"error":1}]"#,
        "false",
        r#""chat.completion.chunk""#,
    ];

    const SPACES: [&str; 4] = ["", "", " ", "\n\t"];

    #[derive(Clone, Debug)]
    struct Field {
        name: usize,
        value: usize,
        space: usize,
    }

    fn fields() -> impl Strategy<Value = Vec<Field>> {
        let field = (0..NAMES.len(), 0..VALUES.len(), 0..SPACES.len());
        prop::collection::vec(field.prop_map(|(name, value, space)| Field { name, value, space }), 0..4)
    }

    /// Returns the names and the JSON of an object with choices at a position among the fields.
    fn object(head: &[Field], choices: usize, tail: &[Field]) -> (Vec<String>, String) {
        let field = |Field { name, value, space }: &Field| {
            let (name, space) = (NAMES[*name], SPACES[*space]);
            let value = if name.contains("ch") && !name.contains("x") {
                CHOICES[value % CHOICES.len()]
            } else {
                VALUES[*value]
            };
            (name, format!("{space}{name}{space}:{space}{value}{space}"))
        };
        let of_choices = ("\"choices\"", format!("\"choices\":{}", CHOICES[choices]));
        let all = head.iter().map(field).chain([of_choices]).chain(tail.iter().map(field));
        let (names, json): (Vec<_>, Vec<_>) = all.unzip();
        (names.into_iter().map(|name| serde_json::from_str(name).unwrap()).collect(), format!("{{{}}}", json.join(",")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_json_means_the_same_after_others(
            head in fields(),
            tail in fields(),
            // Other fields in place of these, and a position at which the JSON is cut or a character is replaced.
            chunks in prop::collection::vec(
                (
                    prop::option::weighted(0.2, fields()), 0..CHOICES.len(), prop::option::weighted(0.4, fields()),
                    prop::option::weighted(0.3, (any::<prop::sample::Index>(), prop::option::of(prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"", "\\", "1", " ", "\u{c}", ""])))),
                ),
                1..8,
            ),
        ) {
            let mut parser = ChunkParser::default();
            for (other_head, choices, other_tail, change) in chunks {
                let (mut names, mut json) =
                    object(other_head.as_ref().unwrap_or(&head), choices, other_tail.as_ref().unwrap_or(&tail));
                if let Some((at, with)) = change {
                    let at = at.index(json.len());
                    match with {
                        Some(with) => json.replace_range(at..at + 1, with),
                        None => json.truncate(at),
                    }
                    names.clear();
                }
                let (after, alone) = (parsed(&mut parser, &json), parsed(&mut ChunkParser::default(), &json));
                names.sort();
                let is_unique = names.windows(2).all(|names| names[0] != names[1]) && !names.is_empty();
                // A repeated field of the ones that are read is an error only if its first one is parsed as well.
                let is_repeated = !is_unique && alone.is_none() && after.is_some();
                prop_assert!(after == alone || is_repeated, "{}: {:?} after others, {:?} alone", json, after, alone);
                if is_repeated {
                    let fields = serde_json::from_str::<std::collections::BTreeMap<String, Value>>(&json);
                    prop_assert!(fields.is_ok(), "{}: {:?}", json, after);
                }
            }
        }

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
