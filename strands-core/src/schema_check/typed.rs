//! Reading of JSON as a Rust type, with mistakes named by the type's schema.

use serde_json::Value;

use super::{Validator, words};

/// Characters of an error of serde.
const MAX_CHARS: usize = 300;

/// Whole numbers up to here are exact as floats.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a value as a type. JSON has one kind of number, so `3.0` is an integer where the type wants one.
///
/// # Errors
///
/// Returns the mistakes as `explain` names them, which knows the type's schema, or else as `in_words_of_serde` makes of
/// serde's error.
pub(crate) fn read_as<T>(
    value: &Value,
    decode: impl Fn(&Value) -> Result<T, serde_json::Error>,
    explain: impl FnOnce() -> Option<String>,
    in_words_of_serde: impl FnOnce(&str) -> String,
) -> Result<T, String> {
    let first = match decode(value) {
        Ok(decoded) => return Ok(decoded),
        Err(error) => error,
    };
    let error = match with_whole_numbers(value).map(|value| decode(&value)) {
        Some(Ok(decoded)) => return Ok(decoded),
        // The first error may blame a number that is fine.
        Some(Err(error)) => error,
        None => first,
    };
    Err(explain().unwrap_or_else(|| in_words_of_serde(&words::cut(&error.to_string(), MAX_CHARS))))
}

/// Returns why a value that its type has refused does not fit the type's schema. None if it fits, or if values can't be
/// validated against the schema.
pub(crate) fn explained(schema: &Value, value: &Value) -> Option<String> {
    Validator::new(schema).ok()?.explain(value)
}

/// The same value with `3` for every `3.0`; `None` where there is none.
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
