//! Elicitation: requests of servers for input by a human.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction};
use serde_json::{Value, json};
use url::Url;

use super::description::{visible_schema, visible_text};

/// Maximum size of a message, in bytes.
const MAX_MESSAGE: usize = 16 * 1024;

/// Maximum size of a URL, in bytes.
const MAX_URL: usize = 8 * 1024;

/// A server's request for input by a human.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Elicitation {
    /// Name of the server.
    pub server: String,
    /// The server's text for the human, with hidden characters escaped. It is data of the server: show it as such.
    pub message: String,
    /// Kind of the input.
    pub kind: ElicitationKind,
}

/// Kind of input that a server requests.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ElicitationKind {
    /// Fields of a form.
    Form {
        /// JSON Schema of the fields, a flat object.
        schema: Value,
    },
    /// A visit of a web page, for input that must not pass the program, such as a password.
    Url {
        /// The page, at `https` or `http`. Show its host to the human, and open it only with consent.
        url: String,
    },
}

/// Response to an [`Elicitation`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ElicitationResponse {
    /// The human gave the input. The value has the fields of a form; it is ignored for a URL.
    Accept(Value),
    /// The human declined.
    Decline,
    /// The human did not choose.
    Cancel,
}

/// Callback of a program that responds to elicitations.
pub(super) type Elicit = Arc<dyn Fn(Elicitation) -> BoxFuture<'static, ElicitationResponse> + Send + Sync>;

pub(super) fn boxed<F, R>(callback: F) -> Elicit
where
    F: Fn(Elicitation) -> R + Send + Sync + 'static,
    R: Future<Output = ElicitationResponse> + Send + 'static,
{
    Arc::new(move |elicitation| Box::pin(callback(elicitation)))
}

impl Elicitation {
    /// Returns `None` for a kind of a later protocol, and for a URL that is not that of a web page.
    pub(super) fn new(server: &str, params: ElicitRequestParams) -> Option<Self> {
        let (message, kind) = match params {
            ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } => {
                let schema = match serde_json::to_value(requested_schema).unwrap_or_default() {
                    Value::Object(schema) => Value::Object(visible_schema(&schema)),
                    schema => schema,
                };
                (message, ElicitationKind::Form { schema })
            }
            ElicitRequestParams::UrlElicitationParams { message, url, .. } => {
                (message, ElicitationKind::Url { url: web_page(&url)? })
            }
            _ => return None,
        };
        Some(Self { server: server.to_owned(), message: visible_text(&message, MAX_MESSAGE), kind })
    }

    /// Returns the reason of an interrupt: `{"type": "mcp_elicitation", "server", "tool", "message", "mode"}`, with
    /// `requestedSchema` or `url`.
    pub(super) fn reason(&self, tool: &str) -> Value {
        let (mode, name, value) = match &self.kind {
            ElicitationKind::Form { schema } => ("form", "requestedSchema", schema.clone()),
            ElicitationKind::Url { url } => ("url", "url", json!(url)),
        };
        json!({
            "type": "mcp_elicitation",
            "server": self.server,
            "tool": tool,
            "message": self.message,
            "mode": mode,
            name: value,
        })
    }
}

/// Returns the URL of a web page in its normal form, where hidden characters and those of other scripts are encoded. A browser
/// would run other schemes, or open files.
fn web_page(url: &str) -> Option<String> {
    let page = Url::parse(url).ok().filter(|page| matches!(page.scheme(), "https" | "http"))?;
    let page = String::from(page);
    (page.len() <= MAX_URL).then_some(page)
}

impl ElicitationResponse {
    /// Reads the response to an interrupt: a response of the protocol, such as `{"action": "accept", "content": {..}}`, the
    /// fields alone, or an approval as for tools.
    pub(super) fn from_interrupt(response: Value) -> Self {
        match response {
            Value::Object(mut fields) => match fields.get("action").and_then(Value::as_str) {
                Some("accept") => Self::Accept(fields.remove("content").unwrap_or_else(|| json!({}))),
                Some("decline") => Self::Decline,
                Some("cancel") => Self::Cancel,
                _ => Self::Accept(Value::Object(fields)),
            },
            Value::Bool(true) => Self::Accept(json!({})),
            Value::String(word) if matches!(word.trim().to_ascii_lowercase().as_str(), "y" | "yes" | "accept") => {
                Self::Accept(json!({}))
            }
            Value::Null => Self::Cancel,
            _ => Self::Decline,
        }
    }

    pub(super) fn into_result(self, kind: &ElicitationKind) -> ElicitResult {
        match (self, kind) {
            (Self::Accept(content), ElicitationKind::Form { .. }) => {
                ElicitResult::new(ElicitationAction::Accept).with_content(content)
            }
            (Self::Accept(_), ElicitationKind::Url { .. }) => ElicitResult::new(ElicitationAction::Accept),
            (Self::Decline, _) => ElicitResult::new(ElicitationAction::Decline),
            (Self::Cancel, _) => ElicitResult::new(ElicitationAction::Cancel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_responses_to_interrupts() {
        use ElicitationResponse::{Accept, Cancel, Decline};
        let cases = [
            (json!({"action": "accept", "content": {"name": "Ada"}}), Accept(json!({"name": "Ada"}))),
            (json!({"name": "Ada"}), Accept(json!({"name": "Ada"}))),
            (json!({"action": "decline"}), Decline),
            (json!({"action": "cancel"}), Cancel),
            (json!(true), Accept(json!({}))),
            (json!("Yes"), Accept(json!({}))),
            (json!(false), Decline),
            (json!("no"), Decline),
            (json!(null), Cancel),
        ];
        for (response, expected) in cases {
            assert_eq!(ElicitationResponse::from_interrupt(response.clone()), expected, "{response}");
        }
    }

    #[test]
    fn shows_hidden_characters_and_rejects_urls_that_are_no_web_page() {
        let new = |params: Value| Elicitation::new("s", serde_json::from_value(params).unwrap());
        let url = |url: &str| new(json!({"mode": "url", "message": "Visit", "url": url, "elicitationId": "1"}));
        let kind = |url: &str| ElicitationKind::Url { url: url.to_owned() };
        assert_eq!(url("https://a.example/p?x=1").unwrap().kind, kind("https://a.example/p?x=1"));
        assert_eq!(url("https://a.example/\u{202e}p").unwrap().kind, kind("https://a.example/%E2%80%AEp"));
        for refused in ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "no URL"] {
            assert_eq!(url(refused), None, "{refused}");
        }
        let form = new(json!({
            "message": "Your\u{202e}name?",
            "requestedSchema": {
                "type": "object",
                "properties": {"name": {"type": "string", "description": "a\u{200b}b"}},
            },
        }));
        let form = form.unwrap();
        assert_eq!(form.message, "Your\\u{202e}name?");
        let ElicitationKind::Form { schema } = form.kind else { panic!("no form") };
        assert_eq!(schema["properties"]["name"]["description"], "a\\u{200b}b");
    }
}
