//! Choice of the semantic conventions, and of the content to capture.

/// Variable with the tokens that choose semantic conventions.
const OPT_IN: &str = "OTEL_SEMCONV_STABILITY_OPT_IN";

/// Token with the attributes that Strands for Python does not redact.
const UNREDACTED: &str = "gen_ai_unredacted_attributes";

/// Variable that turns the capture of content on.
const CAPTURE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

/// Choice of the semantic conventions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conventions {
    /// The latest names rather than the legacy ones.
    pub(crate) latest: bool,
    /// Specifications of tools on the span of the agent.
    pub(crate) tool_definitions: bool,
    /// Content as attributes of spans rather than events.
    pub(crate) attributes_only: bool,
    /// Prompts, responses, and arguments and results of tools.
    pub(crate) content: bool,
}

impl Conventions {
    /// Reads the choice from variables.
    pub(crate) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let opt_in = variable(OPT_IN).unwrap_or_default();
        let is_true = |value: String| value.eq_ignore_ascii_case("true") || value == "1";
        Self { content: variable(CAPTURE).is_some_and(is_true), ..Self::default() }.with_opt_in(&opt_in)
    }

    /// Applies a list of tokens, separated by commas. Unknown ones are ignored, since the variable is for all libraries.
    pub(crate) fn with_opt_in(self, tokens: &str) -> Self {
        let has = |name: &str| tokens.split(',').any(|token| token.trim() == name);
        Self {
            latest: has("gen_ai_latest_experimental"),
            tool_definitions: has("gen_ai_tool_definitions"),
            attributes_only: has("gen_ai_span_attributes_only"),
            // Redaction was asked for, and single attributes can't be chosen here.
            content: self.content && !tokens.split(',').any(|token| token.trim().starts_with(UNREDACTED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tokens_of_the_standard_variable() {
        let read = |opt_in: &str, capture: &str| {
            Conventions::from_variables(|name| match name {
                OPT_IN => Some(opt_in.to_owned()),
                CAPTURE => Some(capture.to_owned()),
                _ => None,
            })
        };
        let none = read("http,database", "false");
        assert!(!none.latest && !none.content && !none.tool_definitions && !none.attributes_only);
        let all = read("http, gen_ai_latest_experimental,gen_ai_tool_definitions,gen_ai_span_attributes_only", "TRUE");
        assert!(all.latest && all.content && all.tool_definitions && all.attributes_only);
        assert!(!Conventions::from_variables(|_| None).content, "content is off by default");
        assert!(!read("gen_ai_unredacted_attributes=gen_ai.choice;gen_ai.*", "true").content, "redaction is asked for");
    }
}
