//! JSON objects without duplicate members. `serde_json` takes the last one; another program may take the first.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StrictJsonError {
    /// No JSON object.
    Invalid,
    /// An object, at any depth, has two members of one name.
    Duplicate,
}

/// Reads a JSON object.
pub(super) fn object(json: &[u8]) -> Result<Map<String, Value>, StrictJsonError> {
    let duplicate = Cell::new(false);
    let mut deserializer = Deserializer::from_slice(json);
    let value = Strict { duplicate: &duplicate }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(Value::Object(object)) => Ok(object),
        Err(_) if duplicate.get() => Err(StrictJsonError::Duplicate),
        Ok(_) | Err(_) => Err(StrictJsonError::Invalid),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    duplicate: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if object.insert(name, value).is_some() {
                self.duplicate.set(true);
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_every_kind_of_value() {
        let value = json!({"a": [1, -1, 1.5, "text", null, true, {"a": {}}], "b": 18_446_744_073_709_551_615_u64});
        assert_eq!(Value::Object(object(value.to_string().as_bytes()).unwrap()), value);
    }

    #[test]
    fn refuses_duplicate_members_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":[{"c":{"a":1,"x":0,"a":2}}]}"#] {
            assert_eq!(object(text.as_bytes()), Err(StrictJsonError::Duplicate), "{text}");
        }
    }

    #[test]
    fn refuses_all_else() {
        let deep = "[".repeat(10_000);
        for text in ["", "[]", "1", "null", "{}{}", "{} x", "{\"a\":1,}", "{'a':1}", "{\"a\":NaN}", "\u{feff}{}", &deep]
        {
            assert_eq!(object(text.as_bytes()), Err(StrictJsonError::Invalid), "{text}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(StrictJsonError::Invalid));
    }
}
