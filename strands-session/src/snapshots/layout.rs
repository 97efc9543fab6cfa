//! Where the snapshots of a session are, relative to the store's root: the keys of Strands' snapshot session manager.

use uuid::Uuid;

/// The folder of all sessions that are kept as snapshots.
const SESSIONS: &str = "session";
const AGENTS: &str = "scopes/agent";
const SNAPSHOTS: &str = "snapshots";
const HISTORY: &str = "immutable_history";
const SNAPSHOT: &str = "snapshot_";
const LATEST: &str = "snapshot_latest.json";
const JSON: &str = ".json";

/// The folder of a session. The id is valid.
pub(super) fn session_folder(session_id: &str) -> String {
    format!("{SESSIONS}/{session_id}")
}

/// The folder of the session that a document is of, in this layout or in that of separate messages.
pub(crate) fn folder_of_session(key: &str) -> &str {
    let slashes = if key.split('/').next() == Some(SESSIONS) { 2 } else { 1 };
    key.match_indices('/').nth(slashes - 1).and_then(|(end, _)| key.get(..end)).unwrap_or(key)
}

/// The snapshot that an agent goes on from. Both ids are valid.
pub(super) fn latest(session_id: &str, agent_id: &str) -> String {
    format!("{SESSIONS}/{session_id}/{AGENTS}/{agent_id}/{SNAPSHOTS}/{LATEST}")
}

/// The folder of the snapshots of an agent that stay as they are. Both ids are valid.
pub(super) fn history_folder(session_id: &str, agent_id: &str) -> String {
    format!("{SESSIONS}/{session_id}/{AGENTS}/{agent_id}/{SNAPSHOTS}/{HISTORY}")
}

/// A snapshot that stays as it is. The id is valid.
pub(super) fn kept(history_folder: &str, snapshot_id: &str) -> String {
    format!("{history_folder}/{SNAPSHOT}{snapshot_id}{JSON}")
}

/// The id of the snapshot in a document of this name. Anything that Strands would not have written is no snapshot.
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
    fn a_document_is_of_one_session() {
        for (key, folder) in [
            (latest("s-1", "main"), "session/s-1"),
            (kept(&history_folder("s-1", "main"), "x"), "session/s-1"),
            ("session_s-1/agents/agent_main/agent.json".to_owned(), "session_s-1"),
            ("session_s-1".to_owned(), "session_s-1"),
        ] {
            assert_eq!(folder_of_session(&key), folder);
        }
    }

    #[test]
    fn only_snapshots_have_ids() {
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
