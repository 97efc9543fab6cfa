//! Reading of JSON as a Rust type, with mistakes named by the type's schema.

use std::borrow::{Borrow, Cow};

use serde_json::{Value, json};

use super::{Validator, quoting};

/// The most characters of a serde error.
const MAX_CHARS: usize = 300;

/// The largest whole number below which all are exact as floats.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a value as a type. JSON has one type of number, so `3.0` is accepted as an integer.
///
/// `validator` returns the type's compiled schema, and is called only if the type rejects the value. With
/// `numeric_strings`, strings are then read as numbers where the schema allows a number and not a string. The schema is that
/// of an object with the value in the field `name`, or of the value itself if `name` is empty.
///
/// # Errors
///
/// Returns the mistakes with their paths by the schema, or else the error of serde.
pub(crate) fn read_as<T, V: Borrow<Validator>>(
    value: &Value,
    name: &str,
    numeric_strings: bool,
    decode: impl Fn(&Value) -> Result<T, serde_json::Error>,
    validator: impl FnOnce() -> Option<V>,
) -> Result<T, String> {
    let mut error = match decode_numbers(value, &decode) {
        Ok(decoded) => return Ok(decoded),
        Err(error) => error,
    };
    let mut explanation = None;
    if let Some(validator) = validator() {
        let validator = validator.borrow();
        let mut named = if name.is_empty() { Cow::Borrowed(value) } else { Cow::Owned(json!({name: value})) };
        if numeric_strings && let Some(changed) = validator.with_numbers(&named) {
            let value = if name.is_empty() { Some(&changed) } else { changed.get(name) };
            match value.map(|value| decode_numbers(value, &decode)) {
                Some(Ok(decoded)) => return Ok(decoded),
                Some(Err(other)) => error = other,
                None => {}
            }
            named = Cow::Owned(changed);
        }
        explanation = validator.explain(&named);
    }
    Err(explanation.unwrap_or_else(|| {
        let error = quoting::truncated(&error.to_string(), MAX_CHARS);
        if name.is_empty() { error } else { format!("`{name}`: {error}") }
    }))
}

/// Decodes a value, with whole numbers as integers if the type requires it.
fn decode_numbers<T>(
    value: &Value,
    decode: &impl Fn(&Value) -> Result<T, serde_json::Error>,
) -> Result<T, serde_json::Error> {
    decode(value).or_else(|error| match with_whole_numbers(value) {
        // The first error may blame a valid number.
        Some(value) => decode(&value),
        None => Err(error),
    })
}

/// Returns the value with `3` for every `3.0`; `None` if there are none.
fn with_whole_numbers(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64()?;
            // Beyond 2^53 a float is not exact, so neither would the integer be.
            let is_exact = float.fract() == 0.0 && float.abs() <= MOST_EXACT;
            #[expect(clippy::cast_possible_truncation, reason = "it is a whole number within range")]
            is_exact.then_some(Value::from(float as i64))
        }
        Value::Array(items) => {
            let changed: Vec<_> = items.iter().map(with_whole_numbers).collect();
            changed.iter().any(Option::is_some).then(|| {
                changed.into_iter().zip(items).map(|(changed, item)| changed.unwrap_or_else(|| item.clone())).collect()
            })
        }
        Value::Object(fields) => {
            let changed: Vec<_> = fields.values().map(with_whole_numbers).collect();
            changed.iter().any(Option::is_some).then(|| {
                let fields = changed.into_iter().zip(fields);
                fields
                    .map(|(changed, (name, value))| (name.clone(), changed.unwrap_or_else(|| value.clone())))
                    .collect()
            })
        }
        _ => None,
    }
}
