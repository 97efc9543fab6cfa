//! Validity of a hook's changes: denials have reasons, messages and results have content.

use super::super::violation::{ContractViolation, Promise, ensure};
use crate::depth;
use crate::interrupt::InterruptResponse;
use crate::message::{ContentBlock, Message, ToolResult, ToolResultContent, ToolUse};
use crate::tool::is_valid_tool_name;

/// Checks the reason of a denial by the hook.
pub(super) fn denial(event: &str, before: Option<&str>, after: Option<&str>) -> Result<(), ContractViolation> {
    let blank = before != after && after.is_some_and(is_blank);
    ensure(!blank, Promise::HookDenialReason, format!("a reason for a denial in `{event}`"), || format!("{after:?}"))
}

/// Checks the final text that the hook has set.
pub(super) fn final_text(event: &str, before: Option<&str>, after: Option<&str>) -> Result<(), ContractViolation> {
    let blank = before != after && after.is_some_and(is_blank);
    ensure(!blank, Promise::HookValidChanges, format!("a final text in `{event}`"), || format!("{after:?}"))
}

/// Checks the messages of a prompt that the hook has added or changed.
pub(super) fn messages(event: &str, before: &[Message], after: &[Message]) -> Result<(), ContractViolation> {
    let promise = Promise::HookValidChanges;
    let emptied = !before.is_empty() && after.is_empty();
    ensure(!emptied, promise, format!("a prompt after `{event}`"), || "no messages".to_owned())?;
    for message in after.iter().filter(|message| !before.contains(message)) {
        let expected = || format!("messages with content after `{event}`");
        ensure(!message.content.iter().all(is_empty), promise, expected(), || format!("{message:?}"))?;
        stored(event, depth::check_message(message))?;
    }
    Ok(())
}

/// Checks responses to interrupts that the hook has changed.
pub(super) fn responses(before: &[InterruptResponse], after: &[InterruptResponse]) -> Result<(), ContractViolation> {
    let event = "before_invocation";
    for response in after.iter().filter(|response| !before.contains(response)) {
        let known = before.iter().any(|known| known.interrupt_id == response.interrupt_id);
        let expected = format!("responses to the same interrupts after `{event}`");
        ensure(known, Promise::HookValidChanges, expected, || format!("{response:?}"))?;
        stored(event, depth::check(&response.response))?;
    }
    Ok(())
}

/// Checks the names of the tools that the hook has hidden. A tool of that name need not exist.
pub(super) fn hidden(names: &[String]) -> Result<(), ContractViolation> {
    let invalid = names.iter().find(|name| !is_valid_tool_name(name));
    let expected = "names of tools to hide in `select_tools`";
    ensure(invalid.is_none(), Promise::HookValidChanges, expected, || format!("{invalid:?}"))
}

/// Checks a tool call that the hook has changed.
pub(super) fn call(before: &ToolUse, after: &ToolUse) -> Result<(), ContractViolation> {
    if before == after {
        return Ok(());
    }
    let valid = is_valid_tool_name(&after.name);
    let expected = "the name of a tool after `before_tool_call`";
    ensure(valid, Promise::HookValidChanges, expected, || format!("`{}`", after.name))?;
    stored("before_tool_call", depth::check(&after.input))
}

/// Checks a tool result that the hook has changed.
pub(super) fn result(before: &ToolResult, after: &ToolResult) -> Result<(), ContractViolation> {
    if before == after {
        return Ok(());
    }
    let promise = Promise::HookValidChanges;
    let has_content = !after.content.iter().all(|content| match content {
        ToolResultContent::Text(text) => is_blank(text),
        _ => false,
    });
    ensure(has_content, promise, "a result with content after `after_tool_call`", || format!("{after:?}"))?;
    let same = before.tool_use_id == after.tool_use_id;
    ensure(same, promise, format!("the result of call `{}`", before.tool_use_id), || format!("{after:?}"))?;
    stored("after_tool_call", depth::check_result(after))
}

fn stored(event: &str, checked: Result<(), depth::TooDeep>) -> Result<(), ContractViolation> {
    let expected = || format!("values after `{event}` that can be stored");
    checked.map_err(|error| ContractViolation::new(Promise::HookValidChanges, expected(), format!("one that {error}")))
}

fn is_empty(block: &ContentBlock) -> bool {
    matches!(block, ContentBlock::Text(text) if is_blank(&text.text))
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
