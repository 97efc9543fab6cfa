//! Depth of JSON, which has to stay below the 127 levels that `serde_json` reads.

use serde_json::Value;

/// Returns true if a value has at most `levels` levels of arrays and objects.
pub(crate) fn fits(value: &Value, levels: usize) -> bool {
    let inside = |value: &Value| levels.checked_sub(1).is_some_and(|levels| fits(value, levels));
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(inside),
        Value::Object(fields) => levels > 0 && fields.values().all(inside),
        _ => true,
    }
}
