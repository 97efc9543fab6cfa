//! Classification of Bedrock's error responses and of the SDK's errors, by code, status and type. Codes and messages that all
//! providers share are classified in strands-core.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use aws_sdk_bedrockruntime::error::SdkError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use strands_core::lenient_json;
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind, parse_retry_after};

/// A failed call, with advice: the source of a [`ModelError`] from Bedrock.
///
/// It contains neither content of the conversation nor credentials.
#[non_exhaustive]
pub struct BedrockCallError {
    /// Model id of the call.
    pub model_id: String,
    /// Region of the call, if known.
    pub region: Option<String>,
    advice: Option<&'static str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl std::fmt::Display for BedrockCallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "calling Bedrock model `{}`", self.model_id)?;
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
        }
        if let Some(advice) = self.advice {
            write!(f, ": {advice}")?;
        }
        Ok(())
    }
}

strands_core::__debug_with_sources!(BedrockCallError);

impl StdError for BedrockCallError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Context of a call, for its errors.
#[derive(Clone, Debug)]
pub(crate) struct CallContext {
    pub(crate) model_id: String,
    pub(crate) region: Option<String>,
    /// API key, which is redacted in error bodies.
    pub(crate) api_key: Option<SecretString>,
}

impl CallContext {
    /// Returns error details with this call as their source.
    pub(crate) fn details(&self) -> ErrorDetails {
        ErrorDetails::new().with_source(self.error(None, None))
    }

    /// Redacts the API key and the session token in a text. Errors about a signature quote the session token.
    fn without_secrets(&self, text: String) -> String {
        let text = without_session_token(text);
        match self.api_key.as_ref().map(ExposeSecret::expose_secret) {
            Some(key) if !key.is_empty() && text.contains(key) => text.replace(key, "[redacted]"),
            _ => text,
        }
    }

    /// Returns the error of a call that took longer than its total timeout.
    pub(crate) fn total_timeout(&self, after: Duration) -> ModelError {
        let advice = Some("the response was not complete within the total timeout, `.timeout(..)`");
        let details = ErrorDetails::new().with_source(self.error(advice, None)).boxed();
        ModelError::Timeout { after: Some(after), details }
    }

    fn error(&self, advice: Option<&'static str>, source: Option<Box<dyn StdError + Send + Sync>>) -> BedrockCallError {
        BedrockCallError { model_id: self.model_id.clone(), region: self.region.clone(), advice, source }
    }
}

/// Redacts the value of the header `x-amz-security-token` in a text, such as the canonical form of a request.
fn without_session_token(text: String) -> String {
    const HEADER: &str = "x-amz-security-token:";
    let mut parts = text.split(HEADER);
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let value = part.trim_start_matches(' ');
        let end = value.find(|letter: char| letter.is_whitespace() || "\\\"'<".contains(letter)).unwrap_or(value.len());
        hidden.extend([HEADER, "[redacted]", value.get(end..).unwrap_or_default()]);
    }
    hidden
}

