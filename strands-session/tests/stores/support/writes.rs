//! Writes to a session, and the expected conversation after each.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, Session, SessionError};

use super::stepping::Stepping;
use Write::{Batch, Save, Truncate};

const FOLDER: &str = "session_s/agents/agent_main/messages/";

/// A write of a worker.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Batch(Option<&'static str>, &'static [&'static str]),
    Truncate(u64),
    Save,
}

impl Write {
    pub(crate) async fn apply(&self, session: &mut dyn Session) -> Result<(), SessionError> {
        match self {
            Batch(replaced, appended) => {
                let mut batch = MessageBatch::append(appended.iter().map(|text| Message::user(*text)));
                batch.replaced = replaced.map(|text| Arc::new(Message::user(text)));
                session.write(&batch).await
            }
            Truncate(keep) => session.truncate(*keep, &record("truncated")).await,
            Save => session.save(&record("saved")).await,
        }
    }

    /// Returns the conversation after the write.
    pub(crate) fn after(&self, before: &[String]) -> Vec<String> {
        let mut texts = before.to_vec();
        match self {
            Batch(replaced, appended) => {
                if let (Some(replaced), Some(newest)) = (replaced, texts.last_mut()) {
                    *newest = (*replaced).to_owned();
                }
                texts.extend(appended.iter().map(|text| (*text).to_owned()));
            }
            Truncate(keep) => texts.truncate(usize::try_from(*keep).unwrap()),
            Save => {}
        }
        texts
    }
}

pub(crate) fn record(state: &str) -> AgentRecord {
    let mut record = AgentRecord::new("main");
    record.state.insert("state".to_owned(), json!(state));
    record
}

/// Polls a future at most this many times. Returns true if it has ended.
pub(crate) fn poll(future: impl Future<Output = Result<(), SessionError>>, times: usize) -> bool {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..times).any(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(ended) => {
            ended.unwrap();
            true
        }
        Poll::Pending => false,
    })
}

pub(crate) const FIRST: [Write; 8] = [
    Batch(None, &["A"]),
    Batch(None, &["A", "B"]),
    Batch(None, &["A", "B", "C"]),
    Batch(Some("R"), &["A"]),
    Batch(Some("R"), &["A", "B"]),
    Batch(Some("R"), &[]),
    Truncate(1),
    Save,
];

pub(crate) const SECOND: [Write; 9] = [
    Batch(None, &["A", "B"]),
    Batch(None, &["X"]),
    Batch(None, &["X", "Y"]),
    Batch(None, &["X", "Y", "Z", "W"]),
    Batch(Some("Q"), &["X"]),
    Batch(Some("Q"), &[]),
    Truncate(1),
    Truncate(0),
    Save,
];

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Returns the messages as Strands reads them: one for each document.
pub(crate) fn documents(store: &Stepping) -> Vec<String> {
    let mut found: Vec<(u64, String)> = store
        .keys()
        .iter()
        .filter_map(|key| key.strip_prefix(FOLDER)?.strip_prefix("message_")?.strip_suffix(".json")?.parse().ok())
        .map(|number: u64| {
            let content = store.content(&format!("{FOLDER}message_{number}.json")).unwrap();
            let document: Value = serde_json::from_slice(&content).unwrap();
            (number, document["message"]["content"][0]["text"].as_str().unwrap().to_owned())
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}
