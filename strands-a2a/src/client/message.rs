//! The message that a prompt is sent as.

use a2a::{Message, Part, Role as A2aRole, SendMessageConfiguration, SendMessageRequest};
use serde_json::{Value, json};
use strands_core::message::{Message as PromptMessage, Role};
use strands_core::{AgentError, InterruptResponse, PromptRequest};
use uuid::Uuid;

use super::conversation::{Conversation, Form};
use super::error::A2aError;
use super::structured_output::instruction;
use crate::parts::parts_of;

/// Reason for which a continuation is refused.
pub(super) const NOT_A_CONVERSATION: &str = "the continuation is not one of a remote agent";

/// The next step of a request.
pub(super) enum Prepared {
    /// The message is sent; the conversation is the one that it continues.
    Send(Message, Conversation),
    /// The task waits for responses, of which the request has none.
    Waiting(Conversation),
}

/// Returns the message of a request.
///
/// # Errors
///
/// Returns the errors of a prompt that is rejected: nothing is sent.
pub(super) fn prepare(agent: &str, request: &PromptRequest) -> Result<Prepared, AgentError> {
    let unsendable =
        |reason| AgentError::Promptable { name: agent.to_owned(), source: Box::new(A2aError::Prompt { reason }) };
    let conversation = match &request.continuation {
        Some(continuation) => Conversation::read(continuation).ok_or_else(|| unsendable(NOT_A_CONVERSATION))?,
        None => Conversation::default(),
    };
    let messages = request.prompt.messages();
    let parts = match (messages, request.resume.as_slice()) {
        ([], []) if conversation.interrupts.is_empty() => return Err(AgentError::EmptyConversation),
        ([], []) => return Ok(Prepared::Waiting(conversation)),
        ([], responses) => {
            responses.iter().map(|response| part_of(&conversation, response)).collect::<Result<_, _>>()?
        }
        (_, []) if !conversation.interrupts.is_empty() => {
            let interrupts = conversation.interrupts.into_iter().map(|interrupt| interrupt.id).collect();
            return Err(AgentError::Interrupted { interrupts });
        }
        (messages, []) => {
            let mut parts = parts_of_prompt(messages).map_err(unsendable)?;
            if parts.is_empty() {
                return Err(AgentError::EmptyConversation);
            }
            parts.extend(instruction(request));
            parts
        }
        _ => return Err(unsendable("it has both a prompt and responses to interrupts; send the prompt afterwards")),
    };
    let message = Message {
        message_id: Uuid::new_v4().to_string(),
        context_id: conversation.context_id.clone(),
        task_id: conversation.task_id.clone(),
        role: A2aRole::User,
        parts,
        metadata: None,
        extensions: None,
        reference_task_ids: None,
    };
    Ok(Prepared::Send(message, conversation))
}

fn parts_of_prompt(messages: &[PromptMessage]) -> Result<Vec<Part>, &'static str> {
    if messages.iter().any(|message| message.role != Role::User) {
        return Err("it has messages that are not of the user; prompt with the user's message");
    }
    Ok(messages.iter().flat_map(|message| parts_of(&message.content)).collect())
}

/// Returns the request of a message. Without a stream the server responds at once, so that the id of the task is known.
pub(super) fn send_request(message: Message, streams: bool) -> SendMessageRequest {
    let configuration = SendMessageConfiguration {
        accepted_output_modes: None,
        task_push_notification_config: None,
        history_length: None,
        return_immediately: Some(true),
    };
    SendMessageRequest { message, configuration: (!streams).then_some(configuration), metadata: None, tenant: None }
}

/// Returns the response to an interrupt in the form that its agent expects.
fn part_of(conversation: &Conversation, response: &InterruptResponse) -> Result<Part, AgentError> {
    let InterruptResponse { interrupt_id: id, response, .. } = response;
    if !conversation.interrupts.iter().any(|interrupt| interrupt.id == *id) {
        return Err(AgentError::UnknownInterrupt { id: id.clone() });
    }
    Ok(match (conversation.form, response) {
        (Form::InterruptResponse, response) => {
            Part::data(json!({"interruptResponse": {"interruptId": id, "response": response}}))
        }
        (Form::Message, Value::String(text)) => Part::text(text),
        (Form::Message, response) => Part::data(response.clone()),
    })
}
