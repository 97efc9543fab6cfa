//! Codes and words of providers' errors that mean the same everywhere. Gateways pass on the errors of any server behind
//! them, so there is one list for all providers. Throttling is looked for first: "too many tokens, please wait" is about
//! a quota, and shortening the conversation does not help.

mod codes;
mod messages;
mod overflow;

use self::codes::{of_code, plain};
use self::messages::{AUTHENTICATION, MALFORMED, THROTTLED, says};
use self::overflow::overflows;
use super::RefusalKind;

impl RefusalKind {
    /// Returns the kind that the codes and the words of a provider's error name, whoever the provider is; `None` if they
    /// name none, and the [status](Self::of_status) has to do.
    ///
    /// `codes` are the error's names, such as `ThrottlingException` or `context_length_exceeded`; their case, and what
    /// stands between their words, does not matter.
    ///
    /// ```
    /// use strands_core::model::RefusalKind;
    ///
    /// let overflow = RefusalKind::of_words(Some(400), &[], "Prompt is too long: 213462 tokens > 200000 maximum");
    /// assert_eq!(overflow, Some(RefusalKind::ContextOverflow));
    /// let throttled = RefusalKind::of_words(Some(400), &["ThrottlingException"], "Too many tokens, please wait");
    /// assert_eq!(throttled, Some(RefusalKind::Throttled));
    /// assert_eq!(RefusalKind::of_words(Some(400), &[], "max_tokens must be at most 8192"), None);
    /// ```
    pub fn of_words(status: Option<u16>, codes: &[&str], message: &str) -> Option<Self> {
        let of_codes: Vec<Self> = codes.iter().filter_map(|code| of_code(code)).collect();
        let coded = |kind| of_codes.contains(&kind);
        let message = message.to_lowercase();
        let refused = status.is_none_or(|status| (400..500).contains(&status));
        if coded(Self::MalformedOutput) || says(&message, MALFORMED) {
            return Some(Self::MalformedOutput);
        }
        if status == Some(429) || coded(Self::Throttled) || refused && says(&message, THROTTLED) {
            // More than a minute's worth by itself: no minute will do for it.
            let too_large = message.contains("request too large");
            return Some(if too_large { Self::ContextOverflow } else { Self::Throttled });
        }
        // Bytes are what there is too much of at 413, and what shortening takes away.
        if coded(Self::ContextOverflow) || status == Some(413) || overflows(&message) {
            return Some(Self::ContextOverflow);
        }
        if coded(Self::ContentFiltered) {
            return Some(Self::ContentFiltered);
        }
        if coded(Self::Authentication) || refused && says(&message, AUTHENTICATION) {
            return Some(Self::Authentication);
        }
        // The name of a type that everything is of says less than the status.
        (status.is_none() && coded(Self::Overloaded)).then_some(Self::Overloaded)
    }

