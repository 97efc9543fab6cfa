//! Classification of provider errors by code and message. Gateways pass on the errors of any upstream server, so one list
//! serves all providers. Throttling is checked first: "too many tokens, please wait" is about a quota, and truncating the
//! conversation does not help.

mod codes;
mod context_overflow;
mod messages;

use self::codes::{normalized, of_code};
use self::context_overflow::overflows;
use self::messages::{AUTHENTICATION, MALFORMED, THROTTLED, contains_any};
use super::ModelErrorKind;

/// Length of the prefix of a message that is examined, in bytes. Servers may append all of the request.
const EXAMINED: usize = 8 * 1024;

impl ModelErrorKind {
    /// Returns the kind of an error by its codes and message, for any provider; `None` if they are not conclusive, and only
    /// the [status](Self::from_status) remains.
    ///
    /// `codes` are error codes and types, such as `ThrottlingException` or `context_length_exceeded`. Case and separators do
    /// not matter.
    ///
    /// ```
    /// use strands::models::ModelErrorKind;
    ///
    /// let overflow = ModelErrorKind::from_message(Some(400), &[], "Prompt is too long: 213462 tokens > 200000 maximum");
    /// assert_eq!(overflow, Some(ModelErrorKind::ContextOverflow));
    /// let throttled = ModelErrorKind::from_message(Some(400), &["ThrottlingException"], "Too many tokens, please wait");
    /// assert_eq!(throttled, Some(ModelErrorKind::Throttled));
    /// assert_eq!(ModelErrorKind::from_message(Some(400), &[], "max_tokens must be at most 8192"), None);
    /// ```
    pub fn from_message(status: Option<u16>, codes: &[&str], message: &str) -> Option<Self> {
        let of_codes: Vec<Self> = codes.iter().filter_map(|code| of_code(code)).collect();
        let has_code = |kind| of_codes.contains(&kind);
        let message = message.get(..message.floor_char_boundary(EXAMINED)).unwrap_or_default().to_lowercase();
        let refused = status.is_none_or(|status| (400..500).contains(&status));
        if has_code(Self::MalformedOutput) || contains_any(&message, MALFORMED) {
            return Some(Self::MalformedOutput);
        }
        if status == Some(429) || has_code(Self::Throttled) || refused && contains_any(&message, THROTTLED) {
            // The request alone exceeds the limit per minute, so waiting does not help.
            let too_large = message.contains("request too large");
            return Some(if too_large { Self::ContextOverflow } else { Self::Throttled });
        }
        // Truncating the conversation also helps against 413, a limit in bytes.
        if has_code(Self::ContextOverflow) || status == Some(413) || overflows(&message) {
            return Some(Self::ContextOverflow);
        }
        if has_code(Self::ContentFiltered) {
            return Some(Self::ContentFiltered);
        }
        if has_code(Self::Authentication) || refused && contains_any(&message, AUTHENTICATION) {
            return Some(Self::Authentication);
        }
        // Codes such as `server_error` are generic; a status is more specific.
        (status.is_none() && has_code(Self::Overloaded)).then_some(Self::Overloaded)
    }

