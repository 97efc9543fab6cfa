//! Words of error messages that mean the same, whoever says them.

/// Words that stand in a message in this order, close to each other. All are in small letters.
pub(super) type Words = &'static [&'static str];

/// Output that the model may write otherwise the next time.
pub(super) const MALFORMED: &[Words] = &[
    &["failed to call a function"],
    &["failed to generate json"],
    &["failed_generation"],
    &["tool call validation failed"],
    &["error parsing tool call"],
    &["failed to parse input at pos"],
];

/// A limit of requests or tokens in a time.
pub(super) const THROTTLED: &[Words] = &[
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

/// Credentials that are not accepted.
pub(super) const AUTHENTICATION: &[Words] = &[
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

/// Returns true if the message has the words of one of the lists.
pub(super) fn says(message: &str, lists: &[Words]) -> bool {
    lists.iter().any(|words| in_order(message, words))
}

/// True if all words stand in the message in this order, close to each other.
fn in_order(message: &str, words: &[&str]) -> bool {
    /// Most bytes in which the next word has to come.
    const NEAR: usize = 96;
    let Some((first, others)) = words.split_first() else {
        return true;
    };
    message.match_indices(first).any(|(at, _)| {
        let rest = message.get(at + first.len()..).unwrap_or_default();
        others.is_empty() || in_order(rest.get(..rest.floor_char_boundary(NEAR)).unwrap_or_default(), others)
    })
}
