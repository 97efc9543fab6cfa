//! Validity of messages as input for a model.

use std::sync::Arc;

use super::super::violation::{ContractViolation, Promise, ensure, shown};
use crate::message::{Message, Role};

/// Checks what a model is sent: it starts and ends with a user message, roles alternate, and tool calls stand beside their
/// results.
pub(super) fn check_request(messages: &[Arc<Message>]) -> Result<(), ContractViolation> {
    let promise = Promise::ConversationValidInput;
    let is_user = |message: Option<&Arc<Message>>| message.is_some_and(|message| message.role == Role::User);
    ensure(is_user(messages.first()), promise, "a request that starts with a user message", || shown(messages))?;
    ensure(is_user(messages.last()), promise, "a request that ends with a user message", || shown(messages))?;
    let alternate = messages.iter().zip(messages.iter().skip(1)).all(|(one, next)| one.role != next.role);
    ensure(alternate, promise, "roles that alternate", || shown(messages))?;
    check_pairs(messages)
}

/// Checks that each tool call stands beside its result. Calls in the last message are open.
pub(super) fn check_pairs(messages: &[Arc<Message>]) -> Result<(), ContractViolation> {
    let mut calls: Vec<&str> = Vec::new();
    for message in messages {
        let results: Vec<&str> = message.tool_results().map(|result| result.tool_use_id.as_str()).collect();
        let same = results.len() == calls.len() && calls.iter().all(|call| results.contains(call));
        ensure(same, Promise::ConversationValidInput, "tool calls beside their results", || {
            format!("results of {results:?} after calls {calls:?}, in {}", shown(messages))
        })?;
        calls = message.tool_uses().map(|call| call.tool_use_id.as_str()).collect();
    }
    Ok(())
}
