//! Fields that servers send in another type than their protocol requires. Values with one sensible meaning are read, values
//! without meaning count as missing; only structures and lists of something else are errors.

mod scalar;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use self::scalar::{FlagOf, Scalar, TextOf, WholeOf, whole, whole_text};

/// Reads text, or a number or boolean as text: ids, names, reasons.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Scalar(TextOf))
}

/// Reads a zero-based index, also as a float or as text. A negative one counts as missing.
pub(crate) fn index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let whole = deserializer.deserialize_any(Scalar(WholeOf))?;
    Ok(whole.and_then(|whole| usize::try_from(whole).ok()))
}

/// Reads a boolean, also as a number or as text.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    deserializer.deserialize_any(Scalar(FlagOf))
}

/// Reads a count, also as a float or as text. A negative one counts as missing.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_any(Scalar(WholeOf))
}

/// Returns a count: a number that is not negative, also as a float or as text.
pub(crate) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => whole_text(text),
        _ => None,
    }
}

/// Reads a value with content: `null`, `false` and empty values have none.
pub(crate) fn something<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<Value>>, D::Error> {
    let value = Option::<Box<Value>>::deserialize(deserializer)?;
    Ok(value.filter(|value| match &**value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }))
}

/// Reads JSON with content, as [`something`] does, without parsing it.
pub(crate) fn unparsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    let json = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(json.filter(|json| {
        let inside = json.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let inside = inside.or_else(|| json.get().strip_prefix('[')?.strip_suffix(']'));
        !matches!(json.get(), "null" | "false" | "\"\"") && inside.is_none_or(|inside| !inside.trim().is_empty())
    }))
}

/// Returns a structure of counts. Anything that is not an object has none.
#[cfg(any(feature = "_chat", feature = "gemini"))]
pub(crate) fn counts<T: DeserializeOwned + Default>(json: &RawValue) -> T {
    let json = json.get();
    if !json.starts_with('{') {
        return T::default();
    }
    serde_json::from_str(json).unwrap_or_else(|_| {
        // The last one of several fields with the same name is read.
        let value = serde_json::from_str::<Value>(json);
        value.and_then(serde_json::from_value).unwrap_or_default()
    })
}

/// Reads an object. Anything else counts as missing.
#[cfg(feature = "_chat")]
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(T::default())
        }

        fn visit_unit<E: Error>(self) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<T, E> {
            Ok(T::default())
        }
    }

    deserializer.deserialize_any(Object(PhantomData))
}

/// Reads a structure, or the default for `null`.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a structure, also as the only item of a list. `null`, `false`, an empty text and an empty list are none.
pub(crate) fn structure<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct Structure<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Structure<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E: Error>(self, there: bool) -> Result<Self::Value, E> {
            if there { Err(E::invalid_type(de::Unexpected::Bool(true), &self)) } else { Ok(None) }
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            if text.is_empty() { Ok(None) } else { Err(E::invalid_type(de::Unexpected::Str(text), &self)) }
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let only = items.next_element::<Option<T>>()?.flatten();
            match items.next_element::<IgnoredAny>()? {
                Some(_) => Err(A::Error::invalid_length(2, &self)),
                None => Ok(only),
            }
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields)).map(Some)
        }
    }

    deserializer.deserialize_any(Structure(PhantomData))
}

/// Returns a field that is text, or a number as text; empty otherwise.
pub(crate) fn word<'a>(value: &'a Value, name: &str) -> Cow<'a, str> {
    match value.get(name) {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(""),
    }
}

/// Reads the arguments of a call as text: text with JSON in it, or the JSON. An empty list is an empty object, which some
/// languages write that way. A number or a boolean is invalid, and the call gets an error result.
pub(crate) fn arguments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Arguments;

    impl<'de> Visitor<'de> for Arguments {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("arguments: text with JSON in it, or JSON")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
            Ok(Some(text))
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
            Ok(Some(truth.to_string()))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
            let fields = Map::deserialize(MapAccessDeserializer::new(fields))?;
            Ok(Some(Value::Object(fields).to_string()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
            let items = Vec::<Value>::deserialize(SeqAccessDeserializer::new(items))?;
            Ok(Some(if items.is_empty() { "{}".to_owned() } else { Value::Array(items).to_string() }))
        }
    }

    deserializer.deserialize_any(Arguments)
}

/// Returns the arguments of a complete call as text: the JSON, or the JSON in a string.
pub(crate) fn written_arguments(json: &RawValue) -> String {
    let text = serde_json::from_str(json.get()).unwrap_or_else(|_| json.get().to_owned());
    if text.trim() == "[]" { "{}".to_owned() } else { text }
}

/// Reads a list, also one item in place of a list, or an object with the items by their numbers. An empty object, an empty text
/// and `false` are empty lists. `null` items are skipped.
pub(crate) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: DeserializeOwned> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_bool<E: Error>(self, there: bool) -> Result<Self::Value, E> {
            if there { Err(E::invalid_type(de::Unexpected::Bool(true), &self)) } else { Ok(Vec::new()) }
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            if text.is_empty() { Ok(Vec::new()) } else { Err(E::invalid_type(de::Unexpected::Str(text), &self)) }
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element::<Option<T>>()? {
                list.extend(item);
            }
            Ok(list)
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
            items(Map::deserialize(MapAccessDeserializer::new(fields))?).map_err(A::Error::custom)
        }
    }

    deserializer.deserialize_any(List(PhantomData))
}

/// Reads the values of a list, or of anything in place of one. Their types are checked later.
pub(crate) fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    let values = match Value::deserialize(deserializer)? {
        Value::Array(values) => values,
        Value::Object(fields) => items(fields).unwrap_or_default(),
        Value::String(text) if !text.is_empty() => vec![Value::String(text)],
        _ => Vec::new(),
    };
    Ok(values.into_iter().filter(|value| !value.is_null()).collect())
}

