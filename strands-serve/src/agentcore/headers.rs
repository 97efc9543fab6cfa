//! Headers of the platform, and the rules by which headers of a client reach an agent.

use std::fmt;

use http::{HeaderMap, HeaderValue};

/// Names of headers.
pub(super) const SESSION_ID: &str = "x-amzn-bedrock-agentcore-runtime-session-id";
pub(super) const REQUEST_ID: &str = "x-amzn-bedrock-agentcore-runtime-request-id";
pub(super) const SHELL_ID: &str = "x-amzn-bedrock-agentcore-shell-id";
pub(super) const WORKLOAD_ACCESS_TOKEN: &str = "workloadaccesstoken";
pub(super) const WORKLOAD_IDENTITY_TOKEN: &str = "x-amz-bedrock-agentcore-identity-wat";
pub(super) const OAUTH2_CALLBACK_URL: &str = "oauth2callbackurl";
pub(super) const BAGGAGE: &str = "baggage";
const CUSTOM_PREFIX: &str = "x-amzn-bedrock-agentcore-runtime-custom-";

/// Names of headers that are not forwarded, besides those with a prefix of AWS.
#[rustfmt::skip]
const RESTRICTED: &[&str] = &[
    "accept", "accept-ch", "accept-ch-lifetime", "accept-charset", "accept-encoding", "accept-language", "accept-ranges",
    "access-control-allow-credentials", "access-control-allow-headers", "access-control-allow-methods",
    "access-control-allow-origin", "access-control-expose-headers", "access-control-max-age",
    "access-control-request-headers", "access-control-request-method", "cache-control", "cf-connecting-ip", "cf-ray",
    "clear-site-data", "connection", "content-encoding", "content-language", "content-length", "content-location",
    "content-range", "content-security-policy", "content-security-policy-report-only", "content-type", "cookie",
    "cross-origin-embedder-policy", "cross-origin-opener-policy", "cross-origin-resource-policy", "date", "downlink",
    "dpr", "ect", "etag", "expect-ct", "expires", "feature-policy", "forwarded", "from", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "keep-alive", "last-modified", "link",
    "location", "origin", "permissions-policy", "pragma", "proxy-authorization", "proxy-connection", "public-key-pins",
    "public-key-pins-report-only", "range", "referer", "referrer-policy", "retry-after", "rtt", "save-data",
    "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-protocol",
    "sec-websocket-version", "server", "set-cookie", "strict-transport-security", "te", "trailer", "transfer-encoding",
    "true-client-ip", "upgrade", "user-agent", "vary", "via", "viewport-width", "width", "www-authenticate", "x-amz-cf-id",
    "x-cache", "x-client-ip", "x-cluster-client-ip", "x-content-type-options", "x-csrf-token", "x-forwarded-for",
    "x-forwarded-host", "x-forwarded-proto", "x-frame-options", "x-original-host", "x-original-url", "x-originating-ip",
    "x-real-ip", "x-requested-with", "x-rewrite-url", "x-served-by", "x-source-ip", "x-xss-protection",
];

/// Returns true if a header with this name is forwarded to the agent, by the allowlist rules of AgentCore Runtime.
pub fn is_forwarded(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if RESTRICTED.binary_search(&name.as_str()).is_ok() {
        false
    } else if name.starts_with("x-amz-") {
        name == WORKLOAD_IDENTITY_TOKEN
    } else {
        !name.starts_with("x-amzn-") || name.starts_with(CUSTOM_PREFIX)
    }
}

/// Headers of the client that AgentCore Runtime forwards to the agent, such as `Authorization` and
/// `X-Amzn-Bedrock-AgentCore-Runtime-Custom-*`. They are injected into each turn.
///
/// The `Debug` output has the names alone, since values can be credentials.
#[derive(Clone)]
pub struct ForwardedHeaders {
    headers: HeaderMap,
}

impl ForwardedHeaders {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let forwarded = headers.iter().filter(|(name, _)| is_forwarded(name.as_str()));
        Self { headers: forwarded.map(|(name, value)| (name.clone(), value.clone())).collect() }
    }

    /// Returns the value of a header that is a text. Names are case-insensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl fmt::Debug for ForwardedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.headers.keys()).finish()
    }
}
