//! Input that a server requests for a call: from a callback, a model, or a human through an interrupt.

use std::collections::BTreeMap;

use rmcp::model::{ElicitRequest, ElicitRequestParams, ErrorData, InputRequest, InputRequests, InputResponses};
use serde::Deserialize;
use serde_json::Value;
use strands_core::{ToolContext, ToolError};

use super::elicitation::ElicitationResponse;
use super::error::{McpError, bounded};
use super::mcp_client::Caller;

/// JSON-RPC error code of a call that needs visits of web pages first, up to protocol version 2025-11-25.
pub(super) const URL_ELICITATION_REQUIRED: i32 = -32042;

/// An error of a call of an agent.
pub(super) enum CallError {
    Mcp(McpError),
    /// The invocation is interrupted for a human's response.
    Interrupt(ToolError),
}

impl From<McpError> for CallError {
    fn from(error: McpError) -> Self {
        Self::Mcp(error)
    }
}

/// Returns the visits that a server requires before a call, as requests for input.
pub(super) fn visits(error: ErrorData) -> InputRequests {
    #[derive(Deserialize)]
    struct Visits {
        elicitations: Vec<ElicitRequestParams>,
    }
    let visits = error.data.and_then(|data| serde_json::from_value::<Visits>(data).ok());
    let elicitations = visits.map(|visits| visits.elicitations).unwrap_or_default();
    let requests = elicitations.into_iter().map(|params| InputRequest::Elicitation(ElicitRequest::new(params)));
    requests.enumerate().map(|(index, request)| (format!("visit-{index}"), request)).collect()
}

impl Caller {
    /// Responds to requests for input. `round` tells the interrupts of a call apart.
    pub(super) async fn answers(
        &self,
        tool: &str,
        round: u32,
        requests: InputRequests,
        ctx: Option<&ToolContext>,
    ) -> Result<InputResponses, CallError> {
        let mut responses = BTreeMap::new();
        for (key, request) in requests {
            let response = self.answer(tool, round, &key, request, ctx).await?;
            responses.insert(key, response);
        }
        Ok(responses)
    }

    async fn answer(
        &self,
        tool: &str,
        round: u32,
        key: &str,
        request: InputRequest,
        ctx: Option<&ToolContext>,
    ) -> Result<Value, CallError> {
        let refused = |reason: String| McpError::InputRequired { server: self.shared.server.clone(), reason };
        let answered = self.shared.answer(request).await.map_err(|error| refused(bounded(&error.message)))?;
        let elicitation = match answered {
            Ok(response) => return Ok(response),
            Err(elicitation) => elicitation,
        };
        let Some(ctx) = ctx else {
            let reason = format!("{}; set a callback for elicitations", bounded(&elicitation.message));
            return Err(refused(reason).into());
        };
        let name = format!("mcp:{round}:{key}");
        let response = ctx.interrupt(&name, elicitation.reason(tool)).map_err(CallError::Interrupt)?;
        let result = ElicitationResponse::from_interrupt(response).into_result(&elicitation.kind);
        serde_json::to_value(result).map_err(|error| refused(error.to_string()).into())
    }
}
