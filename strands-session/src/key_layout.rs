//! Keys of a session's documents, relative to the store's root, in the layout of Strands.

/// The folders of sessions, agents and messages, as Strands names them.
const SESSION: &str = "session_";
const AGENTS: &str = "agents";
const AGENT: &str = "agent_";
const MESSAGES: &str = "messages";
const MESSAGE: &str = "message_";
const MULTI_AGENTS: &str = "multi_agents";
const MULTI_AGENT: &str = "multi_agent_";
const MULTI_AGENT_DOCUMENT: &str = "multi_agent.json";
const JSON: &str = ".json";
/// The folder of offloaded tool results, which Strands does not have.
const OFFLOADED: &str = "offloaded";

/// Returns the folder of a session. The id is valid.
pub(crate) fn session_folder(session_id: &str) -> String {
    format!("{SESSION}{session_id}")
}

/// Returns the key of a session's own document.
pub(crate) fn session_document(session_id: &str) -> String {
    format!("{SESSION}{session_id}/session{JSON}")
}

/// Returns the id of the session in a folder with this name.
pub(crate) fn session_id(folder: &str) -> Option<&str> {
    folder.strip_prefix(SESSION)
}

/// Returns the folder of a session's agents. The id is valid.
pub(crate) fn agents_folder(session_id: &str) -> String {
    format!("{SESSION}{session_id}/{AGENTS}")
}

/// Returns the id of the agent in a folder with this name.
pub(crate) fn agent_id(folder: &str) -> Option<&str> {
    folder.strip_prefix(AGENT)
}

/// Returns the key of an agent's record. Both ids are valid.
pub(crate) fn agent_document(session_id: &str, agent_id: &str) -> String {
    format!("{SESSION}{session_id}/{AGENTS}/{AGENT}{agent_id}/agent{JSON}")
}

/// Returns the folder of an agent's messages. Both ids are valid.
pub(crate) fn messages_folder(session_id: &str, agent_id: &str) -> String {
    format!("{SESSION}{session_id}/{AGENTS}/{AGENT}{agent_id}/{MESSAGES}")
}

/// Returns the folder of the runs of a session's graphs and swarms. The id is valid.
pub(crate) fn multi_agents_folder(session_id: &str) -> String {
    format!("{SESSION}{session_id}/{MULTI_AGENTS}")
}

/// Returns the id of the graph or swarm in a folder with this name.
pub(crate) fn multi_agent_id(folder: &str) -> Option<&str> {
    folder.strip_prefix(MULTI_AGENT)
}

/// Returns the key of the run of a graph or swarm. Both ids are valid.
pub(crate) fn multi_agent_document(session_id: &str, id: &str) -> String {
    format!("{SESSION}{session_id}/{MULTI_AGENTS}/{MULTI_AGENT}{id}/{MULTI_AGENT_DOCUMENT}")
}

/// Returns the key of a message's document.
pub(crate) fn message_document(messages_folder: &str, number: u64) -> String {
    format!("{messages_folder}/{MESSAGE}{number}{JSON}")
}

/// Returns the key of an offloaded text. Both ids are valid.
pub(crate) fn content_document(session_id: &str, key: &str) -> String {
    format!("{SESSION}{session_id}/{OFFLOADED}/{key}")
}

/// Parses the message number from a document's name. Returns `None` for names that Strands does not write.
pub(crate) fn message_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(MESSAGE)?.strip_suffix(JSON)?;
    let plain = digits == "0" || !digits.starts_with('0');
    if plain && digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_the_keys_of_strands() {
        assert_eq!(session_document("s-1"), "session_s-1/session.json");
        assert_eq!(agent_document("s-1", "main"), "session_s-1/agents/agent_main/agent.json");
        assert_eq!(multi_agent_document("s-1", "g"), "session_s-1/multi_agents/multi_agent_g/multi_agent.json");
        let messages = messages_folder("s-1", "main");
        assert_eq!(message_document(&messages, 12), "session_s-1/agents/agent_main/messages/message_12.json");
        assert_eq!(session_id(&session_folder("s-1")), Some("s-1"));
    }

    #[test]
    fn parses_numbers_from_message_names_only() {
        assert_eq!(message_number("message_0.json"), Some(0));
        assert_eq!(message_number("message_1024.json"), Some(1024));
        let strays = [
            "message_.json",
            "message_x.json",
            "message_01.json",
            "message_-1.json",
            "message_+1.json",
            "message_1.json.bak",
            "message_1",
            ".strands_ab.tmp",
            "message_ 1.json",
            "message_99999999999999999999.json",
            "notes.txt",
            "",
        ];
        for stray in strays {
            assert_eq!(message_number(stray), None, "{stray}");
        }
    }
}
