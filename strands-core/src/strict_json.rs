//! Parsing of JSON in which no object has a key twice. Of two values, one would be lost without an error, and two programs could
//! disagree about which.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses JSON in which no object, at any depth, has a key twice.
///
/// ```
/// use strands::strict_json;
///
/// assert_eq!(strict_json::from_slice(br#"{"a": [1]}"#)?["a"][0], 1);
/// let twice = strict_json::from_slice(br#"{"a": 1, "a": 2}"#).unwrap_err();
/// assert!(twice.is_data() && twice.to_string().starts_with("duplicate key `a`"));
/// # Ok::<(), strands::serde_json::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error with line and column: of the category `Data` for a key that an object has twice, and of another one for
/// invalid JSON.
pub fn from_slice(json: &[u8]) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = UniqueKeys.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
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

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
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
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(UniqueKeys)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("duplicate key `{key}`")));
            }
            let value = entries.next_value_seed(UniqueKeys)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_every_kind_of_value() {
        let value = json!({"a": [1, -1, 1.5, "text", null, true, {"a": {}}], "b": 18_446_744_073_709_551_615_u64});
        assert_eq!(from_slice(value.to_string().as_bytes()).unwrap(), value);
    }

    #[test]
    fn refuses_duplicate_keys_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":[{"c":{"a":1,"x":0,"a":2}}]}"#] {
            let error = from_slice(text.as_bytes()).unwrap_err();
            assert!(error.is_data() && error.to_string().starts_with("duplicate key `a`"), "{text}: {error}");
        }
    }

    #[test]
    fn refuses_invalid_json() {
        let deep = "[".repeat(10_000);
        for text in ["", "{}{}", "{} x", "{\"a\":1,}", "{'a':1}", "{\"a\":NaN}", "\u{feff}{}", &deep] {
            assert!(!from_slice(text.as_bytes()).unwrap_err().is_data(), "{text}");
        }
        assert!(!from_slice(b"{\"a\":\"\xff\"}").unwrap_err().is_data());
    }
}
