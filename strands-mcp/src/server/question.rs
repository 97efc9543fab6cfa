//! Interrupts as questions to the client: an approval or a text becomes a form, and a [`ClientRequest`] is sent as it is.

use rmcp::model::{
    ClientCapabilities, ElicitRequest, ElicitRequestParams, ElicitationCapability, InputRequest, RootsCapabilities,
    SamplingCapability,
};
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};
use strands_core::Interrupt;

/// A request to the MCP client, as the reason of an interrupt that a tool raises.
///
/// A reason of any other type becomes a form with one text field, whose text is the response; an approval becomes a form
/// with a checkbox.
///
/// The response is the client's result in the JSON of MCP, such as `{"action": "accept", "content": {"seat": "12A"}}`. It
/// comes from the client: check it like any input.
///
/// ```
/// use strands::mcp::ClientRequest;
/// use strands::serde_json::json;
/// use strands::{ToolContext, ToolError};
///
/// fn choose_seat(ctx: &ToolContext) -> Result<String, ToolError> {
///     let seats = json!({"type": "object", "properties": {"seat": {"type": "string", "enum": ["12A", "12C"]}}});
///     let result = ctx.interrupt("seat", ClientRequest::form("Which seat?", seats))?;
///     match (result["action"].as_str(), result["content"]["seat"].as_str()) {
///         (Some("accept"), Some(seat)) => Ok(format!("booked {seat}")),
///         _ => Ok("no seat was booked".to_owned()),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ClientRequest(Value);

impl ClientRequest {
    /// Creates a request for values that the user enters into a form (`elicitation/create`). The schema is an object whose
    /// properties are strings, numbers, booleans or enums.
    pub fn form(message: impl Into<String>, schema: Value) -> Self {
        let params = json!({"mode": "form", "message": message.into(), "requestedSchema": schema});
        Self(json!({"method": "elicitation/create", "params": params}))
    }

    /// Creates a request that the user opens a URL (`elicitation/create`), for example to sign in.
    pub fn url(message: impl Into<String>, url: impl Into<String>, id: impl Into<String>) -> Self {
        let params = json!({"mode": "url", "message": message.into(), "url": url.into(), "elicitationId": id.into()});
        Self(json!({"method": "elicitation/create", "params": params}))
    }

    /// Creates a request for a response of the client's model (`sampling/createMessage`), with the parameters of MCP. The
    /// protocol deprecates it.
    pub fn sampling(params: Value) -> Self {
        Self(json!({"method": "sampling/createMessage", "params": params}))
    }

    /// Creates a request for the client's root folders (`roots/list`). The protocol deprecates it.
    pub fn roots() -> Self {
        Self(json!({"method": "roots/list"}))
    }
}

/// An interrupt as a question to the client.
pub(super) struct Question {
    pub(super) interrupt: Interrupt,
    pub(super) request: InputRequest,
    answer: Answer,
}

/// Form of the response to an interrupt.
#[derive(Clone, Copy)]
enum Answer {
    /// True or false.
    Approval,
    /// The text, or null if the user declined.
    Text,
    /// The client's result.
    Result,
}

impl Question {
    pub(super) fn new(interrupt: Interrupt) -> Self {
        let (request, answer) = request(&interrupt);
        Self { interrupt, request, answer }
    }

    /// Returns the interrupt's response in a result of the client, or `None` if that is not a result of this request.
    pub(super) fn response(&self, result: &Value) -> Option<Value> {
        let accepted = match (&self.request, result.get("action").and_then(Value::as_str)) {
            (InputRequest::Elicitation(_), Some("accept")) => true,
            (InputRequest::Elicitation(_), Some("decline" | "cancel")) => false,
            (InputRequest::Elicitation(_), _) => return None,
            (InputRequest::CreateMessage(_), _) => result.get("content").is_some(),
            (_, _) => result.get("roots").is_some_and(Value::is_array),
        };
        let field = |name: &str| result.get("content").and_then(|content| content.get(name)).filter(|_| accepted);
        Some(match self.answer {
            Answer::Approval => Value::Bool(field("approve") == Some(&Value::Bool(true))),
            Answer::Text => field("response").filter(|text| text.is_string()).cloned().unwrap_or_default(),
            Answer::Result if accepted || matches!(self.request, InputRequest::Elicitation(_)) => result.clone(),
            Answer::Result => return None,
        })
    }

