//! Phrases of error messages that have the same meaning for all providers.

/// Parts of a phrase, in lower case. They occur in a message in this order, close to each other.
pub(super) type Phrase = &'static [&'static str];

/// Malformed model output; another sample may be valid.
pub(super) const MALFORMED: &[Phrase] = &[
    &["failed to call a function"],
    &["failed to generate json"],
    &["failed_generation"],
    &["tool call validation failed"],
    &["error parsing tool call"],
    &["failed to parse input at pos"],
];

/// Limits of requests or tokens per time.
pub(super) const THROTTLED: &[Phrase] = &[
    &["rate limit", "exceeded"],
    &["rate limit", "reached"],
    &["exceed", "rate limit"],
    &["ratelimiterror"],
    &["rate_limit_exceeded"],
    &["rate-limit", "exceed"],
    &["rate limited"],
    &["tpm limit"],
    &["rpm limit"],
    &["too many requests"],
    &["please wait before trying again"],
    &["too many concurrent requests"],
    &["concurrency limit"],
    &["tokens per sec"],
    &["requests per sec"],
    &["tokens per min"],
    &["requests per min"],
    &["tokens per day"],
    &["requests per day"],
    &["token quota", "exceeded"],
    &["request was throttled"],
    &["being throttled"],
    &["is throttled"],
];

/// Rejected credentials.
pub(super) const AUTHENTICATION: &[Phrase] = &[
    &["incorrect api key"],
    &["invalid api key"],
    &["api key not valid"],
    &["api key", "is invalid"],
    &["api key", "is incorrect"],
    &["api key is missing"],
    &["api key not found"],
    &["api key expired"],
    &["provide an api key"],
    &["wrong api key"],
    &["bad api key"],
    &["invalid api-key"],
    &["invalid api_key"],
    &["invalid x-api-key"],
    &["invalid authentication"],
    &["invalid bearer token"],
    &["authentication fails"],
    &["no auth credentials"],
    &["missing api key"],
    &["no api key"],
];

/// Returns true if the message contains one of the phrases.
pub(super) fn contains_any(message: &str, phrases: &[Phrase]) -> bool {
    phrases.iter().any(|phrase| contains(message, phrase))
}

/// Returns true if the message contains all parts in this order, close to each other.
fn contains(message: &str, parts: &[&str]) -> bool {
    /// Maximum distance to the next part, in bytes.
    const NEAR: usize = 96;
    let Some((first, others)) = parts.split_first() else {
        return true;
    };
    message.match_indices(first).any(|(at, _)| {
        let rest = message.get(at + first.len()..).unwrap_or_default();
        others.is_empty() || contains(rest.get(..rest.floor_char_boundary(NEAR)).unwrap_or_default(), others)
    })
}
