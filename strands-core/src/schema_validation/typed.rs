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
    let error = match decode_numbers(value, &decode) {
        Ok(decoded) => return Ok(decoded),
        Err(error) => error,
    };
    let validator = validator();
    let mut rejected = Rejected::new(value, name, validator.as_ref().map(Borrow::borrow), error);
    if numeric_strings && let Some(changed) = rejected.with_numbers() {
        match decode_numbers(changed, &decode) {
            Ok(decoded) => return Ok(decoded),
            Err(error) => rejected.error = error,
        }
    }
    Err(rejected.explanation())
}

/// A value that a type rejects. It is not generic, so that programs don't compile it for each type of argument.
struct Rejected<'a> {
    name: &'a str,
    error: serde_json::Error,
    /// The schema, and the value as it describes it.
    schema: Option<(&'a Validator, Cow<'a, Value>)>,
}

impl<'a> Rejected<'a> {
    fn new(value: &'a Value, name: &'a str, validator: Option<&'a Validator>, error: serde_json::Error) -> Self {
        let named = || if name.is_empty() { Cow::Borrowed(value) } else { Cow::Owned(json!({name: value})) };
        Self { name, error, schema: validator.map(|validator| (validator, named())) }
    }

    /// Reads strings as numbers where the schema allows it, and returns the changed value, if any.
    fn with_numbers(&mut self) -> Option<&Value> {
        let (validator, named) = self.schema.as_mut()?;
        *named = Cow::Owned(validator.with_numbers(named)?);
        if self.name.is_empty() { Some(named) } else { named.get(self.name) }
    }

    fn explanation(self) -> String {
        self.schema.and_then(|(validator, named)| validator.explain(&named)).unwrap_or_else(|| {
            let error = quoting::truncated(&self.error.to_string(), MAX_CHARS);
            if self.name.is_empty() { error } else { format!("`{}`: {error}", self.name) }
        })
    }
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
