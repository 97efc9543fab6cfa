//! The file store: foreign files in the folder, errors of the system, and permissions.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::processes::{command, orders};
use crate::support::{append_all, chain, open, read_texts, texts, try_open};
use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError, SessionManager as _};
use strands_session::{FileSessionManager, SessionStore};
use tempfile::TempDir;

fn folder() -> (TempDir, SessionStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::files(folder.path());
    (folder, store)
}

fn agent(root: &Path) -> PathBuf {
    root.join("session_s/agents/agent_main")
}

/// Returns the relative paths of all files and folders below a folder.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(root).unwrap().display().to_string());
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Entry point of the process of the test below, not a test.
#[tokio::test]
async fn writer_of_a_large_batch() {
    let Some(orders) = orders() else { return };
    let sessions = SessionStore::files(orders["folder"].as_str().unwrap());
    let many: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    let batch = MessageBatch::append(many.iter().map(|text| Message::user(text.as_str())));
    open(&sessions, "s", "main").await.session.write(&batch).await.unwrap();
    assert_eq!(texts(&sessions, "s", "main").await, many);
}

#[test]
fn writes_a_large_batch_with_few_open_files() {
    let folder = tempfile::tempdir().unwrap();
    let orders = json!({"folder": folder.path()});
    let worker = command("files::writer_of_a_large_batch", &orders);
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"ulimit -n 100 && exec "$0" "$@""#]).arg(worker.get_program()).args(worker.get_args());
    limited.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let left = tree(folder.path());
    assert_eq!(left.iter().filter(|path| path.contains("/message_")).count(), 400);
    assert!(!left.iter().any(|path| path.ends_with(".tmp")), "{left:?}");
}

#[tokio::test]
async fn writes_the_layout_of_strands_with_private_permissions() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("made/on/demand");
    let manager = FileSessionManager::builder("s").dir(&root).build().await.unwrap();
    let mut session = manager.open("main").await.unwrap().session;
    assert!(tree(outer.path()).is_empty(), "opening writes nothing");
    append_all(&mut *session, 0..2).await;
    let mut record = AgentRecord::new("main");
    record.state.insert("k".to_owned(), json!(1));
    session.save(&record).await.unwrap();
    assert_eq!(
        tree(&root),
        [
            "session_s",
            "session_s/.strands.lock",
            "session_s/agents",
            "session_s/agents/agent_main",
            "session_s/agents/agent_main/agent.json",
            "session_s/agents/agent_main/messages",
            "session_s/agents/agent_main/messages/message_0.json",
            "session_s/agents/agent_main/messages/message_1.json",
            "session_s/session.json",
        ]
    );
    for path in tree(&root).iter().map(|path| root.join(path)).chain([root.clone()]) {
        let metadata = fs::metadata(&path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
    }
    let session: Value = serde_json::from_slice(&fs::read(root.join("session_s/session.json")).unwrap()).unwrap();
    let keys: Vec<&String> = session.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["session_id", "session_type", "created_at", "updated_at"]);
    assert_eq!(session["session_type"], "AGENT");
    let time = session["created_at"].as_str().unwrap();
    assert_eq!((time.len(), time.get(10..11), time.get(26..)), (32, Some("T"), Some("+00:00")), "{time}");
}

#[tokio::test]
async fn ignores_files_that_are_not_messages() {
    let (root, store) = folder();
    append_all(&mut *open(&store, "s", "main").await.session, 0..2).await;
    let messages = agent(root.path()).join("messages");
    for stray in
        ["message_x.json", "message_1.json.bak", ".DS_Store", ".strands_0123.tmp", "notes.txt", "message_01.json"]
    {
        fs::write(messages.join(stray), "not for us").unwrap();
    }
    fs::create_dir(messages.join("sub")).unwrap();
    fs::write(messages.join("sub/message_7.json"), "nor this").unwrap();
    fs::write(root.path().join("session_s/agents/README"), "nor this").unwrap();
    fs::create_dir(root.path().join("not_a_session")).unwrap();
    let before = tree(root.path());

    assert_eq!(texts(&store, "s", "main").await, ["message 0", "message 1"]);
    append_all(&mut *open(&store, "s", "main").await.session, 2..3).await;
    assert_eq!(store.list().await.unwrap(), ["s"]);
    let mut after = tree(root.path());
    after.retain(|path| !path.ends_with("message_2.json"));
    assert_eq!(after, before);
}

