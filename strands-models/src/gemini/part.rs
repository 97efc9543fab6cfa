//! Parts of a response. Text and calls are parsed into fields. Parts of other kinds stay raw JSON, since they have to be
//! sent back unchanged.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::http::tolerant;

#[derive(Debug)]
pub(super) enum Part {
    Text {
        text: String,
        is_reasoning: bool,
        signature: Option<String>,
    },
    Call {
        call: FunctionCall,
        signature: Option<String>,
    },
    /// A part of another kind, unchanged.
    Other(Value),
    /// A part without content.
    Empty,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionCall {
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::text")]
    pub(super) name: Option<String>,
    /// The arguments as the provider wrote them.
    pub(super) args: Option<Box<RawValue>>,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of a response")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Part, A::Error> {
        let (mut text, mut call, mut signature) = (None::<String>, None::<FunctionCall>, None::<String>);
        let mut thought = None::<bool>;
        let mut others = Map::new();
        while let Some(name) = fields.next_key::<Name>()? {
            match name {
                Name::Text => text = fields.next_value::<Text>()?.0,
                Name::Thought => thought = fields.next_value::<Flag>()?.0,
                Name::ThoughtSignature => signature = fields.next_value::<Text>()?.0,
                Name::FunctionCall => call = fields.next_value()?,
                Name::Other(name) => {
                    let value: Value = fields.next_value()?;
                    if !value.is_null() {
                        others.insert(name, value);
                    }
                }
            }
        }
        let signature = signature.filter(|signature| !signature.is_empty());
        let thought = thought.unwrap_or(false);
        Ok(match (call, text) {
            (Some(call), _) => Part::Call { call, signature },
            // An empty text next to other fields is part of the raw JSON.
            (None, Some(text)) if others.is_empty() || !text.is_empty() => {
                Part::Text { text, is_reasoning: thought, signature }
            }
            (None, _) if others.is_empty() => match signature {
                Some(signature) => {
                    Part::Text { text: String::new(), is_reasoning: thought, signature: Some(signature) }
                }
                None => Part::Empty,
            },
            (None, _) => {
                if thought {
                    others.insert("thought".to_owned(), Value::Bool(true));
                }
                if let Some(signature) = signature {
                    others.insert("thoughtSignature".to_owned(), Value::String(signature));
                }
                Part::Other(Value::Object(others))
            }
        })
    }
}

#[derive(Deserialize)]
struct Text(#[serde(deserialize_with = "tolerant::text")] Option<String>);

#[derive(Deserialize)]
struct Flag(#[serde(deserialize_with = "tolerant::flag")] Option<bool>);

/// Name of a field. Only unknown names are copied.
enum Name {
    Text,
    Thought,
    ThoughtSignature,
    FunctionCall,
    Other(String),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "text" => Name::Text,
                    "thought" => Name::Thought,
                    "thoughtSignature" => Name::ThoughtSignature,
                    "functionCall" => Name::FunctionCall,
                    name => Name::Other(name.to_owned()),
                })
            }
        }

        deserializer.deserialize_identifier(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(json: &Value) -> Part {
        serde_json::from_str(&json.to_string()).unwrap()
    }

    #[test]
    fn keeps_other_parts_unchanged() {
        for other in [
            json!({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s"}),
            json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thought": true}),
            json!({"toolCall": {"id": "1"}}),
            json!({"of tomorrow": [1, 2.5, null]}),
        ] {
            let Part::Other(read) = part(&other) else { panic!("{other}") };
            assert_eq!(read, other);
        }
        assert!(matches!(part(&json!({})), Part::Empty));
        assert!(matches!(part(&json!({"text": null, "inlineData": null})), Part::Empty));
    }

    #[test]
    fn keeps_the_text_of_arguments() {
        let call: Part = serde_json::from_str(
            r#"{"functionCall": {"name": "f", "args": {"b": 1.50, "a": 1}}, "thoughtSignature": "s"}"#,
        )
        .unwrap();
        let Part::Call { call, signature } = call else { panic!("{call:?}") };
        assert_eq!(call.args.unwrap().get(), r#"{"b": 1.50, "a": 1}"#);
        assert_eq!(signature.as_deref(), Some("s"));
    }

    #[test]
    fn reads_a_signature_without_text() {
        let alone = part(&json!({"thoughtSignature": "s"}));
        assert!(
            matches!(&alone, Part::Text { text, is_reasoning: false, signature: Some(_) } if text.is_empty()),
            "{alone:?}"
        );
    }
}