    /// Returns the kind of error that a reason for stopping is, in any provider's words; `None` if the response is whole,
    /// or ends at a limit.
    ///
    /// ```
    /// use strands_core::model::RefusalKind;
    ///
    /// assert_eq!(RefusalKind::of_stop_reason("model_context_window_exceeded"), Some(RefusalKind::ContextOverflow));
    /// assert_eq!(RefusalKind::of_stop_reason("MALFORMED_FUNCTION_CALL"), Some(RefusalKind::MalformedOutput));
    /// assert_eq!(RefusalKind::of_stop_reason("abort"), Some(RefusalKind::Transport));
    /// assert_eq!(RefusalKind::of_stop_reason("end_turn"), None);
    /// ```
    pub fn of_stop_reason(reason: &str) -> Option<Self> {
        match plain(reason).as_str() {
            "modelcontextwindowexceeded"
            | "contextwindowexceeded"
            | "contextlengthexceeded"
            | "contextlength"
            | "contextoverflow"
            | "maxcontextlength"
            | "maxcontextlengthexceeded"
            | "errorlimit" => Some(Self::ContextOverflow),
            "malformedfunctioncall"
            | "malformedtooluse"
            | "malformedtoolcall"
            | "malformedmodeloutput"
            | "malformedresponse"
            | "unexpectedtoolcall"
            | "toomanytoolcalls"
            | "toolusefailed"
            | "invalidtoolcall" => Some(Self::MalformedOutput),
            "insufficientsystemresource" | "overloaded" | "engineoverloaded" | "serveroverloaded" => {
                Some(Self::Overloaded)
            }
            "" if reason.eq_ignore_ascii_case("error") => Some(Self::Transport),
            "abort" | "aborted" | "cancel" | "canceled" | "cancelled" | "fail" | "failed" | "failure" | "network"
            | "internal" | "internalserver" | "server" | "timeout" | "timedout" | "interrupted" => {
                Some(Self::Transport)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use RefusalKind::{
        Authentication, ContentFiltered, ContextOverflow, MalformedOutput, Overloaded, Throttled, Transport,
    };

    use super::*;

    #[test]
    fn conversations_that_do_not_fit_are_recognized_in_any_words() {
        for message in [
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.",
            "This endpoint's maximum context length is 163840 tokens. However, you requested about 170000 tokens (165000 of text input, 5000 in the output).",
            "Requested token count exceeds the model's maximum context length of 131072 tokens.",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 509178 tokens.",
            "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
            "Please reduce the length of the messages or completion.",
            "litellm.ContextWindowExceededError: litellm.BadRequestError: Context Window exceeded for given call.",
            "prompt is too long: 213462 tokens > 200000 maximum",
            "Prompt too long: 5152 tokens exceeds max_seq_len 2048 (leave room for output tokens)",
            "input length and `max_tokens` exceed context limit: 170636 + 34048 > 200000",
            "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
            "Unable to submit request because the input token count is 1200000 but model only supports up to 1048576.",
            "The input (12000 tokens) is longer than the model's context length (8193 tokens).",
            "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "The number of tokens to keep from the initial prompt is greater than the context length.",
            "Context size has been exceeded.",
            "Invalid request: Your request exceeded model token limit: 262144 (requested: 291351)",
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]",
            "You passed 9001 input tokens and requested 1 output tokens. However, the model's context length is only 8192 tokens, resulting in a maximum input length of 8191 tokens.",
            "This model's maximum context length is 262144 tokens. However, you requested 0 output tokens and your prompt contains at least 262145 input tokens.",
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 8192 tokens and your request has 5000 input tokens (4096 > 8192 - 5000).",
            "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.",
            "prompt token count of 200000 exceeds the limit of 128000",
            "invalid params, context window exceeds limit (2013)",
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            "Prompt exceeds max length",
            "The total length of all messages is too long.",
            "prompt too long; exceeded max context length by 7 tokens",
            "the input length exceeds the context length",
            "Number of input tokens exceeds maximum length.",
            "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9000",
            "too many tokens: size limit exceeded by 19296 tokens. The limit for this model is 132000 tokens.",
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 500",
            "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
            "Request body too large for gpt-4o model. Max size: 8000 tokens.",
            "Total tokens of image and text exceed max message tokens",
            "the number of input tokens 9000 cannot exceed the total tokens limit 8192 for this model",
            "The estimated number of input and maximum output tokens (9000) exceeded this model context window limit (8192).",
            "The sum of prompt length (9000.0), query length (0) should not exceed max_num_tokens (8192)",
            "PROMPT IS TOO LONG",
        ] {
            assert_eq!(RefusalKind::of_words(Some(400), &[], message), Some(ContextOverflow), "{message}");
            assert_eq!(RefusalKind::of_words(None, &[], message), Some(ContextOverflow), "{message}");
        }
    }

    #[test]
    fn other_limits_are_no_overflow() {
        for message in [
            "max_tokens is too large: 200000. This model supports at most 128000 completion tokens, whereas you provided 200000.",
            "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model",
            "max_tokens: 300000 > 128000, which is the maximum allowed number of output tokens for claude-opus-4-5",
            "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is lower than 4096.",
            "Range of max_tokens should be [1, 8192]",
            "max_tokens (40000) exceeds the model's context length (32768)",
            "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context length is 8192 tokens and your request has 12 input tokens (9000 > 8192 - 12).",
            "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens (903 in the messages, 4097 in the completion).",
            "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes",
            "Invalid 'tools[0].function.description': string too long. Expected a string with maximum length 1024",
            "Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64.",
            "A maximum of 100 PDF pages may be provided.",
            "The context is large, but acceptable.",
            "unknown parameter: context_length",
            "",
        ] {
            assert_eq!(RefusalKind::of_words(Some(400), &[], message), None, "{message}");
        }
    }

    #[test]
    fn throttling_goes_before_everything_that_its_words_may_mean() {
        for (status, code, message) in [
            (Some(429), "", "Too many tokens, please wait before trying again."),
            (Some(400), "ThrottlingException", "Too many tokens, please wait before trying again."),
            (Some(400), "", "Too many tokens per day, please wait before trying again."),
            (None, "", "Too many tokens, please wait before trying again."),
            (Some(403), "", "API rate limit exceeded for user"),
            (
                None,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 30,000 input tokens per minute",
            ),
            (Some(400), "RateLimitExceeded", "maximum context length"),
            (
                Some(400),
                "",
                "Rate limit reached for m on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000.",
            ),
        ] {
            assert_eq!(RefusalKind::of_words(status, &[code], message), Some(Throttled), "{message}");
        }
        let too_large = "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000.";
        assert_eq!(RefusalKind::of_words(Some(429), &[], too_large), Some(ContextOverflow));
        // A quota without a name of its own is not the window either.
        assert_eq!(RefusalKind::of_words(Some(400), &[], "too many tokens, try again in 20s"), None);
    }

    #[test]
    fn codes_are_the_same_in_whatever_case_they_come() {
        for (code, expected) in [
            ("context_length_exceeded", ContextOverflow),
            ("exceed_context_size_error", ContextOverflow),
            ("ContextWindowExceededError", ContextOverflow),
            ("tool_use_failed", MalformedOutput),
            ("json_validate_failed", MalformedOutput),
            ("data_inspection_failed", ContentFiltered),
            ("invalid_api_key", Authentication),
            ("authentication_error", Authentication),
        ] {
            assert_eq!(
                RefusalKind::of_words(Some(400), &["invalid_request_error", code], "no"),
                Some(expected),
                "{code}"
            );
        }
        assert_eq!(RefusalKind::of_words(Some(413), &[], ""), Some(ContextOverflow));
        assert_eq!(RefusalKind::of_words(None, &["server_error"], ""), Some(Overloaded));
        assert_eq!(RefusalKind::of_words(Some(400), &["server_error"], ""), None);
        let xai = "Incorrect API key provided: xa***ai. You can obtain an API key from the console.";
        assert_eq!(RefusalKind::of_words(Some(400), &[], xai), Some(Authentication));
        let ollama = "error parsing tool call: raw='{\"a\":', err=unexpected end of JSON input";
        assert_eq!(RefusalKind::of_words(Some(500), &[], ollama), Some(MalformedOutput));
    }

    #[test]
    fn reasons_for_stopping_that_are_errors() {
        for (reason, expected) in [
            ("model_context_window_exceeded", Some(ContextOverflow)),
            ("context_length_exceeded", Some(ContextOverflow)),
            ("ERROR_LIMIT", Some(ContextOverflow)),
            ("malformed_tool_use", Some(MalformedOutput)),
            ("UNEXPECTED_TOOL_CALL", Some(MalformedOutput)),
            ("abort", Some(Transport)),
            ("ERROR", Some(Transport)),
            ("network_error", Some(Transport)),
            ("cancelled", Some(Transport)),
            ("insufficient_system_resource", Some(Overloaded)),
            ("stop", None),
            ("", None),
            ("eos_token", None),
            ("max_tokens", None),
            ("pause_turn", None),
            ("refusal", None),
        ] {
            assert_eq!(RefusalKind::of_stop_reason(reason), expected, "{reason}");
        }
    }
}