#[tokio::test]
async fn deletes_old_temporary_files_of_a_crash() {
    let (root, store) = folder();
    append_all(&mut *open(&store, "s", "main").await.session, 0..1).await;
    let messages = agent(root.path()).join("messages");
    let (old, young, foreign) =
        (messages.join(".strands_00.tmp"), messages.join(".strands_01.tmp"), messages.join("other.tmp"));
    for path in [&old, &young, &foreign] {
        fs::write(path, "half").unwrap();
    }
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 60 * 60);
    for path in [&old, &foreign] {
        fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    texts(&store, "s", "main").await;
    assert_eq!((old.exists(), young.exists(), foreign.exists()), (false, true, true));
}

#[tokio::test]
async fn does_not_follow_symbolic_links() {
    let outside = tempfile::tempdir().unwrap();
    let (victim_root, victim_store) = (outside.path(), SessionStore::files(outside.path()));
    append_all(&mut *open(&victim_store, "s", "main").await.session, 0..2).await;
    let before = tree(victim_root);
    let contents = fs::read(agent(victim_root).join("messages/message_0.json")).unwrap();

    for link in [
        "session_s",
        "session_s/agents",
        "session_s/agents/agent_main",
        "session_s/agents/agent_main/agent.json",
        "session_s/agents/agent_main/messages",
        "session_s/agents/agent_main/messages/message_1.json",
        "session_s/.strands.lock",
    ] {
        let (root, store) = folder();
        if link.ends_with("message_1.json") || link.ends_with(".lock") {
            append_all(&mut *open(&store, "s", "main").await.session, 0..1).await;
        }
        let path = root.path().join(link);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(victim_root.join(link), &path).unwrap();

        let mut errors = Vec::new();
        match try_open(&store, "s", "main").await {
            Err(error) => errors.push(error),
            Ok(mut opened) => {
                errors.extend(opened.session.read(&MessageRange::default()).await.err());
                errors.extend(opened.session.write(&MessageBatch::append([Message::user("through")])).await.err());
                let mut record = AgentRecord::new("main");
                record.state.insert("k".to_owned(), json!("through"));
                errors.extend(opened.session.save(&record).await.err());
            }
        }
        assert!(!errors.is_empty(), "{link}");
        for error in &errors {
            let text = chain(error);
            assert!(matches!(error, SessionError::Storage { .. }), "{link}: {text}");
            assert!(text.contains("is a symbolic link"), "{link}: {text}");
        }
        if link == "session_s" {
            assert!(store.delete("s").await.is_err());
            assert!(store.list().await.unwrap().is_empty());
        }
        assert_eq!(tree(victim_root), before, "{link}");
        assert_eq!(fs::read(agent(victim_root).join("messages/message_0.json")).unwrap(), contents);
        assert_eq!(texts(&victim_store, "s", "main").await, ["message 0", "message 1"], "{link}");
    }
}

/// A link in a session is deleted with the session; its target is not.
#[tokio::test]
async fn deletes_nothing_outside_of_a_deleted_session() {
    let (outside, victim) = folder();
    append_all(&mut *open(&victim, "s", "main").await.session, 0..1).await;
    let (root, store) = folder();
    append_all(&mut *open(&store, "s", "main").await.session, 0..1).await;
    symlink(outside.path(), root.path().join("session_s/link")).unwrap();
    store.delete("s").await.unwrap();
    assert!(tree(root.path()).is_empty());
    assert_eq!(texts(&victim, "s", "main").await, ["message 0"]);
}

#[tokio::test]
async fn rejects_a_pipe_instead_of_a_document() {
    let (root, store) = folder();
    append_all(&mut *open(&store, "s", "main").await.session, 0..1).await;
    let pipe = agent(root.path()).join("messages/message_1.json");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let error = open(&store, "s", "main").await.session.read(&MessageRange::default()).await.unwrap_err();
    assert!(chain(&error).contains("it is not a regular file"), "{}", chain(&error));
}

