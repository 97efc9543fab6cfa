//! Validity of messages as input for a model.

use std::sync::Arc;

use super::violation::{ContractViolation, Promise, ensure, shown};
use crate::message::{Message, Role};

/// Checks the messages of a request: a history that ends with a user message.
pub(super) fn check_request(promise: Promise, messages: &[Arc<Message>]) -> Result<(), ContractViolation> {
    let is_user = messages.last().is_some_and(|message| message.role == Role::User);
    ensure(is_user, promise, "a request that ends with a user message", || shown(messages))?;
    check_history(promise, messages)
}

/// Checks a history: it starts with a user message, roles alternate, and results follow their tool calls.
pub(super) fn check_history(promise: Promise, messages: &[Arc<Message>]) -> Result<(), ContractViolation> {
    let is_user = messages.first().is_none_or(|message| message.role == Role::User);
    ensure(is_user, promise, "a conversation that starts with a user message", || shown(messages))?;
    let alternate = messages.iter().zip(messages.iter().skip(1)).all(|(one, next)| one.role != next.role);
    ensure(alternate, promise, "roles that alternate", || shown(messages))?;
    check_pairs(promise, messages)
}

/// Checks that the results of each message's tool calls are in the next message. Calls in the last message are open.
pub(super) fn check_pairs(promise: Promise, messages: &[Arc<Message>]) -> Result<(), ContractViolation> {
    let mut calls: Vec<&str> = Vec::new();
    for message in messages {
        let results: Vec<&str> = message.tool_results().map(|result| result.tool_use_id.as_str()).collect();
        let same = results.len() == calls.len() && calls.iter().all(|call| results.contains(call));
        ensure(same, promise, "tool calls followed by their results", || {
            format!("results of {results:?} after calls {calls:?}, in {}", shown(messages))
        })?;
        calls = message.tool_uses().map(|call| call.tool_use_id.as_str()).collect();
    }
    Ok(())
}