    /// Returns the kind of error that a provider's stop reason stands for; `None` if the response is complete, or ends at a
    /// limit of the request.
    ///
    /// ```
    /// use strands::models::ModelErrorKind;
    ///
    /// assert_eq!(ModelErrorKind::from_stop_reason("model_context_window_exceeded"), Some(ModelErrorKind::ContextOverflow));
    /// assert_eq!(ModelErrorKind::from_stop_reason("MALFORMED_FUNCTION_CALL"), Some(ModelErrorKind::MalformedOutput));
    /// assert_eq!(ModelErrorKind::from_stop_reason("abort"), Some(ModelErrorKind::Transport));
    /// assert_eq!(ModelErrorKind::from_stop_reason("end_turn"), None);
    /// ```
    pub fn from_stop_reason(reason: &str) -> Option<Self> {
        match normalized(reason).as_str() {
            "modelcontextwindowexceeded" | "inputtoolong" | "prompttoolong" | "errorlimit" => {
                Some(Self::ContextOverflow)
            }
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
            "fail" | "failed" | "failure" | "network" | "internal" | "internalserver" | "server" | "timeout"
            | "timedout" | "interrupted" | "terminated" => Some(Self::Transport),
            // Servers put the origin first: `user_abort`, `client_disconnect`, `upstream_error`.
            word if ["abort", "cancel", "disconnect"].iter().any(|known| word.contains(known)) => Some(Self::Transport),
            word if word.contains("context") || word.contains("windowexceeded") => Some(Self::ContextOverflow),
            word if !word.is_empty() && reason.to_ascii_lowercase().ends_with("_error") => Some(Self::Transport),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use ModelErrorKind::{
        Authentication, ContentFiltered, ContextOverflow, MalformedOutput, Overloaded, Throttled, Transport,
    };

    use super::*;

    #[test]
    fn recognizes_context_overflows() {
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
            "Trying to keep the first 7000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input",
            "Reached context length of 4096 tokens with model (arch: llama) that does not currently support mid-generation context overflow. Try reloading with a larger context length or shortening the prompt/chat.",
            "input (1200 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
            "token limit exceeded",
            "Token limit exceeded for this model",
            "the request exceeds the model's token limit",
            "Request exceeds the maximum number of tokens",
            "The request exceeds the maximum allowed tokens",
            "Input exceeds the maximum number of tokens for this model",
            "max tokens of 4096 exceeded",
            "prompt tokens too long",
            "Prompt tokens too long: the max input characters is 11200",
            "number of input tokens must be no more than 8192, got 9000",
            "Input length 9000 is greater than maximum 8192",
            "Input is longer than the maximum context",
            "Your prompt is longer than the maximum number of tokens allowed",
            "The prompt is larger than the model's context window",
            "The conversation is too long for this model",
            "Context length limit reached",
            "context limit reached",
            "context window limit reached",
            "context overflow",
            "Context window overflow: 200 tokens",
            "exceeds the maximum context",
            "exceeds the model's maximum input size",
            "Conversation exceeds the maximum length",
            "messages too long",
            "Messages exceed the maximum context",
            "Message is too long",
            "message length exceeds model context limit",
            "Too many prompt tokens",
            "too many tokens in prompt",
            "Prompt has too many tokens",
            "tokens in prompt exceed limit of 8192",
            "Total number of tokens (9000) exceeds limit 8192",
            "total token count exceeds the limit",
            "the sum of input tokens and max tokens exceeds 8192",
            "Requested tokens (9000) exceed context window of 8192",
            "Requested tokens exceed context window",
            "llama_decode: failed to find a memory slot: context is full",
            "the context is full",
            "Model context limit exceeded",
            "exceeded the max sequence length",
            "exceeds max_position_embeddings",
            "max_total_tokens exceeded",
            "Input validation error: inputs must have less than 1024 tokens. Given: 2000",
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097",
            "request too large for model context",
            "Input too large",
            "Prompt too large",
            "prompt is too large: 9000 tokens",
            "The input is too large for this model",
            "Input text is too long",
            "Input tokens limit exceeded",
            "Query is too long",
            "Malformed input request: expected maxLength: 20000, actual: 30000, please reformat your input and try again.",
            "The text is too long. Maximum context length 8192",
            "Prompt token limit exceeded: 9000 > 8192",
            "prompt_tokens (9000) exceeds limit (8192)",
            "The maximum input length is 8192 tokens",
            "maximum input tokens exceeded",
            "The number of tokens in the request exceeds the maximum",
            "This request would exceed the model's context",
            "Please shorten the prompt",
            "Please reduce your prompt; or completion length.",
            "Please reduce your prompt",
            "exceeds the token limit",
            "exceeded max token limit",
            "context_window_exceeded",
            "CONTEXT_LENGTH_EXCEEDED",
            "Prompt 超长",
            "输入长度超过模型上下文限制",
            "your input is longer than the context window",
            "Error: context length exceeded",
            "Maximum context reached",
            "Context too long",
            "context is too long",
            "context too large",
            "Number of tokens (9001) exceeded maximum context length (8192).",
            "LLM context window full",
        ] {
            assert_eq!(ModelErrorKind::from_message(Some(400), &[], message), Some(ContextOverflow), "{message}");
            assert_eq!(ModelErrorKind::from_message(None, &[], message), Some(ContextOverflow), "{message}");
        }
    }

    #[test]
    fn other_limits_are_not_context_overflows() {
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
            "Image exceeds the maximum size of 5 MB",
            "image dimensions exceed max allowed size: 8000 pixels",
            "messages.1.content: at least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels",
            "tool name is too long: maximum length 64",
            "tools.0.custom.name: String should have at most 128 characters",
            "Invalid 'user': string too long. Expected a string with maximum length 64",
            "The number of tools exceeds the maximum of 128",
            "Invalid 'messages': array too long. Expected an array with maximum length 2048",
            "Too many stop sequences",
            "n must be at most 1",
            "max_tokens must be less than or equal to the model maximum of 8192",
            "max_tokens exceeds model maximum 8192",
            "The model maximum output is 8192",
            "thinking.budget_tokens must be less than max_tokens",
            "max_output_tokens exceeds the maximum number of tokens 8192",
            "Invalid value for max_new_tokens: exceeds limit",
            "maxTokens exceeds the maximum number of tokens allowed",
            "The model `gpt-5` does not exist",
            "temperature exceeds maximum 2",
            "Your credit balance is too low",
            "monthly token limit exceeded",
            "Daily token limit exceeded",
            "token limit exceeded for your plan; upgrade",
            "Prompt was blocked by content policy",
            "PDF exceeds the maximum number of pages",
            "Request timed out: exceeds the maximum time",
            "num_ctx exceeds the model's context length",
            "The value of `max_tokens` (20000) exceeds the model's maximum context length",
            "Prompt contains an invalid role",
            "a maximum of 4 blocks with cache_control may be provided. found 5",
            "schema exceeds the maximum nesting depth",
            "invalid image: too large to process",
            "tool description exceeds the maximum length of 1024",
            "The tool schema input exceeds limit",
            "messages.5: tool_use ids exceed the maximum length",
            "metadata value too long",
            "Request exceeded the maximum number of input images",
            "",
        ] {
            assert_eq!(ModelErrorKind::from_message(Some(400), &[], message), None, "{message}");
        }
    }

