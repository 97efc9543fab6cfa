//! Deserializer of an absent argument: an `Option` becomes `None`, everything else fails. Schema and decoding both use
//! it, so that `required` is always right.

use serde::de::{Deserializer, Error, Visitor, value};
use serde::forward_to_deserialize_any;

/// A deserializer without a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Error::custom("required"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::Absent;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(Option<u8>);

    #[derive(Debug, PartialEq, Deserialize)]
    struct AllDefaults {
        #[serde(default)]
        a: u8,
    }

    #[test]
    fn only_options_deserialize_from_an_absent_value() {
        type Maybe = Option<String>;
        assert_eq!(Maybe::deserialize(Absent), Ok(None));
        assert_eq!(Wrapped::deserialize(Absent), Ok(Wrapped(None)));
        assert!(String::deserialize(Absent).is_err());
        assert!(<()>::deserialize(Absent).is_err());
        assert!(Vec::<u8>::deserialize(Absent).is_err());
        assert!(AllDefaults::deserialize(Absent).is_err());
        assert!(serde_json::Value::deserialize(Absent).is_err());
    }
}