/// An error response of Bedrock, over HTTP or within a stream.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// HTTP status; `None` within a stream.
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) body: String,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads an HTTP error response. The code is in a header or in the body.
    pub(crate) fn from_response(status: u16, header: impl Fn(&str) -> Option<String>, body: &[u8]) -> Self {
        let json: Option<Value> = lenient_json::from_slice(body).ok();
        let field = |names: [&str; 2]| {
            let json = json.as_ref()?;
            names.iter().find_map(|name| json.get(*name).and_then(Value::as_str))
        };
        let code = header("x-amzn-errortype")
            .or_else(|| field(["__type", "code"]).map(str::to_owned))
            .map(|code| plain_code(&code).to_owned());
        Self {
            status: Some(status),
            code,
            message: field(["message", "Message"]).unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
            retry_after: header("retry-after").and_then(|value| parse_retry_after(&value, SystemTime::now())),
        }
    }

    /// Reads an exception or an error within a stream.
    pub(crate) fn from_frame(
        code: Option<&str>,
        message: Option<&str>,
        payload: &[u8],
        request_id: Option<&str>,
    ) -> Self {
        let mut refusal = Self::from_response(0, |_| None, payload);
        refusal.status = None;
        // Codes in streams begin with a lower-case letter, unlike the codes of HTTP responses.
        refusal.code = code.map(capitalized).or(refusal.code);
        refusal.request_id = request_id.map(str::to_owned);
        if let Some(message) = message {
            message.clone_into(&mut refusal.message);
            if refusal.body.is_empty() {
                message.clone_into(&mut refusal.body);
            }
        }
        refusal
    }

    /// Converts the response into an error with advice for the caller.
    pub(crate) fn into_error(self, context: &CallContext) -> ModelError {
        let kind = self.kind();
        let advice = self.advice(kind);
        let details = ErrorDetails::new()
            .with_source(context.error(advice, None))
            .with_status(self.status)
            .with_code(self.code)
            .with_request_id(self.request_id)
            .with_body(context.without_secrets(self.body));
        kind.into_error(self.retry_after, details)
    }

    fn kind(&self) -> ModelErrorKind {
        let code = self.code.as_deref().unwrap_or_default();
        let message = if self.message.is_empty() { &self.body } else { &self.message };
        // A model that is not ready has the status of throttling, but a code of its own.
        let status = self.status.filter(|_| code != "ModelNotReadyException");
        if let Some(kind) = ModelErrorKind::from_message(status, &[code], message) {
            return kind;
        }
        match code {
            "ServiceUnavailableException"
            | "ServiceUnavailable"
            | "ModelNotReadyException"
            | "InternalServerException"
            | "InternalFailure"
            | "ModelTimeoutException"
            | "ModelErrorException" => return ModelErrorKind::Overloaded,
            "ModelStreamErrorException" => return ModelErrorKind::Transport,
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "InvalidSignatureException"
            | "IncompleteSignatureException"
            | "IncompleteSignature"
            | "InvalidClientTokenId"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "OptInRequired"
            | "RequestExpired" => return ModelErrorKind::Authentication,
            "ValidationException"
            | "ResourceNotFoundException"
            | "ConflictException"
            | "ServiceQuotaExceededException" => return ModelErrorKind::InvalidRequest,
            _ => {}
        }
        match self.status {
            // The model behind Bedrock failed.
            Some(424) => ModelErrorKind::Overloaded,
            status => ModelErrorKind::from_status(status),
        }
    }

    fn advice(&self, kind: ModelErrorKind) -> Option<&'static str> {
        let code = self.code.as_deref().unwrap_or_default();
        if code == "ModelStreamErrorException" {
            return Some("the model aborted its response: send the request again");
        }
        if code == "AccessDeniedException" && self.message.contains("access to the model") {
            return Some(
                "the account has no access to the model: request it in the Bedrock console, and allow \
                 bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream",
            );
        }
        if code == "ValidationException" {
            if self.message.contains("model identifier is invalid") {
                return Some("the region has no model with this id: check its spelling and the region");
            }
            if self.message.contains("on-demand throughput isn") {
                return Some(
                    "the model is only available through inference profiles: add the prefix of a profile to the id, \
                     such as `us.` or `global.`",
                );
            }
        }
        (kind == ModelErrorKind::Authentication)
            .then_some("check the credentials (environment, profile, or `api_key`), their permissions, and the region")
    }
}

/// Returns the name of a code, such as `ThrottlingException` of `com.amazon.coral#ThrottlingException:http://..`.
fn plain_code(code: &str) -> &str {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.rsplit_once('#').map_or(code, |(_, code)| code).trim()
}

/// Returns the name of a code with an upper-case first letter.
fn capitalized(code: &str) -> String {
    let code = plain_code(code);
    let mut letters = code.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// Timeouts of the SDK.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) idle: Duration,
}

/// Converts the error of a call without a response: a failed connection, a timeout, or missing credentials.
pub(crate) fn from_sdk<E, R>(error: SdkError<E, R>, timeouts: Timeouts, context: &CallContext) -> ModelError
where
    E: StdError + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let (timed_out, io) = match &error {
        SdkError::TimeoutError(_) => (true, false),
        SdkError::DispatchFailure(failure) => (failure.is_timeout(), failure.is_io() || failure.is_user()),
        _ => (false, false),
    };
    let messages = chain(&error);
    let credentials = messages.iter().any(|message| CREDENTIALS.iter().any(|each| message.contains(each)));
    let with = |advice: Option<&'static str>, error: SdkError<E, R>| {
        let details = ErrorDetails::new().with_source(context.error(advice, Some(Box::new(error))));
        details.boxed()
    };
    if credentials {
        return ModelError::Authentication {
            details: with(
                Some(
                    "no credentials: set AWS_PROFILE, AWS_ACCESS_KEY_ID or AWS_BEARER_TOKEN_BEDROCK, or use `api_key`",
                ),
                error,
            ),
        };
    }
    if timed_out {
        let connecting = messages.iter().any(|message| message.contains("connect timeout"));
        return ModelError::Timeout {
            after: Some(if connecting { timeouts.connect } else { timeouts.idle }),
            details: with(None, error),
        };
    }
    if messages.iter().any(|message| CONNECTING.iter().any(|each| message.contains(each))) {
        return ModelError::Unreachable { details: with(None, error) };
    }
    match &error {
        SdkError::ConstructionFailure(_) => ModelError::InvalidRequest { details: with(None, error) },
        SdkError::DispatchFailure(_) if !io && messages.iter().any(|message| message.contains("endpoint")) => {
            ModelError::InvalidRequest {
                details: with(Some("there is no such endpoint: check `region` and `base_url`"), error),
            }
        }
        _ => ModelError::Transport { details: with(None, error) },
    }
}

