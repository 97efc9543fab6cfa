//! The edge of a client: requests to servers of protocol 0.3, and their responses.

mod card;
mod responses;

pub(crate) use card::card_to_v1;
pub(crate) use responses::{event_to_v1, task_to_v1};
use serde_json::{Value, json};

use super::TranslationError;
use super::content::message_to_v03;
use super::json::{change, object, take};

/// Returns the parameters in 0.3 of a `SendMessage` or `SendStreamingMessage`. Those of the other methods are the same.
pub(crate) fn send_params_to_v03(mut params: Value) -> Result<Value, TranslationError> {
    let request = object(&mut params, "parameters")?;
    request.remove("tenant");
    change(request, "message", "parameters", message_to_v03)?;
    change(request, "configuration", "parameters", |configuration| {
        let returns_immediately = take(configuration, "returnImmediately").and_then(|value| value.as_bool());
        configuration.insert("blocking".to_owned(), json!(!returns_immediately.unwrap_or(false)));
        Ok(())
    })?;
    Ok(params)
}
