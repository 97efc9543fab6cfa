//! Bedrock's refusals and the SDK's failures as the errors of the vocabulary, by code, status and type. Codes and words that
//! mean the same for every provider are known to the core.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use aws_sdk_bedrockruntime::error::SdkError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use strands_core::lenient_json;
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind, parse_retry_after};

/// The call that failed, and advice: the source of a [`ModelError`] of Bedrock's.
///
/// It holds nothing of the conversation and no key.
#[non_exhaustive]
pub struct BedrockCallError {
    /// The model that was asked.
    pub model_id: String,
    /// The region that was asked, where one is known.
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

/// Which call an error belongs to.
#[derive(Clone, Debug)]
pub(crate) struct CallContext {
    pub(crate) model_id: String,
    pub(crate) region: Option<String>,
    /// The API key, which an error must not quote.
    pub(crate) api_key: Option<SecretString>,
}

impl CallContext {
    /// The details of an error of this call.
    pub(crate) fn details(&self) -> ErrorDetails {
        ErrorDetails::new().with_source(self.error(None, None))
    }

    /// Returns a text without the key and without the session token, which errors about a signature quote.
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

/// Returns a text without the value of the header `x-amz-security-token`, as in the canonical form of a request.
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

/// What Bedrock says when it does not do what it was asked, over HTTP or in the middle of a stream.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// The HTTP status; in a stream there is none.
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) body: String,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    /// From an error response. The code stands in a header, or in the body.
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

    /// From an exception in the middle of a stream.
    pub(crate) fn from_frame(
        code: Option<&str>,
        message: Option<&str>,
        payload: &[u8],
        request_id: Option<&str>,
    ) -> Self {
        let mut refusal = Self::from_response(0, |_| None, payload);
        refusal.status = None;
        // Streams write their codes with a small first letter; everywhere else it is a capital.
        refusal.code = code.map(capitalised).or(refusal.code);
        refusal.request_id = request_id.map(str::to_owned);
        if let Some(message) = message {
            message.clone_into(&mut refusal.message);
            if refusal.body.is_empty() {
                message.clone_into(&mut refusal.body);
            }
        }
        refusal
    }

    /// As the error that tells the caller what to do.
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
        // A model that is not ready has the status of throttling, and a code of its own.
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
            return Some("the model broke off its answer: ask again");
        }
        if code == "AccessDeniedException" && self.message.contains("access to the model") {
            return Some(
                "the account has no access to the model: ask for it in the Bedrock console, and allow \
                 bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream",
            );
        }
        if code == "ValidationException" {
            if self.message.contains("model identifier is invalid") {
                return Some("the region does not know this model id: check its spelling and the region");
            }
            if self.message.contains("on-demand throughput isn") {
                return Some(
                    "the model is only served through inference profiles: put the profile's prefix before the id, such \
                     as `us.` or `global.`",
                );
            }
        }
        (kind == ModelErrorKind::Authentication)
            .then_some("check the credentials (environment, profile, or `api_key`), what they may do, and the region")
    }
}

/// `ThrottlingException` from `com.amazon.coral#ThrottlingException:http://..`.
fn plain_code(code: &str) -> &str {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.rsplit_once('#').map_or(code, |(_, code)| code).trim()
}

fn capitalised(code: &str) -> String {
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

/// From a call that got no response: the connection, the time, or the credentials failed.
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
    let words = chain(&error);
    let credentials = words.iter().any(|words| CREDENTIALS.iter().any(|each| words.contains(each)));
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
        let connecting = words.iter().any(|words| words.contains("connect timeout"));
        return ModelError::Timeout {
            after: Some(if connecting { timeouts.connect } else { timeouts.idle }),
            details: with(None, error),
        };
    }
    if words.iter().any(|words| CONNECTING.iter().any(|each| words.contains(each))) {
        return ModelError::Unreachable { details: with(None, error) };
    }
    match &error {
        SdkError::ConstructionFailure(_) => ModelError::InvalidRequest { details: with(None, error) },
        SdkError::DispatchFailure(_) if !io && words.iter().any(|w| w.contains("endpoint")) => {
            ModelError::InvalidRequest {
                details: with(Some("there is no such endpoint: check `region` and `base_url`"), error),
            }
        }
        _ => ModelError::Transport { details: with(None, error) },
    }
}

/// What the SDK's errors say when there are no credentials, or they can't be had. The types are not public.
const CREDENTIALS: [&str; 7] = [
    "loading credentials",
    "credential provider",
    "credentials provider",
    "credentials are invalid",
    "no auth scheme matched",
    "failed to select an auth scheme",
    "no identity resolver",
];

/// Words of the SDK's errors when no connection could be made. The types are not public.
const CONNECTING: [&str; 2] = ["client error (Connect)", "dns error"];

fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source())
        .map(ToString::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_about_a_signature_do_not_show_the_session_token() {
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

    fn refused(status: u16, code: &str, message: &str) -> ModelError {
        let body = serde_json::json!({"message": message}).to_string();
        Refusal::from_response(
            status,
            |name| (name == "x-amzn-errortype").then(|| format!("{code}:http://internal.amazon.com/coral/")),
            body.as_bytes(),
        )
        .into_error(&context())
    }

    #[test]
    fn refusals_are_sorted_by_what_the_caller_can_do() {
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
            assert_eq!(kind(refused(status, code, message)), expected, "{status} {code}");
        }
    }

    #[test]
    fn the_model_and_the_region_stand_in_the_source_and_the_words_in_the_body() {
        let error = refused(400, "ValidationException", "The provided model identifier is invalid.");
        let source = StdError::source(&error).unwrap().to_string();
        assert!(source.contains("`m` in us-east-1"), "{source}");
        assert!(source.contains("check its spelling"), "{source}");
        assert!(error.details().body().unwrap().contains("identifier is invalid"));
        assert_eq!(error.details().code(), Some("ValidationException"));
        assert_eq!(error.details().status(), Some(400));
    }

    #[test]
    fn codes_lose_their_namespaces() {
        assert_eq!(plain_code("aws.x#AccessDeniedException"), "AccessDeniedException");
        assert_eq!(plain_code("ThrottlingException:http://x"), "ThrottlingException");
        assert_eq!(capitalised("throttlingException"), "ThrottlingException");
    }
}
