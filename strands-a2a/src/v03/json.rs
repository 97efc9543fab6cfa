//! Changes of JSON objects in place.

use serde_json::{Map, Value};

use super::TranslationError;

pub(super) type Object = Map<String, Value>;

pub(super) fn object<'a>(value: &'a mut Value, what: &'static str) -> Result<&'a mut Object, TranslationError> {
    value.as_object_mut().ok_or(TranslationError::NoObject { what })
}

/// Moves a field to another name, if it is there and not null.
pub(super) fn rename(object: &mut Object, from: &str, to: &str) {
    if let Some(value) = take(object, from) {
        object.insert(to.to_owned(), value);
    }
}

/// Removes a field, and returns its value unless it is null.
pub(super) fn take(object: &mut Object, field: &str) -> Option<Value> {
    object.remove(field).filter(|value| !value.is_null())
}

/// Removes a text field, and returns it unless it is empty.
#[cfg(feature = "server")]
pub(super) fn take_text(object: &mut Object, field: &str) -> Option<String> {
    match object.remove(field) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

pub(super) fn text<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

/// Changes the object in a field, if it is there and not null.
pub(super) fn change(
    object: &mut Object,
    field: &'static str,
    what: &'static str,
    change: impl FnOnce(&mut Object) -> Result<(), TranslationError>,
) -> Result<(), TranslationError> {
    match object.get_mut(field) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(inner)) => change(inner),
        Some(_) => Err(TranslationError::Field { what, field }),
    }
}

/// Changes each object of a list in a field, if it is there and not null.
pub(super) fn change_each(
    object: &mut Object,
    field: &'static str,
    what: &'static str,
    change: impl Fn(&mut Object) -> Result<(), TranslationError>,
) -> Result<(), TranslationError> {
    match object.get_mut(field) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(items)) => items.iter_mut().try_for_each(|item| match item {
            Value::Object(item) => change(item),
            _ => Err(TranslationError::Field { what, field }),
        }),
        Some(_) => Err(TranslationError::Field { what, field }),
    }
}