#[tokio::test]
async fn names_a_corrupt_file_and_does_not_change_it() {
    let (root, store) = folder();
    append_all(&mut *open(&store, "s", "main").await.session, 0..3).await;
    let path = agent(root.path()).join("messages/message_1.json");
    let whole = fs::read(&path).unwrap();
    for broken in [&whole[..whole.len() / 2], b"", b"\xff\xfe", b"[]", b"{}"] {
        fs::write(&path, broken).unwrap();
        let mut opened = open(&store, "s", "main").await;
        let error = opened.session.read(&MessageRange::default()).await.unwrap_err();
        assert!(matches!(error, SessionError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&path).unwrap(), broken);
        // A range without the corrupt message can still be read.
        let rest = opened.session.read(&MessageRange::new(2, vec![0])).await.unwrap();
        assert_eq!(rest.len(), 2);
    }
}

#[tokio::test]
async fn does_not_write_documents_of_orchestrators_and_other_agents() {
    let (root, store) = folder();
    append_all(&mut *open(&store, "s", "main").await.session, 0..1).await;
    let other = root.path().join("session_s/multi_agents/multi_agent_g1/multi_agent.json");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "{\"type\": \"graph\"}").unwrap();
    let before = fs::metadata(&other).unwrap();
    append_all(&mut *open(&store, "s", "main").await.session, 1..4).await;
    let after = fs::metadata(&other).unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
}

/// Mounts a file system. Prints the reason and returns false if that is not allowed.
fn mount(kind: &[&str], at: &Path) -> bool {
    let output = Command::new("mount").args(kind).arg(at).output();
    let reason = match output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    print_uncaptured(&format!("not tested, because mounting is not possible: {reason}"));
    false
}

fn print_uncaptured(text: &str) {
    use std::io::Write as _;
    // WriteOutcome to stderr directly, which the test harness does not capture.
    writeln!(std::io::stderr().lock(), "{text}").unwrap();
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn keeps_written_messages_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    if !mount(&["-t", "tmpfs", "-o", "size=256k", "tmpfs"], folder.path()) {
        return;
    }
    let _mounted = Mounted(folder.path().to_owned());
    let store = SessionStore::files(folder.path());
    let mut session = open(&store, "s", "main").await.session;
    let big = Message::user("x".repeat(20_000));
    let mut written = 0;
    let error = loop {
        match session.write(&MessageBatch::append([big.clone()])).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "the disk is never full");
    };
    assert!(matches!(error, SessionError::Storage { action: "write", .. }), "{error:?}");
    assert!(chain(&error).contains("No space left"), "{}", chain(&error));
    let mut record = AgentRecord::new("main");
    record.state.insert("k".to_owned(), json!("y".repeat(40_000)));
    let error = session.save(&record).await.unwrap_err();
    assert!(chain(&error).contains("No space left"), "{}", chain(&error));
    assert!(written > 3);
    let leftovers: Vec<String> = tree(folder.path()).into_iter().filter(|path| path.contains(".tmp")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    assert_eq!(texts(&store, "s", "main").await.len(), written);
    assert!(open(&store, "s", "main").await.record.is_some());

    // The same worker continues once there is free space.
    fs::remove_file(agent(folder.path()).join("messages/message_0.json")).unwrap();
    session.write(&MessageBatch::append([Message::user("small")])).await.unwrap();
    assert_eq!(texts(&store, "s", "main").await.len(), written);
}

#[tokio::test]
async fn reports_a_read_only_folder() {
    let (root, store) = folder();
    append_all(&mut *open(&store, "s", "main").await.session, 0..1).await;
    let path = root.path().to_str().unwrap().to_owned();
    if !mount(&["--bind", "-o", "ro", &path], root.path()) {
        return;
    }
    let _mounted = Mounted(root.path().to_owned());
    let mut session = open(&store, "s", "main").await.session;
    assert_eq!(read_texts(&mut *session).await, ["message 0"]);
    let error = session.write(&MessageBatch::append([Message::user("?")])).await.unwrap_err();
    assert!(matches!(error, SessionError::Storage { action: "write", .. }), "{error:?}");
    assert!(chain(&error).contains("Read-only file system"), "{}", chain(&error));
    assert!(store.delete("s").await.is_err());
    assert_eq!(texts(&store, "s", "main").await, ["message 0"]);
}

#[tokio::test]
async fn reports_a_file_instead_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("occupied");
    fs::write(&path, "a file").unwrap();
    let store = SessionStore::files(&path);
    let error = try_open(&store, "s", "main").await.unwrap_err();
    assert!(matches!(error, SessionError::Storage { .. }) && error.to_string().contains("occupied"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"a file");
}
