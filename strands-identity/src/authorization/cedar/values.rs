//! JSON values as values of Cedar.

use cedar_policy::RestrictedExpression;
use serde_json::{Map, Number, Value};

/// Maximum depth of a value. Arguments of tools have at most 100 levels.
const MAX_DEPTH: usize = 100;
/// Maximum number of values in a request.
const MAX_VALUES: usize = 100_000;

/// A JSON value that is none of Cedar's.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` can't be a value in Cedar: {reason}")]
pub(super) struct ValueError {
    path: String,
    reason: &'static str,
}

/// Converts the members of an object. Those that are null are left out. `name` is that of the object, for errors.
pub(super) fn record(name: &str, members: &Map<String, Value>) -> Result<RestrictedExpression, ValueError> {
    let mut converter = Converter { path: vec![name.to_owned()], values: 0 };
    converter.record(members)
}

struct Converter {
    path: Vec<String>,
    values: usize,
}

impl Converter {
    /// Converts a value below the current path.
    fn below(&mut self, step: String, value: &Value) -> Result<RestrictedExpression, ValueError> {
        self.path.push(step);
        let converted = self.value(value)?;
        self.path.pop();
        Ok(converted)
    }

    fn value(&mut self, value: &Value) -> Result<RestrictedExpression, ValueError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return self.refused("too many values");
        }
        if self.path.len() > MAX_DEPTH {
            return self.refused("nested too deep");
        }
        match value {
            Value::Null => self.refused("null in a list"),
            Value::Bool(value) => Ok(RestrictedExpression::new_bool(*value)),
            Value::Number(number) => self.number(number),
            Value::String(text) => Ok(RestrictedExpression::new_string(text.clone())),
            Value::Array(items) => {
                let items: Result<Vec<_>, _> =
                    items.iter().enumerate().map(|(at, item)| self.below(at.to_string(), item)).collect();
                items.map(RestrictedExpression::new_set)
            }
            Value::Object(members) => self.record(members),
        }
    }

    fn record(&mut self, members: &Map<String, Value>) -> Result<RestrictedExpression, ValueError> {
        let present = members.iter().filter(|(_, value)| !value.is_null());
        let fields: Result<Vec<_>, _> =
            present.map(|(name, value)| Ok((name.clone(), self.below(name.clone(), value)?))).collect();
        RestrictedExpression::new_record(fields?).or_else(|_| self.refused("a repeated name"))
    }

    fn number(&self, number: &Number) -> Result<RestrictedExpression, ValueError> {
        if let Some(whole) = number.as_i64() {
            return Ok(RestrictedExpression::new_long(whole));
        }
        let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
            return self.refused("a whole number of more than 64 bits");
        };
        // Never in scientific notation.
        let text = float.to_string();
        match text.contains('.') {
            // Its range and decimals are checked when the request is made.
            true => Ok(RestrictedExpression::new_decimal(text)),
            false => text
                .parse()
                .map(RestrictedExpression::new_long)
                .or_else(|_| self.refused("a whole number of more than 64 bits")),
        }
    }

    fn refused<T>(&self, reason: &'static str) -> Result<T, ValueError> {
        Err(ValueError { path: self.path.join("."), reason })
    }
}
