//! Sessions of the reference implementation are read and continued. They are not part of the repository: the variable
//! `STRANDS_SHARED` has their folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{append_all, open};
use serde_json::{Map, Value, json};
use strands_core::message::Message;
use strands_core::session::{MessageBatch, MessageRange, OpenedSession};
use strands_session::SessionStore;
use strands_testkit::recording::shared_path;
use tempfile::TempDir;

/// A session in files, copied from the reference, with its expected content.
struct Case {
    name: String,
    expected: Value,
    folder: TempDir,
    store: SessionStore,
}

impl Case {
    fn session_id(&self) -> &str {
        self.expected["session_id"].as_str().unwrap()
    }

    /// Returns the agents of the case by their ids. Orchestrators are left out.
    fn agents(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.expected["agents"].as_object().into_iter().flatten()
    }

    fn document(&self, agent_id: &str, name: &str) -> PathBuf {
        let session = format!("session_{}", self.session_id());
        self.folder.path().join(session).join("agents").join(format!("agent_{agent_id}")).join(name)
    }

    async fn open(&self, agent_id: &str) -> OpenedSession {
        open(&self.store, self.session_id(), agent_id).await
    }
}

/// Returns all cases that are sessions in this layout, or none without the shared test data.
fn cases() -> Vec<Case> {
    let Some(root) = shared_path("sessions") else { return Vec::new() };
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() >= 16, "cases are missing: {folders:?}");
    folders.retain(|folder| !folder.join("storage").is_dir());
    folders.iter().map(|folder| case(folder)).collect()
}