    #[test]
    fn throttling_takes_precedence() {
        for (status, code, message) in [
            (Some(429), "", "Too many tokens, please wait before trying again."),
            (Some(400), "ThrottlingException", "Too many tokens, please wait before trying again."),
            (Some(400), "", "Too many tokens per day, please wait before trying again."),
            (None, "", "Too many tokens, please wait before trying again."),
            (Some(403), "", "API rate limit exceeded for user"),
            (Some(400), "", "Quota exceeded for quota metric 'Generate Content API requests per minute'"),
            (Some(400), "", "Rate limit is exceeded. Try again in 20 seconds."),
            (Some(400), "", "rate_limit_exceeded"),
            (Some(400), "", "rate limited"),
            (
                Some(400),
                "",
                "Requests to the API have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 5 seconds.",
            ),
            (Some(400), "", "Your requests are being throttled"),
            (Some(400), "", "tokens per minute limit reached"),
            (Some(400), "", "Number of request tokens has exceeded your per-minute rate limit"),
            (Some(400), "", "Input tokens per minute exceeded"),
            (Some(400), "", "Too many concurrent requests"),
            (Some(400), "", "Concurrency limit reached"),
            (Some(400), "", "Throughput exceeded: too many tokens per second"),
            (Some(400), "", "Model is throttled"),
            (Some(400), "", "litellm.RateLimitError: RateLimitError"),
            (Some(400), "", "Rate-limit exceeded"),
            (Some(400), "", "TPM limit exceeded: prompt too long for the minute"),
            (Some(400), "", "Max number of tokens per minute exceeded: input tokens exceed 30000"),
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
            assert_eq!(ModelErrorKind::from_message(status, &[code], message), Some(Throttled), "{message}");
        }
        let too_large = "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000.";
        assert_eq!(ModelErrorKind::from_message(Some(429), &[], too_large), Some(ContextOverflow));
        // A quota that is not named is not the context window either.
        assert_eq!(ModelErrorKind::from_message(Some(400), &[], "too many tokens, try again in 20s"), None);
    }

