//! The provider's own usage object, which few programs read.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::lenient_json;

/// A provider's own usage object, unchanged.
///
/// It dereferences to a JSON [`Value`], and is cheap to clone. Usage that comes as a [`RawValue`] is parsed when it is first read.
///
/// ```
/// use strands::metrics::ProviderUsage;
///
/// let usage = ProviderUsage::from(serde_json::json!({"completion_tokens_details": {"reasoning_tokens": 7}}));
/// assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 7);
/// ```
#[derive(Clone)]
pub struct ProviderUsage(Arc<Json>);

struct Json {
    /// JSON that is parsed when it is read.
    raw: Option<Box<RawValue>>,
    /// `None` for JSON that can't be parsed: it is nested too deep.
    value: OnceLock<Option<Value>>,
}

static NULL: Value = Value::Null;

impl ProviderUsage {
    /// Returns the value, or `None` if it is nested too deep to be parsed.
    pub(crate) fn value(&self) -> Option<&Value> {
        let Json { raw, value } = &*self.0;
        value.get_or_init(|| lenient_json::from_str(raw.as_deref()?.get()).ok()).as_ref()
    }

    /// Returns true if the value has at most this number of levels of arrays and objects, as far as that is known without parsing it.
    pub(crate) fn is_flat(&self, levels: usize) -> bool {
        let is_bracket = |byte: &u8| matches!(byte, b'{' | b'[');
        self.0
            .raw
            .as_deref()
            .is_some_and(|raw| raw.get().as_bytes().iter().filter(|byte| is_bracket(byte)).count() <= levels)
    }
}

impl Deref for ProviderUsage {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value().unwrap_or(&NULL)
    }
}

impl From<Value> for ProviderUsage {
    fn from(value: Value) -> Self {
        Self(Arc::new(Json { raw: None, value: Some(value).into() }))
    }
}

impl From<Box<RawValue>> for ProviderUsage {
    fn from(raw: Box<RawValue>) -> Self {
        Self(Arc::new(Json { raw: Some(raw), value: OnceLock::new() }))
    }
}

impl From<ProviderUsage> for Value {
    fn from(usage: ProviderUsage) -> Self {
        usage.value();
        let value = match Arc::try_unwrap(usage.0) {
            Ok(json) => json.value.into_inner().flatten(),
            Err(shared) => shared.value.get().cloned().flatten(),
        };
        value.unwrap_or_default()
    }
}

impl PartialEq for ProviderUsage {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || **self == **other
    }
}

impl PartialEq<Value> for ProviderUsage {
    fn eq(&self, other: &Value) -> bool {
        **self == *other
    }
}

impl fmt::Debug for ProviderUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Serialize for ProviderUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ProviderUsage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(json: &str) -> ProviderUsage {
        RawValue::from_string(json.to_owned()).unwrap().into()
    }

    #[test]
    fn is_parsed_when_it_is_read() {
        let usage = raw(r#"{"a": {"b": 7}, "c": "\ud83d"}"#);
        let other = usage.clone();
        assert!(usage.is_flat(2) && !usage.is_flat(1) && usage.0.value.get().is_none());
        assert_eq!(usage["a"]["b"], 7);
        assert!(other.0.value.get().is_some(), "clones share the value");
        assert_eq!(*usage, json!({"a": {"b": 7}, "c": "\u{fffd}"}));
        assert_eq!(serde_json::to_string(&usage).unwrap(), "{\"a\":{\"b\":7},\"c\":\"\u{fffd}\"}");
        assert_eq!(Value::from(usage.clone()), *usage);
        assert_eq!(ProviderUsage::from(Value::from(usage)), other);
    }

    #[test]
    fn json_that_is_nested_too_deep_is_null() {
        let deep = raw(&["[".repeat(10_000), "]".repeat(10_000)].concat());
        assert_eq!((deep.value(), &*deep), (None, &Value::Null));
    }
}