fn case(folder: &Path) -> Case {
    let expected = fs::read(folder.join("expected.json")).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            copy_folder(&path, &copy.path().join(path.file_name().unwrap()));
        }
    }
    Case {
        name: folder.file_name().unwrap().display().to_string(),
        expected: serde_json::from_slice(&expected).unwrap(),
        store: SessionStore::files(copy.path()),
        folder: copy,
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text_of(message: &Message) -> String {
    message.content.iter().filter_map(|block| block.as_text()).collect::<Vec<_>>().join("")
}

/// A reader gets all messages on the disk, except those that a conversation manager has removed.
#[tokio::test]
async fn reads_messages_of_the_reference_unchanged() {
    for case in cases() {
        for (agent_id, expected) in case.agents() {
            let location = format!("{}, agent {agent_id}", case.name);
            let mut opened = case.open(agent_id).await;
            let messages = opened.session.read(&MessageRange::default()).await.unwrap();
            assert_eq!(messages.len() as u64, expected["message_files_on_disk"].as_u64().unwrap(), "{location}");
            for (number, message) in messages.iter().enumerate() {
                let document = json_file(&case.document(agent_id, &format!("messages/message_{number}.json")));
                let redacted = &document["redact_message"];
                let written = if redacted.is_null() { &document["message"] } else { redacted };
                assert_eq!(&serde_json::to_value(&**message).unwrap(), written, "{location}, message {number}");
            }

            // Messages after those that a window has removed are equal to those that the reference restores.
            let removed = expected["conversation_manager_state"]["removed_message_count"].as_u64().unwrap();
            let remaining = opened.session.read(&MessageRange::new(removed, Vec::new())).await.unwrap();
            let restored = expected["messages"].as_array().unwrap();
            let summary = usize::from(!expected["conversation_manager_state"]["summary_message"].is_null());
            assert_eq!(remaining.len() + summary, restored.len(), "{location}");
            for (message, expected) in remaining.iter().zip(&restored[summary..]) {
                assert_eq!(&serde_json::to_value(&**message).unwrap(), expected, "{location}");
            }
            let texts = expected["texts"].as_array().unwrap();
            for (message, text) in remaining.iter().zip(&texts[summary..]) {
                assert_eq!(text_of(message), text.as_str().unwrap_or_default(), "{location}");
            }
        }
    }
}

#[tokio::test]
async fn reads_records_of_the_reference_unchanged() {
    for case in cases() {
        for (agent_id, expected) in case.agents() {
            let location = format!("{}, agent {agent_id}", case.name);
            let record = case.open(agent_id).await.record.unwrap();
            assert_eq!(&record.agent_id, agent_id, "{location}");
            for (found, name) in [
                (&record.state, "state"),
                (&record.conversation_manager_state, "conversation_manager_state"),
                (&record.internal_state.interrupt_state, "interrupt_state"),
                (&record.internal_state.model_state, "model_state"),
            ] {
                assert_eq!(&Value::Object(found.clone()), &expected[name], "{location}: {name}");
            }
            assert!(record.unknown.is_empty() && record.internal_state.unknown.is_empty(), "{location}: {record:?}");
        }
        assert_eq!(case.store.list().await.unwrap(), [case.session_id()], "{}", case.name);
    }
}

/// Unknown fields of a later version are preserved, with their order, when a document is rewritten.
#[tokio::test]
async fn preserves_unknown_fields_of_a_rewritten_record() {
    for case in cases() {
        for (agent_id, expected) in case.agents() {
            let location = format!("{}, agent {agent_id}", case.name);
            let path = case.document(agent_id, "agent.json");
            let mut document: Map<String, Value> = serde_json::from_value(json_file(&path)).unwrap();
            document.insert("later".to_owned(), json!({"a": [1, "日本"]}));
            document["_internal_state"]["later"] = json!("inside");
            fs::write(&path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();

            let mut opened = case.open(agent_id).await;
            opened.session.save(opened.record.as_ref().unwrap()).await.unwrap();
            assert_eq!(json_file(&path), Value::Object(document.clone()), "{location}: nothing has changed");
            let mut record = opened.record.unwrap();
            record.state.insert("ours".to_owned(), json!(1));
            opened.session.save(&record).await.unwrap();
            let mut written: Map<String, Value> = serde_json::from_value(json_file(&path)).unwrap();
            assert_ne!(written["updated_at"], document["updated_at"], "{location}");
            document.remove("updated_at");
            written.remove("updated_at");
            document["state"]["ours"] = json!(1);
            assert_eq!(written, document, "{location}");

            let newest = expected["message_files_on_disk"].as_u64().unwrap().checked_sub(1).unwrap();
            let path = case.document(agent_id, &format!("messages/message_{newest}.json"));
            let mut document = json_file(&path);
            document["later"] = json!(true);
            document["message"]["content"][0]["later"] = json!(true);
            fs::write(&path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
            let messages = opened.session.read(&MessageRange::default()).await.unwrap();
            opened.session.write(&MessageBatch::replace(Message::clone(messages.last().unwrap()))).await.unwrap();
            let mut written = json_file(&path);
            written["updated_at"] = document["updated_at"].clone();
            assert_eq!(written, document, "{location}");
        }
    }
}

/// A written document has the names, the order and the types of the reference.
#[tokio::test]
async fn appends_messages_in_the_format_of_the_reference() {
    for case in cases() {
        for (agent_id, expected) in case.agents() {
            let on_disk = usize::try_from(expected["message_files_on_disk"].as_u64().unwrap()).unwrap();
            let mut opened = case.open(agent_id).await;
            opened.session.read(&MessageRange::new(u64::MAX, Vec::new())).await.unwrap();
            append_all(&mut *opened.session, on_disk..on_disk + 1).await;
            let theirs = json_file(&case.document(agent_id, "messages/message_0.json"));
            let ours = json_file(&case.document(agent_id, &format!("messages/message_{on_disk}.json")));
            let names = |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            // One field is ours: the truncation that the writer knew.
            let mut expected = names(&theirs);
            expected.push("follows_truncation".to_owned());
            assert_eq!(names(&ours), expected, "{}", case.name);
            assert_eq!(ours["message_id"], json!(on_disk));
            for time in ["created_at", "updated_at"] {
                let shape = |document: &Value| {
                    let digits = |letter: char| if letter.is_ascii_digit() { '0' } else { letter };
                    document[time].as_str().unwrap().chars().map(digits).collect::<String>()
                };
                assert_eq!(shape(&ours), shape(&theirs), "{}", case.name);
            }
            let raw = fs::read_to_string(case.document(agent_id, &format!("messages/message_{on_disk}.json"))).unwrap();
            assert!(raw.starts_with("{\n  \"message\": {\n    \"role\": ") && !raw.ends_with('\n'), "{raw}");
        }
    }
}

/// Orchestrators are not implemented yet; their documents stay unchanged.
#[tokio::test]
async fn does_not_write_documents_of_orchestrators() {
    for case in cases().iter().filter(|case| case.expected["multi_agent_id"].is_string()) {
        let id = case.expected["multi_agent_id"].as_str().unwrap();
        let session = case.folder.path().join(format!("session_{}", case.session_id()));
        let path = session.join(format!("multi_agents/multi_agent_{id}/multi_agent.json"));
        let before = fs::read(&path).unwrap();
        assert_eq!(json_file(&path), case.expected["state"], "{}", case.name);
        let mut opened = case.open("main").await;
        assert!(opened.record.is_none() && opened.session.read(&MessageRange::default()).await.unwrap().is_empty());
        append_all(&mut *opened.session, 0..2).await;
        assert_eq!(fs::read(&path).unwrap(), before, "{}", case.name);
        assert_eq!(case.store.list().await.unwrap(), [case.session_id()]);
    }
}
