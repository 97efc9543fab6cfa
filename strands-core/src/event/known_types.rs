//! Names of the event types that this version knows. They are taken from the derived deserialization, so that there is no
//! list to maintain.

use std::fmt;

use serde::de::{self, StdError, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::EventFields;

/// Returns true if this version has an event type with this name.
pub(super) fn is_known(name: &str) -> bool {
    matches!(EventFields::<serde_json::Value>::deserialize(TypeName(name)), Err(Answer::Known))
}

/// Looks a name up in the names of an enum's variants, and reads nothing.
struct TypeName<'a>(&'a str);

impl<'de> Deserializer<'de> for TypeName<'_> {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer::Unknown)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(if variants.contains(&self.0) { Answer::Known } else { Answer::Unknown })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// Result of the lookup: an error of the deserialization, since nothing is read.
#[derive(Debug)]
enum Answer {
    Known,
    Unknown,
}

impl de::Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Unknown
    }
}

impl StdError for Answer {}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known => "known type",
            Self::Unknown => "unknown type",
        })
    }
}
