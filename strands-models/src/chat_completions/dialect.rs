//! What a server wants otherwise than OpenAI does: data, so that the protocol itself is written once.

use std::borrow::Cow;

use serde_json::Value;
use strands_core::model::RefusalKind;

use super::ReasoningReplay;
use super::content::Media;
use crate::http::Refusal;

/// How a server speaks Chat Completions.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    /// The name under which answers begin, and whose content in a conversation is sent.
    pub(crate) provider: Cow<'static, str>,
    /// What may be sent beside text.
    pub(crate) media: Media,
    /// Whether usage has to be asked for, with `stream_options`.
    pub(crate) asks_for_usage: bool,
    /// Whether content that is one text is sent as text, and not as a list with a part.
    pub(crate) plain_text: bool,
    /// The `tool_choice` for any tool.
    pub(crate) any_tool: &'static str,
    /// Whether `tool_choice` takes a name. Where it does not, that tool is sent alone.
    pub(crate) named_choice: bool,
    /// Whether ids of calls must be nine letters and digits.
    pub(crate) short_ids: bool,
    /// Whether a tool's message may have media. Where not, they follow in a user's.
    pub(crate) media_in_results: bool,
    /// What the model is made to say between the results of tools and a user's words, where these may not follow.
    pub(crate) after_results: Option<&'static str>,
    /// The form in which the model gets its reasoning back.
    pub(crate) replay: ReasoningReplay,
    /// True if an assistant message without reasoning has an empty `reasoning_content`, where that is the form.
    pub(crate) empty_reasoning: bool,
    /// What only this server says when it does not do what it was asked; the rest is sorted as everybody's.
    pub(crate) sort: fn(&mut Refusal, &Value) -> Option<RefusalKind>,
}

impl Dialect {
    /// As OpenAI speaks.
    pub(crate) fn openai(provider: impl Into<Cow<'static, str>>, replay: ReasoningReplay) -> Self {
        Self {
            provider: provider.into(),
            media: Media::OPENAI,
            asks_for_usage: true,
            plain_text: false,
            any_tool: "required",
            named_choice: true,
            short_ids: false,
            media_in_results: false,
            after_results: None,
            replay,
            empty_reasoning: true,
            sort: |_, _| None,
        }
    }

    /// The id of a call as the server takes it: the same for a call and its result, and for every request.
    pub(super) fn call_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        if !self.short_ids || (id.len() == SHORT_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return Cow::Borrowed(id);
        }
        // FNV-1a, 64 bits: two ids of one conversation do not meet.
        let mut hash = id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let mut short = String::with_capacity(SHORT_ID);
        for _ in 0..SHORT_ID {
            // The remainder is below 36, which is a digit or a small letter.
            short.extend(u32::try_from(hash % 36).ok().and_then(|digit| char::from_digit(digit, 36)));
            hash /= 36;
        }
        Cow::Owned(short)
    }
}

/// How long an id of a call is for Mistral.
const SHORT_ID: usize = 9;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn short_ids_are_what_mistral_takes(id in ".{0,40}", other in ".{0,40}") {
            let dialect = Dialect { short_ids: true, ..Dialect::openai("x", ReasoningReplay::Never) };
            let short = dialect.call_id(&id);
            prop_assert_eq!(short.len(), 9);
            prop_assert!(short.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(dialect.call_id(&short), short.clone(), "an id that is right stays as it is");
            prop_assert_eq!(dialect.call_id(&other) == short, other == id || other == short);
        }
    }
}
