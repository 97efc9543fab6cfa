//! Depth limit of JSON from models, tools and programs. Such JSON is wrapped in other JSON when it is stored, and must stay
//! below the 127 levels that `serde_json` reads.

use std::fmt;

use serde_json::Value;

use crate::message::{ContentBlock, Message, ToolResult, ToolResultContent};
use crate::usage::ProviderUsage;

/// Maximum number of levels of arrays and objects in a value of a conversation or a state.
pub(crate) const MAX_DEPTH: usize = 100;

/// Error of a value that nests too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooDeep;

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nests deeper than {MAX_DEPTH} levels of arrays and objects; make it flatter")
    }
}

/// Checks that a value can be stored. A value without arrays and objects has zero levels.
pub(crate) fn check(value: &Value) -> Result<(), TooDeep> {
    fits(value, MAX_DEPTH).then_some(()).ok_or(TooDeep)
}

/// Checks that a tool result can be stored.
pub(crate) fn check_result(result: &ToolResult) -> Result<(), TooDeep> {
    result.content.iter().try_for_each(|content| match content {
        ToolResultContent::Json(json) => check(json),
        _ => Ok(()),
    })
}

/// Checks that a provider's usage can be stored. Usage that was not parsed yet has few levels, and is not parsed here.
pub(crate) fn check_usage(usage: &ProviderUsage) -> Result<(), TooDeep> {
    if usage.is_flat(MAX_DEPTH) { Ok(()) } else { check(usage.value().ok_or(TooDeep)?) }
}

/// Checks that a message can be stored.
pub(crate) fn check_message(message: &Message) -> Result<(), TooDeep> {
    let custom = message.metadata.iter().flat_map(|metadata| metadata.custom.values());
    custom.into_iter().try_for_each(check)?;
    let mut provider = message.metadata.iter().filter_map(|metadata| metadata.provider_usage.as_ref());
    provider.try_for_each(check_usage)?;
    message.content.iter().try_for_each(|block| match block {
        ContentBlock::Provider(content) => check(&content.content),
        ContentBlock::ToolUse(call) => check(&call.input),
        ContentBlock::ToolResult(result) => check_result(result),
        _ => Ok(()),
    })
}

fn fits(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return !matches!(value, Value::Array(_) | Value::Object(_)) };
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, below)),
        Value::Object(fields) => fields.values().all(|field| fits(field, below)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn accepts_a_hundred_levels() {
        let nested = |levels| (0..levels).fold(Value::from(1), |value, _| Value::Array(vec![value]));
        assert_eq!(check(&nested(0)), Ok(()));
        assert_eq!(check(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(TooDeep));

        let raw = |levels: usize| RawValue::from_string(["[".repeat(levels), "]".repeat(levels)].concat()).unwrap();
        for (levels, expected) in [(MAX_DEPTH, Ok(())), (MAX_DEPTH + 1, Err(TooDeep)), (10_000, Err(TooDeep))] {
            assert_eq!(check_usage(&raw(levels).into()), expected);
        }
        let wide = RawValue::from_string(format!("[{}1]", "[],".repeat(MAX_DEPTH))).unwrap();
        assert_eq!(check_usage(&wide.into()), Ok(()));
    }
}