/// Fragments of the SDK's messages about missing or unavailable credentials. The types of these errors are not public.
const CREDENTIALS: [&str; 7] = [
    "loading credentials",
    "credential provider",
    "credentials provider",
    "credentials are invalid",
    "no auth scheme matched",
    "failed to select an auth scheme",
    "no identity resolver",
];

/// Fragments of the SDK's messages about failed connections. The types of these errors are not public.
const CONNECTING: [&str; 2] = ["client error (Connect)", "dns error"];

/// Returns the messages of an error and of its sources.
fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source())
        .map(ToString::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacts_the_session_token_in_signature_errors() {
        let canonical =
            "POST\n/model/m/converse\n\nhost:h\nx-amz-date:20260101T000000Z\nx-amz-security-token:T0KEN/+=\n\nhost";
        let body = serde_json::json!({"message": format!("The Canonical String should have been\n'{canonical}'")});
        let refusal = Refusal::from_response(403, |_| None, body.to_string().as_bytes());
        let error = refusal.into_error(&context());
        let body = error.details().body().unwrap();
        assert!(!body.contains("T0KEN") && body.contains("x-amz-security-token:[redacted]\\n"), "{body}");
    }

    fn context() -> CallContext {
        CallContext { model_id: "m".to_owned(), region: Some("us-east-1".to_owned()), api_key: None }
    }

    fn response_error(status: u16, code: &str, message: &str) -> ModelError {
        let body = serde_json::json!({"message": message}).to_string();
        Refusal::from_response(
            status,
            |name| (name == "x-amzn-errortype").then(|| format!("{code}:http://internal.amazon.com/coral/")),
            body.as_bytes(),
        )
        .into_error(&context())
    }

    #[test]
    fn classifies_error_responses() {
        use ModelError as E;
        let kind = |error: E| match error {
            E::Throttled { .. } => "throttled",
            E::Overloaded { .. } => "overloaded",
            E::Transport { .. } => "transport",
            E::MalformedOutput { .. } => "malformed",
            E::ContextOverflow { .. } => "overflow",
            E::Authentication { .. } => "authentication",
            E::InvalidRequest { .. } => "invalid",
            _ => "other",
        };
        for (status, code, message, expected) in [
            (429, "ThrottlingException", "slow down", "throttled"),
            (429, "", "slow down", "throttled"),
            (429, "ModelNotReadyException", "", "overloaded"),
            (400, "ServiceQuotaExceededException", "", "invalid"),
            (503, "ServiceUnavailableException", "", "overloaded"),
            (500, "InternalServerException", "", "overloaded"),
            (502, "", "", "overloaded"),
            (408, "ModelTimeoutException", "", "overloaded"),
            (424, "ModelErrorException", "", "overloaded"),
            (424, "ModelStreamErrorException", "", "transport"),
            (403, "AccessDeniedException", "", "authentication"),
            (403, "ExpiredTokenException", "", "authentication"),
            (401, "", "", "authentication"),
            (404, "ResourceNotFoundException", "", "invalid"),
            (400, "ValidationException", "bad", "invalid"),
            (400, "ValidationException", "prompt is too long: 3 tokens > 2", "overflow"),
            (400, "ValidationException", "Input is too long for requested model.", "overflow"),
            (400, "ThrottlingException", "Too many tokens, please wait before trying again.", "throttled"),
            (400, "", "Too many tokens, please wait before trying again.", "throttled"),
            (
                400,
                "ValidationException",
                "The model returned the following errors: Input Tokens Exceeded: Number of input \
                tokens exceeds maximum length.",
                "overflow",
            ),
            (
                400,
                "ValidationException",
                "The model returned the following errors: The input (9001 tokens) is longer than \
                the model's context length (8192 tokens).",
                "overflow",
            ),
            (
                400,
                "ValidationException",
                "The maximum tokens you requested exceeds the model limit of 4096. Try again with \
                a maximum tokens value that is lower than 4096.",
                "invalid",
            ),
            (
                400,
                "ValidationException",
                "max_tokens: 300000 > 128000, which is the maximum allowed number of output \
                tokens",
                "invalid",
            ),
        ] {
            assert_eq!(kind(response_error(status, code, message)), expected, "{status} {code}");
        }
    }

    #[test]
    fn errors_name_the_model_and_the_region_and_keep_the_body() {
        let error = response_error(400, "ValidationException", "The provided model identifier is invalid.");
        let source = StdError::source(&error).unwrap().to_string();
        assert!(source.contains("`m` in us-east-1"), "{source}");
        assert!(source.contains("check its spelling"), "{source}");
        assert!(error.details().body().unwrap().contains("identifier is invalid"));
        assert_eq!(error.details().code(), Some("ValidationException"));
        assert_eq!(error.details().status(), Some(400));
    }

    #[test]
    fn strips_namespaces_from_codes() {
        assert_eq!(plain_code("aws.x#AccessDeniedException"), "AccessDeniedException");
        assert_eq!(plain_code("ThrottlingException:http://x"), "ThrottlingException");
        assert_eq!(capitalized("throttlingException"), "ThrottlingException");
    }
}