/// Returns the items of an object in place of a list.
fn items<T: DeserializeOwned>(fields: Map<String, Value>) -> serde_json::Result<Vec<T>> {
    values_in_order(fields).into_iter().map(serde_json::from_value).collect()
}

/// Returns the fields in the order of their numbers. An object whose names are not all numbers is the only value itself.
fn values_in_order(fields: Map<String, Value>) -> Vec<Value> {
    if !fields.keys().all(|name| whole_text(name).is_some()) {
        return vec![Value::Object(fields)];
    }
    let mut numbered: Vec<_> = fields.into_iter().collect();
    numbered.sort_by_key(|(name, _)| whole_text(name));
    numbered.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default)]
    struct Read {
        #[serde(deserialize_with = "text")]
        text: Option<String>,
        #[serde(deserialize_with = "index")]
        index: Option<usize>,
        #[serde(deserialize_with = "flag")]
        flag: Option<bool>,
        #[serde(deserialize_with = "arguments")]
        arguments: Option<String>,
        #[serde(deserialize_with = "list")]
        list: Vec<Item>,
        #[serde(deserialize_with = "structure")]
        structure: Option<Item>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Item {
        at: u8,
    }

    fn read(json: Value) -> Read {
        // As text and as a value: numbers reach a visitor in different ways.
        let read: Read = serde_json::from_str(&json.to_string()).unwrap();
        assert_eq!(read, serde_json::from_value(json).unwrap());
        read
    }

    #[test]
    fn reads_scalars_of_another_type() {
        for (value, text, index, flag) in [
            (json!("7"), Some("7"), Some(7), None),
            (json!(7), Some("7"), Some(7), Some(true)),
            (json!(7.0), Some("7"), Some(7), Some(true)),
            (json!("7.0"), Some("7.0"), Some(7), None),
            (json!(-1), Some("-1"), None, Some(true)),
            (json!("-1"), Some("-1"), None, None),
            (json!(true), Some("true"), None, Some(true)),
            (json!(false), None, None, Some(false)),
            (json!("true"), Some("true"), None, Some(true)),
            (json!(""), Some(""), None, None),
            (json!(null), None, None, None),
            (json!({"a": [1]}), None, None, None),
            (json!([{"a": 1}]), None, None, None),
            (json!(1e300), Some(&*1e300.to_string()), None, Some(true)),
        ] {
            let read = read(json!({"text": value, "index": value, "flag": value}));
            assert_eq!((read.text.as_deref(), read.index, read.flag), (text, index, flag), "{value}");
        }
        assert_eq!(read(json!({})), Read::default());
    }

    #[test]
    fn reads_arguments_of_any_type_as_text() {
        for (value, text) in [
            (json!("{\"a\":1}"), Some("{\"a\":1}")),
            (json!({"a": 1}), Some("{\"a\":1}")),
            (json!({}), Some("{}")),
            (json!([]), Some("{}")),
            (json!([{"a": 1}]), Some("[{\"a\":1}]")),
            (json!(""), Some("")),
            (json!(null), None),
            (json!(7), Some("7")),
            (json!(-7), Some("-7")),
            (json!(7.5), Some("7.5")),
            (json!(false), Some("false")),
        ] {
            assert_eq!(read(json!({"arguments": value})).arguments.as_deref(), text, "{value}");
        }
    }

    #[test]
    fn reads_a_structure_in_a_list() {
        let one = || json!({"at": 1});
        for (value, at) in [(one(), Some(1)), (json!([one()]), Some(1)), (json!([]), None), (json!([null]), None)] {
            assert_eq!(read(json!({"structure": value})).structure.map(|item| item.at), at, "{value}");
        }
        for none in [json!(null), json!(false), json!("")] {
            assert_eq!(read(json!({"structure": none})).structure, None, "{none}");
        }
        for wrong in [json!("no"), json!(true), json!(1), json!([one(), one()]), json!({"of": "another"})] {
            assert!(serde_json::from_value::<Read>(json!({"structure": wrong})).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_objects_as_lists() {
        for (value, expected) in [
            (json!([{"at": 1}, null, {"at": 2}]), vec![1, 2]),
            (json!({"at": 1}), vec![1]),
            (json!({"1": {"at": 2}, "0": {"at": 1}}), vec![1, 2]),
            (json!({}), vec![]),
            (json!(""), vec![]),
            (json!(false), vec![]),
            (json!(null), vec![]),
        ] {
            let at: Vec<u8> = read(json!({"list": value})).list.iter().map(|item| item.at).collect();
            assert_eq!(at, expected, "{value}");
        }
        for wrong in [json!("no"), json!(true), json!([{"of": "another"}])] {
            assert!(serde_json::from_value::<Read>(json!({"list": wrong})).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_any_values_as_a_list() {
        for (value, expected) in [
            (json!([1, null, "a"]), vec![json!(1), json!("a")]),
            (json!({"a": 1}), vec![json!({"a": 1})]),
            (json!({"0": 1}), vec![json!(1)]),
            (json!("a"), vec![json!("a")]),
            (json!(""), vec![]),
            (json!(null), vec![]),
            (json!(7), vec![]),
        ] {
            assert_eq!(values(&value).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn reads_counts_as_floats_and_text() {
        let counts = [json!(9), json!(9.0), json!("9"), json!(" 9.0 "), json!(8.6)].map(|value| count(&value));
        assert_eq!(counts, [Some(9); 5]);
        let none = [json!(-1), json!("many"), json!(null), json!([9]), json!("NaN")].map(|value| count(&value));
        assert_eq!(none, [None; 5]);
    }
}
