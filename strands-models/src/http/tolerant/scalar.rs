//! Texts, numbers and booleans in place of each other.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Visitor of a value that is neither a list nor an object.
pub(super) struct Scalar<K>(pub(super) K);

/// Conversion of a scalar.
pub(super) trait Meaning {
    type Value;
    fn of_text(&self, text: &str) -> Option<Self::Value>;
    fn of_owned(&self, text: String) -> Option<Self::Value> {
        self.of_text(&text)
    }
    fn of_whole(&self, number: i128) -> Option<Self::Value>;
    fn of_float(&self, number: f64) -> Option<Self::Value>;
    fn of_bool(&self, truth: bool) -> Option<Self::Value>;
}

impl<'de, K: Meaning> Visitor<'de> for Scalar<K> {
    type Value = Option<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or a truth")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.of_text(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(self.0.of_owned(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.0.of_whole(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.0.of_whole(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(self.0.of_float(number))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(self.0.of_bool(truth))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

pub(super) struct TextOf;

impl Meaning for TextOf {
    type Value = String;

    fn of_text(&self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn of_owned(&self, text: String) -> Option<String> {
        Some(text)
    }

    fn of_whole(&self, number: i128) -> Option<String> {
        Some(number.to_string())
    }

    fn of_float(&self, number: f64) -> Option<String> {
        Some(number.to_string())
    }

    fn of_bool(&self, truth: bool) -> Option<String> {
        truth.then(|| truth.to_string())
    }
}

pub(super) struct WholeOf;

impl Meaning for WholeOf {
    type Value = u64;

    fn of_text(&self, text: &str) -> Option<u64> {
        whole_text(text)
    }

    fn of_whole(&self, number: i128) -> Option<u64> {
        u64::try_from(number).ok()
    }

    fn of_float(&self, number: f64) -> Option<u64> {
        whole(number)
    }

    fn of_bool(&self, _: bool) -> Option<u64> {
        None
    }
}

pub(super) struct FlagOf;

impl Meaning for FlagOf {
    type Value = bool;

    fn of_text(&self, text: &str) -> Option<bool> {
        match text.trim() {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        }
    }

    fn of_whole(&self, number: i128) -> Option<bool> {
        Some(number != 0)
    }

    fn of_float(&self, number: f64) -> Option<bool> {
        Some(number != 0.0)
    }

    fn of_bool(&self, truth: bool) -> Option<bool> {
        Some(truth)
    }
}

pub(super) fn whole_text(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

/// Returns the nearest whole number. Some servers send averages as counts.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is looked at before")]
pub(super) fn whole(number: f64) -> Option<u64> {
    // Larger floats do not distinguish whole numbers.
    const MOST: f64 = 9_007_199_254_740_992.0;
    (0.0..=MOST).contains(&number).then(|| number.round() as u64)
}
