//! What the tests of the stores share: the stores to test, and short ways to talk to a session.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use strands_core::message::Message;
use strands_core::session::{MessageRange, OpenedSession, Session, SessionError, SessionManager};
use strands_session::object_store::memory::InMemory;
use strands_session::{ObjectStoreSessionManager, SessionStore};
use tempfile::TempDir;

/// A place for sessions, and what keeps it alive.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) store: SessionStore,
    _folder: Option<TempDir>,
}

/// A folder and a memory store, both empty.
pub(crate) fn places() -> Vec<Place> {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::files(folder.path());
    let memory = SessionStore::objects(Arc::new(InMemory::new()), "agent_sessions").unwrap();
    vec![Place { name: "files", store, _folder: Some(folder) }, Place { name: "memory", store: memory, _folder: None }]
}

/// What a worker that comes to the session now finds.
pub(crate) async fn open(store: &SessionStore, session_id: &str, agent_id: &str) -> OpenedSession {
    try_open(store, session_id, agent_id).await.unwrap()
}

pub(crate) async fn try_open(
    store: &SessionStore,
    session_id: &str,
    agent_id: &str,
) -> Result<OpenedSession, SessionError> {
    ObjectStoreSessionManager::in_store(session_id, store.clone())?.open(agent_id).await
}

/// The texts of all messages, as a new worker reads them.
pub(crate) async fn texts(store: &SessionStore, session_id: &str, agent_id: &str) -> Vec<String> {
    read_texts(&mut *open(store, session_id, agent_id).await.session).await
}

pub(crate) async fn read_texts(session: &mut dyn Session) -> Vec<String> {
    let messages = session.read(&MessageRange::default()).await.unwrap();
    messages.iter().map(|message| message.text()).collect()
}

/// Turns of a user and an assistant in alternation.
pub(crate) fn message(number: usize) -> Message {
    let text = format!("message {number}");
    if number.is_multiple_of(2) { Message::user(text) } else { Message::assistant(text) }
}

pub(crate) async fn append_all(session: &mut dyn Session, numbers: std::ops::Range<usize>) {
    for number in numbers {
        session.append(&message(number)).await.unwrap();
    }
}

/// The error's text and those of its sources.
pub(crate) fn chain(error: &SessionError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
