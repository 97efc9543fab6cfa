//! Table of servers with OpenAI's protocols, by host, and of their differences.

use strands_core::models::CallIdForm;

use crate::chat_completions::ReasoningReplay;

/// Server and its differences from others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// Domain of its hosts, which may have subdomains.
    domain: &'static str,
    /// Names of the provider in messages, over Chat Completions and over Responses. Default: the host.
    pub(super) names: Option<(&'static str, &'static str)>,
    /// Form in which reasoning is sent back.
    pub(super) replay: ReasoningReplay,
    /// Field of the max output tokens over Chat Completions. `None`: it depends on the model.
    pub(super) max_tokens: Option<&'static str>,
    /// Form of tool-call ids over Chat Completions, if the server does not accept any.
    pub(super) call_ids: Option<CallIdForm>,
    /// True if models that are known to follow JSON schemas do so on this server.
    pub(super) follows_schemas: bool,
}

/// Unknown server.
const UNKNOWN: Host = Host {
    domain: "",
    names: None,
    replay: ReasoningReplay::Never,
    max_tokens: None,
    call_ids: None,
    follows_schemas: false,
};

/// `max_tokens` is the older field, which OpenAI's reasoning models refuse and most other servers require.
const NEWER: Option<&str> = Some("max_completion_tokens");
const OLDER: Option<&str> = Some("max_tokens");

/// "Expected a string with maximum length 40", OpenAI's error about `tool_calls[0].id`, also behind other servers.
const SHORT: Option<CallIdForm> = Some(CallIdForm::up_to(40));

const fn replaying(domain: &'static str, replay: ReasoningReplay) -> Host {
    Host { domain, replay, max_tokens: OLDER, ..UNKNOWN }
}

const HOSTS: [Host; 11] = [
    Host {
        domain: "api.openai.com",
        names: Some(("openai", "openai-responses")),
        replay: ReasoningReplay::Never,
        max_tokens: NEWER,
        call_ids: SHORT,
        follows_schemas: true,
    },
    // Reasoning models refuse an assistant message without `reasoning_content`
    // (<https://api-docs.deepseek.com/guides/thinking_mode>).
    replaying("deepseek.com", ReasoningReplay::Content),
    // Likewise (<https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model>).
    replaying("moonshot.ai", ReasoningReplay::Content),
    replaying("moonshot.cn", ReasoningReplay::Content),
    replaying("kimi.com", ReasoningReplay::Content),
    // It is sent back with tool results (<https://docs.z.ai/guides/capabilities/thinking-mode>).
    replaying("z.ai", ReasoningReplay::Content),
    replaying("bigmodel.cn", ReasoningReplay::Content),
    // With signatures and encrypted parts (<https://openrouter.ai/docs/use-cases/reasoning-tokens>).
    Host { call_ids: SHORT, ..replaying("openrouter.ai", ReasoningReplay::Details) },
    Host { domain: "openai.azure.com", max_tokens: NEWER, call_ids: SHORT, ..UNKNOWN },
    Host { domain: "cognitiveservices.azure.com", max_tokens: NEWER, call_ids: SHORT, ..UNKNOWN },
    Host { domain: "githubcopilot.com", call_ids: SHORT, ..UNKNOWN },
];

/// Returns the server at a host.
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
    fn finds_servers_by_host() {
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
    fn names_openai_at_its_own_hosts_only() {
        for (host, own) in [("api.openai.com", true), ("eu.api.openai.com", true), ("notapi.openai.com", false)] {
            assert_eq!(of(host).names.is_some(), own, "{host}");
        }
    }
}
