//! Keys of a session's snapshots, relative to the store's root, in the layout of Strands' snapshot session manager.

use uuid::Uuid;

/// The folder of all sessions that are stored as snapshots.
pub(crate) const SESSIONS: &str = "session";
const AGENTS: &str = "scopes/agent";
const MULTI_AGENTS: &str = "scopes/multiAgent";
const SNAPSHOTS: &str = "snapshots";
const HISTORY: &str = "immutable_history";
const SNAPSHOT: &str = "snapshot_";
const LATEST: &str = "snapshot_latest.json";
const JSON: &str = ".json";

/// Returns the folder of a session. The id is valid.
pub(super) fn session_folder(session_id: &str) -> String {
    format!("{SESSIONS}/{session_id}")
}

/// Returns the folder of a document's session, in this layout or in that of separate messages.
pub(crate) fn folder_of_session(key: &str) -> &str {
    let slashes = if key.split('/').next() == Some(SESSIONS) { 2 } else { 1 };
    key.match_indices('/').nth(slashes - 1).and_then(|(end, _)| key.get(..end)).unwrap_or(key)
}

/// Returns the folder of a session's agents. The id is valid.
pub(crate) fn agents_folder(session_id: &str) -> String {
    format!("{SESSIONS}/{session_id}/{AGENTS}")
}

/// Returns the key of an agent's latest snapshot. Both ids are valid.
pub(crate) fn latest(session_id: &str, agent_id: &str) -> String {
    format!("{SESSIONS}/{session_id}/{AGENTS}/{agent_id}/{SNAPSHOTS}/{LATEST}")
}

/// Returns the folder of a session's graphs and swarms. The id is valid.
pub(crate) fn multi_agents_folder(session_id: &str) -> String {
    format!("{SESSIONS}/{session_id}/{MULTI_AGENTS}")
}

/// Returns the key of the latest snapshot of a graph or swarm. Both ids are valid.
pub(crate) fn latest_of_multi_agent(session_id: &str, id: &str) -> String {
    format!("{SESSIONS}/{session_id}/{MULTI_AGENTS}/{id}/{SNAPSHOTS}/{LATEST}")
}

/// Returns the folder of an agent's checkpoints. Both ids are valid.
pub(super) fn history_folder(session_id: &str, agent_id: &str) -> String {
    format!("{SESSIONS}/{session_id}/{AGENTS}/{agent_id}/{SNAPSHOTS}/{HISTORY}")
}

/// Returns the key of a checkpoint. The id is valid.
pub(super) fn checkpoint(history_folder: &str, snapshot_id: &str) -> String {
    format!("{history_folder}/{SNAPSHOT}{snapshot_id}{JSON}")
}

/// Parses the snapshot id from a document's name. Returns `None` for names that Strands does not write.
pub(super) fn snapshot_id(name: &str) -> Option<&str> {
    let id = name.strip_prefix(SNAPSHOT)?.strip_suffix(JSON)?;
    let uuid = Uuid::try_parse(id).ok()?;
    let is_canonical = uuid.get_version_num() == 7 && uuid.hyphenated().to_string() == id;
    is_canonical.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_folder_of_a_documents_session() {
        for (key, folder) in [
            (latest("s-1", "main"), "session/s-1"),
            (checkpoint(&history_folder("s-1", "main"), "x"), "session/s-1"),
            ("session_s-1/agents/agent_main/agent.json".to_owned(), "session_s-1"),
            ("session_s-1".to_owned(), "session_s-1"),
        ] {
            assert_eq!(folder_of_session(&key), folder);
        }
    }

    #[test]
    fn parses_ids_from_snapshot_names_only() {
        let id = "01a20242-75c1-7566-8d83-051dcf42f567";
        assert_eq!(snapshot_id(&format!("snapshot_{id}.json")), Some(id));
        let strays = [
            "snapshot_latest.json",
            "snapshot_.json",
            "snapshot_01a20242-75c1-4566-8d83-051dcf42f567.json",
            "snapshot_01A20242-75C1-7566-8D83-051DCF42F567.json",
            "snapshot_01a2024275c175668d83051dcf42f567.json",
            "snapshot_{01a20242-75c1-7566-8d83-051dcf42f567}.json",
            "snapshot_01a20242-75c1-7566-8d83-051dcf42f567.json.bak",
            "01a20242-75c1-7566-8d83-051dcf42f567.json",
            ".strands_ab.tmp",
            "",
        ];
        for stray in strays {
            assert_eq!(snapshot_id(stray), None, "{stray}");
        }
    }
}
