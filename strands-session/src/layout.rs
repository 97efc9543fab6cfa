//! Where a session's documents are, relative to the store's root: the keys of Strands.

/// The folders of sessions, agents and messages, as Strands names them.
const SESSION: &str = "session_";
const AGENTS: &str = "agents";
const AGENT: &str = "agent_";
const MESSAGES: &str = "messages";
const MESSAGE: &str = "message_";
const JSON: &str = ".json";
/// The folder of what is too long for conversations: ours, beside those of Strands.
const OFFLOADED: &str = "offloaded";

/// The folder of a session. The id is valid.
pub(crate) fn session_folder(session_id: &str) -> String {
    format!("{SESSION}{session_id}")
}

/// The document that says that a session is one.
pub(crate) fn session_document(session_id: &str) -> String {
    format!("{SESSION}{session_id}/session{JSON}")
}

/// The id of the session in a folder of this name.
pub(crate) fn session_id(folder: &str) -> Option<&str> {
    folder.strip_prefix(SESSION)
}

/// The document of what is kept of an agent beside its messages. Both ids are valid.
pub(crate) fn agent_document(session_id: &str, agent_id: &str) -> String {
    format!("{SESSION}{session_id}/{AGENTS}/{AGENT}{agent_id}/agent{JSON}")
}

/// The folder of an agent's messages. Both ids are valid.
pub(crate) fn messages_folder(session_id: &str, agent_id: &str) -> String {
    format!("{SESSION}{session_id}/{AGENTS}/{AGENT}{agent_id}/{MESSAGES}")
}

/// A message's document.
pub(crate) fn message_document(messages_folder: &str, number: u64) -> String {
    format!("{messages_folder}/{MESSAGE}{number}{JSON}")
}

/// A text that is too long for the session's conversations. Both ids are valid.
pub(crate) fn content_document(session_id: &str, key: &str) -> String {
    format!("{SESSION}{session_id}/{OFFLOADED}/{key}")
}

/// The number of the message in a document of this name. Anything that Strands would not have written is no message.
pub(crate) fn message_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(MESSAGE)?.strip_suffix(JSON)?;
    let plain = digits == "0" || !digits.starts_with('0');
    if plain && digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_strands() {
        assert_eq!(session_document("s-1"), "session_s-1/session.json");
        assert_eq!(agent_document("s-1", "main"), "session_s-1/agents/agent_main/agent.json");
        let messages = messages_folder("s-1", "main");
        assert_eq!(message_document(&messages, 12), "session_s-1/agents/agent_main/messages/message_12.json");
        assert_eq!(session_id(&session_folder("s-1")), Some("s-1"));
    }

    #[test]
    fn only_messages_have_numbers() {
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