    /// Returns the capability that the client needs and does not have.
    pub(super) fn missing_capability(&self, client: &ClientCapabilities) -> Option<ClientCapabilities> {
        let mut missing = ClientCapabilities::default();
        let is_supported = match &self.request {
            InputRequest::Elicitation(ElicitRequest {
                params: ElicitRequestParams::UrlElicitationParams { .. },
                ..
            }) => {
                missing.elicitation = Some(ElicitationCapability::new().with_url(Default::default()));
                client.elicitation.as_ref().is_some_and(|modes| modes.url.is_some())
            }
            InputRequest::Elicitation(_) => {
                missing.elicitation = Some(ElicitationCapability::new());
                // A client that names no mode has forms.
                client.elicitation.as_ref().is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
            }
            InputRequest::CreateMessage(_) => {
                missing.sampling = Some(SamplingCapability::default());
                client.sampling.is_some()
            }
            _ => {
                missing.roots = Some(RootsCapabilities::default());
                client.roots.is_some()
            }
        };
        (!is_supported).then_some(missing)
    }
}

fn request(interrupt: &Interrupt) -> (InputRequest, Answer) {
    let reason = &interrupt.reason;
    if reason.get("method").is_some() {
        match InputRequest::deserialize(reason) {
            Ok(request) => return (request, Answer::Result),
            Err(error) => tracing::warn!(
                target: "strands_mcp",
                interrupt = interrupt.name,
                %error,
                "the client can't be sent this request; its schema may be more than a flat object"
            ),
        }
    }
    match reason.as_object() {
        // An elicitation of another server, whose client runs in a tool of this one.
        Some(fields) if fields.get("type").is_some_and(|kind| kind == "mcp_elicitation") => {
            let mut params = reason.clone();
            if let (Some("url"), Some(fields)) = (fields.get("mode").and_then(Value::as_str), params.as_object_mut()) {
                fields.insert("elicitationId".to_owned(), interrupt.id.as_str().into());
            }
            match ElicitRequestParams::deserialize(&params) {
                Ok(params) => (InputRequest::Elicitation(ElicitRequest::new(params)), Answer::Result),
                Err(_) => text_form(reason),
            }
        }
        // The reason of an approval, as the core raises it.
        Some(fields) if fields.len() == 2 && fields.contains_key("tool") && fields.contains_key("input") => {
            let tool = fields.get("tool").and_then(Value::as_str).unwrap_or_default();
            let input = fields.get("input").map(ToString::to_string).unwrap_or_default();
            let approve = json!({"type": "boolean", "title": "Approve"});
            (form(format!("Allow the call of `{tool}` with {input}?"), "approve", approve), Answer::Approval)
        }
        _ => text_form(reason),
    }
}

fn text_form(reason: &Value) -> (InputRequest, Answer) {
    let message = reason.as_str().map_or_else(|| reason.to_string(), str::to_owned);
    (form(message, "response", json!({"type": "string", "title": "Response"})), Answer::Text)
}

/// Creates a form with one required field.
fn form(message: String, field: &str, schema: Value) -> InputRequest {
    let properties = serde_json::from_value(json!({field: schema})).unwrap_or_default();
    let mut requested_schema = rmcp::model::ElicitationSchema::new(properties);
    requested_schema.required = Some(vec![field.to_owned()]);
    let params = ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema };
    InputRequest::Elicitation(ElicitRequest::new(params))
}

