//! Bounds of arguments: published in the schema, and enforced when arguments are read.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde_json::{Map, Number, Value};

use super::diagnostics::{Counted, LenArg, PatternArg, RangeArg};
use crate::schema_validation;

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    Int(i64),
    Float(f64),
}

impl Bound {
    fn to_json(self) -> Option<Value> {
        match self {
            Self::Int(value) => Some(value.into()),
            Self::Float(value) => Number::from_f64(value).map(Value::Number),
        }
    }

    /// Compares `number` with this end.
    fn compare(self, number: &Number) -> Option<std::cmp::Ordering> {
        match (self, number.as_i128()) {
            (Self::Int(bound), Some(number)) => Some(number.cmp(&i128::from(bound))),
            (Self::Float(bound), _) => number.as_f64()?.partial_cmp(&bound),
            #[expect(clippy::cast_precision_loss, reason = "only to compare with a fraction")]
            (Self::Int(bound), None) => number.as_f64()?.partial_cmp(&(bound as f64)),
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

/// A regular expression, compiled on first use in the dialect of the published schema.
pub struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<schema_validation::Pattern>>,
}

impl Pattern {
    pub const fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    fn matches(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| schema_validation::Pattern::new(self.source).ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}

/// A bound on an argument.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    Range { least: Option<Bound>, greatest: Option<Bound> },
    Len { counted: Counted, least: Option<u64>, greatest: Option<u64> },
    Pattern(&'static Pattern),
}

/// A bound for `range = least..=greatest`.
pub fn range<T: RangeArg>(least: Option<Bound>, greatest: Option<Bound>) -> Check {
    Check::Range { least, greatest }
}

/// A bound for `len = least..=greatest`.
pub fn len<T: LenArg>(least: Option<u64>, greatest: Option<u64>) -> Check {
    Check::Len { counted: T::COUNTED, least, greatest }
}

/// A bound for `pattern = ".."`.
pub fn pattern<T: PatternArg>(pattern: &'static Pattern) -> Check {
    Check::Pattern(pattern)
}

impl Check {
    /// Returns the mistake in `value`, if there is one. Values of another type are rejected elsewhere.
    pub(super) fn mistake(&self, value: &Value) -> Option<String> {
        match self {
            Self::Range { least, greatest } => {
                let number = value.as_number()?;
                let below = least.is_some_and(|least| least.compare(number).is_some_and(std::cmp::Ordering::is_lt));
                let above =
                    greatest.is_some_and(|greatest| greatest.compare(number).is_some_and(std::cmp::Ordering::is_gt));
                (below || above).then(|| format!("{number} is out of range, expected {}", interval(*least, *greatest)))
            }
            Self::Len { counted, least, greatest } => {
                let (length, unit) = match (counted, value) {
                    (Counted::Characters, Value::String(text)) => (text.chars().count(), "characters"),
                    (Counted::Items, Value::Array(items)) => (items.len(), "items"),
                    (Counted::Entries, Value::Object(entries)) => (entries.len(), "entries"),
                    _ => return None,
                };
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                let fits =
                    least.is_none_or(|least| length >= least) && greatest.is_none_or(|greatest| length <= greatest);
                (!fits).then(|| format!("has {length} {unit}, expected {}", interval(*least, *greatest)))
            }
            Self::Pattern(pattern) => {
                let text = value.as_str()?;
                (!pattern.matches(text)).then(|| format!("does not match the pattern `{}`", pattern.source))
            }
        }
    }

    /// Adds the bound to the schema. A tighter bound of the type itself remains.
    pub(super) fn add_to_schema(&self, schema: &mut Map<String, Value>) {
        match self {
            Self::Range { least, greatest } => {
                tighten(schema, "minimum", *least, std::cmp::Ordering::is_gt);
                tighten(schema, "maximum", *greatest, std::cmp::Ordering::is_lt);
            }
            Self::Len { counted, least, greatest } => {
                let (min, max) = match counted {
                    Counted::Characters => ("minLength", "maxLength"),
                    Counted::Items => ("minItems", "maxItems"),
                    Counted::Entries => ("minProperties", "maxProperties"),
                };
                for (keyword, bound) in [(min, least), (max, greatest)] {
                    if let Some(bound) = bound {
                        schema.insert(keyword.to_owned(), (*bound).into());
                    }
                }
            }
            Self::Pattern(pattern) => {
                schema.insert("pattern".to_owned(), pattern.source.into());
            }
        }
    }
}

fn tighten(
    schema: &mut Map<String, Value>,
    keyword: &str,
    bound: Option<Bound>,
    keeps: fn(std::cmp::Ordering) -> bool,
) {
    let Some(bound) = bound else { return };
    let own = schema.get(keyword).and_then(Value::as_number);
    if own.and_then(|own| bound.compare(own)).is_some_and(keeps) {
        return;
    }
    if let Some(value) = bound.to_json() {
        schema.insert(keyword.to_owned(), value);
    }
}

fn interval<T: std::fmt::Display + PartialEq>(least: Option<T>, greatest: Option<T>) -> String {
    let mut words = String::new();
    // Writing to a `String` can't fail.
    let _ = match (least, greatest) {
        (Some(least), Some(greatest)) if least == greatest => write!(words, "{least}"),
        (Some(least), Some(greatest)) => write!(words, "{least} to {greatest}"),
        (Some(least), None) => write!(words, "at least {least}"),
        (None, Some(greatest)) => write!(words, "at most {greatest}"),
        (None, None) => Ok(()),
    };
    words
}
