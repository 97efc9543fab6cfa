//! Messages of a server: a line of its stdout as JSON-RPC.

use rmcp::RoleClient;
use rmcp::model::{ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use serde_json::Value;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Meaning of a line.
#[derive(Debug)]
pub(super) enum Incoming {
    Message(Box<RxJsonRpcMessage<RoleClient>>),
    /// A request that is not readable: the server waits for a response.
    Reject(Box<TxJsonRpcMessage<RoleClient>>),
    /// An empty line or an unknown notification.
    Ignore,
    /// Not a message, for example a line of a log.
    Invalid,
}

pub(super) fn read(line: &[u8]) -> Incoming {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Incoming::Ignore;
    }
    match serde_json::from_slice(line) {
        Ok(message) => Incoming::Message(Box::new(message)),
        Err(error) => read_unusual(line, &error),
    }
}

/// A message of another shape than rmcp knows must not leave a call, or the server, waiting for its timeout.
fn read_unusual(line: &[u8], error: &serde_json::Error) -> Incoming {
    let Ok(Value::Object(mut message)) = serde_json::from_slice(line) else { return Incoming::Invalid };
    let id = message.remove("id").map(serde_json::from_value::<RequestId>);
    match (message.contains_key("method"), id) {
        (true, Some(id)) => {
            let error = ErrorData::invalid_request(format!("unreadable request: {error}"), None);
            Incoming::Reject(Box::new(JsonRpcMessage::error(error, id.ok())))
        }
        (true, None) => Incoming::Ignore,
        (false, Some(Ok(id))) if message.contains_key("result") || message.contains_key("error") => {
            let error = ErrorData::internal_error(format!("unreadable response: {error}"), None);
            Incoming::Message(Box::new(JsonRpcMessage::error(error, Some(id))))
        }
        (false, _) => Incoming::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> &'static str {
        match read(line.as_bytes()) {
            Incoming::Message(_) => "message",
            Incoming::Reject(_) => "reject",
            Incoming::Ignore => "ignore",
            Incoming::Invalid => "invalid",
        }
    }

    #[test]
    fn tells_messages_from_other_lines() {
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), "message");
        assert_eq!(kind("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r"), "message");
        assert_eq!(kind(" \r"), "ignore");
        for line in ["Listening on stdio", "42", r#"{"level":"info"}"#, "[1]", r#"{"jsonrpc""#, "\u{0}"] {
            assert_eq!(kind(line), "invalid", "{line}");
        }
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#), "reject");
    }

    #[test]
    fn fails_the_call_of_an_unreadable_response() {
        let line = br#"{"jsonrpc":"2.0","id":7,"error":{"code":"E1","message":"no"}}"#;
        let Incoming::Message(message) = read(line) else { panic!("no message") };
        let JsonRpcMessage::Error(error) = *message else { panic!("no error") };
        assert_eq!(error.id, Some(RequestId::Number(7)));
        assert!(error.error.message.starts_with("unreadable response"), "{}", error.error.message);
    }
}