#[cfg(test)]
mod tests {
    use rmcp::model::ClientCapabilities;
    use serde_json::{Value, json};
    use strands_core::Interrupt;

    use super::{ClientRequest, Question};

    fn question(reason: impl serde::Serialize) -> Question {
        Question::new(Interrupt::new("id", "name", serde_json::to_value(reason).unwrap()))
    }

    #[test]
    fn approvals_are_checkboxes() {
        let question = question(json!({"tool": "delete", "input": {"path": "/a"}}));
        let request = serde_json::to_value(&question.request).unwrap();
        assert_eq!(request["params"]["message"], r#"Allow the call of `delete` with {"path":"/a"}?"#);
        assert_eq!(request["params"]["requestedSchema"]["required"], json!(["approve"]));
        let response = |result: Value| question.response(&result);
        assert_eq!(response(json!({"action": "accept", "content": {"approve": true}})), Some(json!(true)));
        for denied in [
            json!({"action": "accept", "content": {"approve": false}}),
            json!({"action": "accept", "content": {"approve": "yes"}}),
            json!({"action": "accept"}),
            json!({"action": "decline", "content": {"approve": true}}),
            json!({"action": "cancel"}),
        ] {
            assert_eq!(response(denied.clone()), Some(json!(false)), "{denied}");
        }
        for invalid in [json!(12345), json!(null), json!({"action": "maybe"}), json!([])] {
            assert_eq!(response(invalid.clone()), None, "{invalid}");
        }
    }

    #[test]
    fn other_reasons_are_text_fields() {
        let question = question("Which seat?");
        let request = serde_json::to_value(&question.request).unwrap();
        assert_eq!(request["params"]["message"], "Which seat?");
        let accepted = json!({"action": "accept", "content": {"response": "12A"}});
        assert_eq!(question.response(&accepted), Some(json!("12A")));
        assert_eq!(question.response(&json!({"action": "decline"})), Some(Value::Null));
    }

    #[test]
    fn elicitations_of_other_servers_are_passed_on() {
        let schema = json!({"type": "object", "properties": {"seat": {"type": "string"}}});
        let base = json!({"type": "mcp_elicitation", "server": "air", "tool": "book", "message": "Which seat?"});
        for (mode, name, value) in [("form", "requestedSchema", schema), ("url", "url", json!("https://example.com"))] {
            let mut reason = base.clone();
            reason["mode"] = json!(mode);
            reason[name] = value.clone();
            let question = question(reason);
            let request = serde_json::to_value(&question.request).unwrap();
            assert_eq!(request["params"]["message"], "Which seat?");
            assert_eq!(request["params"][name], value);
            let result = json!({"action": "accept", "content": {"seat": "12A"}});
            assert_eq!(question.response(&result), Some(result));
        }
    }

    #[test]
    fn client_requests_are_sent_as_they_are_and_need_their_capability() {
        let schema = json!({"type": "object", "properties": {"seat": {"type": "string"}}});
        let messages = json!([{"role": "user", "content": {"type": "text", "text": "hi"}}]);
        for (request, capability) in [
            (ClientRequest::form("Which seat?", schema), json!({"elicitation": {}})),
            (ClientRequest::url("Sign in", "https://example.com", "1"), json!({"elicitation": {"url": {}}})),
            (ClientRequest::sampling(json!({"messages": messages, "maxTokens": 9})), json!({"sampling": {}})),
            (ClientRequest::roots(), json!({"roots": {}})),
        ] {
            let question = question(&request);
            let sent = serde_json::to_value(&question.request).unwrap();
            assert_eq!(sent["method"], request.0["method"]);
            let missing = question.missing_capability(&ClientCapabilities::default()).unwrap();
            assert_eq!(serde_json::to_value(&missing).unwrap(), capability);
            let client: ClientCapabilities = serde_json::from_value(capability).unwrap();
            assert!(question.missing_capability(&client).is_none());
        }
    }
}