    #[test]
    fn recognizes_rejected_keys() {
        for message in [
            "Invalid API key provided",
            "Incorrect API key provided: xa***ai.",
            "The API key you provided is invalid",
            "API Key not found. Please pass a valid API key.",
            "You didn't provide an API key.",
            "invalid x-api-key",
            "Authentication Fails (no such user)",
            "Your api key is invalid",
            "Invalid Authentication",
            "Bad API key",
            "API key expired. Please renew the API key.",
            "No auth credentials found",
            "API key is missing",
            "The provided API key is incorrect",
            "Wrong API Key",
            "invalid api_key",
        ] {
            assert_eq!(ModelErrorKind::from_message(Some(400), &[], message), Some(Authentication), "{message}");
        }
        assert_eq!(ModelErrorKind::from_message(Some(500), &[], "invalid api key"), None);
    }

    #[test]
    fn examines_only_the_beginning_of_a_message() {
        let message = "exceed max_model_len ".repeat(1_000_000);
        assert_eq!(ModelErrorKind::from_message(Some(400), &[], &message), Some(ContextOverflow));
        let quoted = format!("no such field in {}prompt is too long", "ü".repeat(EXAMINED));
        assert_eq!(ModelErrorKind::from_message(Some(400), &[], &quoted), None);
    }

    #[test]
    fn compares_codes_without_case_and_separators() {
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
                ModelErrorKind::from_message(Some(400), &["invalid_request_error", code], "no"),
                Some(expected),
                "{code}"
            );
        }
        assert_eq!(ModelErrorKind::from_message(Some(413), &[], ""), Some(ContextOverflow));
        assert_eq!(ModelErrorKind::from_message(None, &["server_error"], ""), Some(Overloaded));
        assert_eq!(ModelErrorKind::from_message(Some(400), &["server_error"], ""), None);
        let xai = "Incorrect API key provided: xa***ai. You can obtain an API key from the console.";
        assert_eq!(ModelErrorKind::from_message(Some(400), &[], xai), Some(Authentication));
        let ollama = "error parsing tool call: raw='{\"a\":', err=unexpected end of JSON input";
        assert_eq!(ModelErrorKind::from_message(Some(500), &[], ollama), Some(MalformedOutput));
    }

    #[test]
    fn recognizes_stop_reasons_that_are_errors() {
        for (reason, expected) in [
            ("model_context_window_exceeded", Some(ContextOverflow)),
            ("context_length_exceeded", Some(ContextOverflow)),
            ("ERROR_LIMIT", Some(ContextOverflow)),
            ("window_exceeded", Some(ContextOverflow)),
            ("max_context", Some(ContextOverflow)),
            ("input_too_long", Some(ContextOverflow)),
            ("user_abort", Some(Transport)),
            ("client_disconnect", Some(Transport)),
            ("upstream_error", Some(Transport)),
            ("terminated", Some(Transport)),
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
            ("content_filter", None),
            ("tool_calls", None),
        ] {
            assert_eq!(ModelErrorKind::from_stop_reason(reason), expected, "{reason}");
        }
    }
}
