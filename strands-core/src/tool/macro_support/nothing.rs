//! The source of an absent argument: an `Option` reads none from it, everything else fails. The schema and the decoding
//! both ask it, so `required` can't be wrong.

use serde::de::{Deserializer, Error, Visitor, value};
use serde::forward_to_deserialize_any;

/// Holds no value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nothing;

impl<'de> Deserializer<'de> for Nothing {
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

    use super::Nothing;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(Option<u8>);

    #[derive(Debug, PartialEq, Deserialize)]
    struct AllDefaults {
        #[serde(default)]
        a: u8,
    }

    #[test]
    fn only_options_are_made_of_nothing() {
        type Maybe = Option<String>;
        assert_eq!(Maybe::deserialize(Nothing), Ok(None));
        assert_eq!(Wrapped::deserialize(Nothing), Ok(Wrapped(None)));
        assert!(String::deserialize(Nothing).is_err());
        assert!(<()>::deserialize(Nothing).is_err());
        assert!(Vec::<u8>::deserialize(Nothing).is_err());
        assert!(AllDefaults::deserialize(Nothing).is_err());
        assert!(serde_json::Value::deserialize(Nothing).is_err());
    }
}
