//! Servers over OpenAI's protocols that are known by their hosts: a table, so that each difference is a cell.

use strands_core::models::CallIdForm;

use crate::chat_completions::ReasoningReplay;

/// A server, and what it wants or is able to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// The domain that its hosts are, or are below.
    domain: &'static str,
    /// The names under which its answers begin over Chat Completions and over Responses. Without them the host is the name.
    pub(super) names: Option<(&'static str, &'static str)>,
    /// The form in which its models get their reasoning back.
    pub(super) replay: ReasoningReplay,
    /// Form of tool-call ids over Chat Completions, where it does not accept any.
    pub(super) call_ids: Option<CallIdForm>,
    /// True if models that are known to follow JSON schemas do so there.
    pub(super) follows_schemas: bool,
}

/// A server that nothing is known of.
const UNKNOWN: Host =
    Host { domain: "", names: None, replay: ReasoningReplay::Never, call_ids: None, follows_schemas: false };

/// "Expected a string with maximum length 40", which OpenAI says of `tool_calls[0].id`, also behind others.
const SHORT: Option<CallIdForm> = Some(CallIdForm::up_to(40));

const fn replaying(domain: &'static str, replay: ReasoningReplay) -> Host {
    Host { domain, replay, ..UNKNOWN }
}

const HOSTS: [Host; 11] = [
    Host {
        domain: "api.openai.com",
        names: Some(("openai", "openai-responses")),
        replay: ReasoningReplay::Never,
        call_ids: SHORT,
        follows_schemas: true,
    },
    // Thinking models refuse an assistant message without `reasoning_content`
    // (<https://api-docs.deepseek.com/guides/thinking_mode>).
    replaying("deepseek.com", ReasoningReplay::Content),
    // Likewise (<https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model>).
    replaying("moonshot.ai", ReasoningReplay::Content),
    replaying("moonshot.cn", ReasoningReplay::Content),
    replaying("kimi.com", ReasoningReplay::Content),
    // It goes back beside tool results (<https://docs.z.ai/guides/capabilities/thinking-mode>).
    replaying("z.ai", ReasoningReplay::Content),
    replaying("bigmodel.cn", ReasoningReplay::Content),
    // With signatures and encrypted parts (<https://openrouter.ai/docs/use-cases/reasoning-tokens>).
    Host { call_ids: SHORT, ..replaying("openrouter.ai", ReasoningReplay::Details) },
    Host { domain: "openai.azure.com", call_ids: SHORT, ..UNKNOWN },
    Host { domain: "cognitiveservices.azure.com", call_ids: SHORT, ..UNKNOWN },
    Host { domain: "githubcopilot.com", call_ids: SHORT, ..UNKNOWN },
];

/// The server at a host.
pub(super) fn of(host: &str) -> &'static Host {
    let is_below = |domain: &str| {
        let at = host.len().checked_sub(domain.len());
        let name = at.and_then(|at| host.split_at_checked(at));
        name.is_some_and(|(below, name)| {
            name.eq_ignore_ascii_case(domain) && (below.is_empty() || below.ends_with('.'))
        })
    };
    HOSTS.iter().find(|known| is_below(known.domain)).unwrap_or(&UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_hosts() {
        for (host, replay) in [
            ("api.deepseek.com", ReasoningReplay::Content),
            ("API.DeepSeek.com", ReasoningReplay::Content),
            ("api.moonshot.ai", ReasoningReplay::Content),
            ("api.moonshot.cn", ReasoningReplay::Content),
            ("api.kimi.com", ReasoningReplay::Content),
            ("api.z.ai", ReasoningReplay::Content),
            ("open.bigmodel.cn", ReasoningReplay::Content),
            ("openrouter.ai", ReasoningReplay::Details),
            ("notopenrouter.ai", ReasoningReplay::Never),
            ("deepseek.com.example", ReasoningReplay::Never),
            ("com", ReasoningReplay::Never),
            ("", ReasoningReplay::Never),
            ("api.openai.com", ReasoningReplay::Never),
        ] {
            assert_eq!(of(host).replay, replay, "{host}");
        }
    }

    #[test]
    fn openai_has_servers_of_its_own() {
        for (host, own) in [("api.openai.com", true), ("eu.api.openai.com", true), ("notapi.openai.com", false)] {
            assert_eq!(of(host).names.is_some(), own, "{host}");
        }
    }
}
