//! Finish reasons of the provider, as stop reasons or error kinds.

use serde_json::json;
use strands_core::models::{ModelErrorKind, StopReason};

use crate::http::ErrorResponse;

/// Meaning of a finish reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Stopped(StopReason),
    /// The response is an error.
    Failed(ModelErrorKind),
}

/// Converts a finish reason of the [API][words]. Calls are never partial, so they stay valid if a limit was reached after
/// them, but not if a filter intervened.
///
/// [words]: https://ai.google.dev/api/generate-content#FinishReason
pub(super) fn finish(reason: &str, calls: bool, has_content: bool) -> Finish {
    match reason.to_ascii_uppercase().as_str() {
        "SAFETY" | "IMAGE_SAFETY" => Finish::Stopped(StopReason::GuardrailIntervened),
        "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "LANGUAGE"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => Finish::Stopped(StopReason::ContentFiltered),
        "MISSING_THOUGHT_SIGNATURE" => Finish::Failed(ModelErrorKind::InvalidRequest),
        _ if let Some(kind) = ModelErrorKind::from_stop_reason(reason) => Finish::Failed(kind),
        _ if calls => Finish::Stopped(StopReason::ToolUse),
        "MAX_TOKENS" => Finish::Stopped(StopReason::MaxTokens),
        "STOP" => Finish::Stopped(StopReason::EndTurn),
        // An unknown reason without content is a failed response.
        _ if !has_content => Finish::Failed(ModelErrorKind::Transport),
        _ => Finish::Stopped(StopReason::EndTurn),
    }
}

/// Returns the error of a failed response, with the provider's words.
pub(super) fn failed(reason: String, message: Option<String>) -> ErrorResponse {
    let body = json!({"finishReason": reason, "finishMessage": message}).to_string();
    ErrorResponse { code: Some(reason), body, ..ErrorResponse::default() }
}

/// True for placeholders of a missing reason.
pub(super) fn is_no_reason(reason: &str) -> bool {
    matches!(reason, "" | "FINISH_REASON_UNSPECIFIED")
}

/// Returns the error of a blocked prompt.
pub(super) fn blocked_prompt(reason: String, feedback: &str) -> (ErrorResponse, ModelErrorKind) {
    (
        ErrorResponse { code: Some(reason), body: feedback.to_owned(), ..ErrorResponse::default() },
        ModelErrorKind::ContentFiltered,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_finish_reasons() {
        use StopReason::{ContentFiltered, EndTurn, GuardrailIntervened, MaxTokens, ToolUse};

        for (reason, calls, has_content, expected) in [
            ("STOP", false, true, Finish::Stopped(EndTurn)),
            ("STOP", false, false, Finish::Stopped(EndTurn)),
            ("STOP", true, false, Finish::Stopped(ToolUse)),
            ("MAX_TOKENS", false, true, Finish::Stopped(MaxTokens)),
            ("MAX_TOKENS", true, true, Finish::Stopped(ToolUse)),
            ("SAFETY", true, true, Finish::Stopped(GuardrailIntervened)),
            ("RECITATION", false, false, Finish::Stopped(ContentFiltered)),
            ("PROHIBITED_CONTENT", true, false, Finish::Stopped(ContentFiltered)),
            ("BLOCKLIST", false, true, Finish::Stopped(ContentFiltered)),
            ("SPII", false, true, Finish::Stopped(ContentFiltered)),
            ("LANGUAGE", false, false, Finish::Stopped(ContentFiltered)),
            ("MALFORMED_FUNCTION_CALL", true, true, Finish::Failed(ModelErrorKind::MalformedOutput)),
            ("UNEXPECTED_TOOL_CALL", false, false, Finish::Failed(ModelErrorKind::MalformedOutput)),
            ("TOO_MANY_TOOL_CALLS", true, false, Finish::Failed(ModelErrorKind::MalformedOutput)),
            ("MISSING_THOUGHT_SIGNATURE", false, true, Finish::Failed(ModelErrorKind::InvalidRequest)),
            ("max_tokens", false, true, Finish::Stopped(MaxTokens)),
            ("safety", false, true, Finish::Stopped(GuardrailIntervened)),
            ("OTHER", false, true, Finish::Stopped(EndTurn)),
            ("OTHER", false, false, Finish::Failed(ModelErrorKind::Transport)),
            ("A_WORD_OF_TOMORROW", true, false, Finish::Stopped(ToolUse)),
        ] {
            assert_eq!(finish(reason, calls, has_content), expected, "{reason} {calls} {has_content}");
        }
    }
}
