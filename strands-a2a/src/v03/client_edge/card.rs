//! Agent cards.

use serde_json::{Value, json};

use crate::v03::TranslationError;
use crate::v03::json::{object, take};

/// Version of a card that does not name one.
const VERSION: &str = "0.3.0";

/// Returns a card with the `supportedInterfaces` of 1.0, which a card of 1.0 has already. The rest of what a client reads of a card is
/// the same in both versions.
pub(crate) fn card_to_v1(mut card: Value) -> Result<Value, TranslationError> {
    let fields = object(&mut card, "agent card")?;
    if fields.get("supportedInterfaces").is_some_and(Value::is_array) {
        return Ok(card);
    }
    let url = take(fields, "url").ok_or(TranslationError::NoEndpoint)?;
    let transport = take(fields, "preferredTransport").unwrap_or_else(|| "JSONRPC".into());
    let version = take(fields, "protocolVersion").unwrap_or_else(|| VERSION.into());
    let mut interfaces = vec![json!({"url": url, "protocolBinding": transport, "protocolVersion": version})];
    if let Some(Value::Array(more)) = take(fields, "additionalInterfaces") {
        for mut interface in more {
            let interface = object(&mut interface, "interface of the agent card")?;
            let (url, transport) = (take(interface, "url"), take(interface, "transport"));
            interfaces.push(json!({"url": url, "protocolBinding": transport, "protocolVersion": version}));
        }
    }
    fields.insert("supportedInterfaces".to_owned(), interfaces.into());
    Ok(card)
}
