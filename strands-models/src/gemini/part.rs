//! A part of an answer. Text and calls are read into fields; every other kind is kept as it came, because the provider
//! wants it back.

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
        thought: bool,
        signature: Option<String>,
    },
    Call {
        call: FunctionCall,
        signature: Option<String>,
    },
    /// A part of another kind, as it came.
    Own(Value),
    /// Nothing at all.
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
        f.write_str("a part of an answer")
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
            // Beside what is kept whole a text is none of its own.
            (None, Some(text)) if others.is_empty() || !text.is_empty() => Part::Text { text, thought, signature },
            (None, _) if others.is_empty() => match signature {
                Some(signature) => Part::Text { text: String::new(), thought, signature: Some(signature) },
                None => Part::Empty,
            },
            (None, _) => {
                if thought {
                    others.insert("thought".to_owned(), Value::Bool(true));
                }
                if let Some(signature) = signature {
                    others.insert("thoughtSignature".to_owned(), Value::String(signature));
                }
                Part::Own(Value::Object(others))
            }
        })
    }
}

#[derive(Deserialize)]
struct Text(#[serde(deserialize_with = "tolerant::text")] Option<String>);

#[derive(Deserialize)]
struct Flag(#[serde(deserialize_with = "tolerant::flag")] Option<bool>);

/// The name of a field, which is only copied where the field is kept.
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
    fn what_has_no_field_is_kept_as_it_came() {
        for own in [
            json!({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s"}),
            json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thought": true}),
            json!({"toolCall": {"id": "1"}}),
            json!({"of tomorrow": [1, 2.5, null]}),
        ] {
            let Part::Own(kept) = part(&own) else { panic!("{own}") };
            assert_eq!(kept, own);
        }
        assert!(matches!(part(&json!({})), Part::Empty));
        assert!(matches!(part(&json!({"text": null, "inlineData": null})), Part::Empty));
    }

    #[test]
    fn arguments_stay_as_they_were_written() {
        let call: Part = serde_json::from_str(
            r#"{"functionCall": {"name": "f", "args": {"b": 1.50, "a": 1}}, "thoughtSignature": "s"}"#,
        )
        .unwrap();
        let Part::Call { call, signature } = call else { panic!("{call:?}") };
        assert_eq!(call.args.unwrap().get(), r#"{"b": 1.50, "a": 1}"#);
        assert_eq!(signature.as_deref(), Some("s"));
    }

    #[test]
    fn a_signature_alone_is_one_on_a_part_without_text() {
        let alone = part(&json!({"thoughtSignature": "s"}));
        assert!(
            matches!(&alone, Part::Text { text, thought: false, signature: Some(_) } if text.is_empty()),
            "{alone:?}"
        );
    }
}
