//! Shared code of the store tests: the backends under test, and shorthands to open, read and write sessions.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::indexing_slicing, reason = "a test that fails panics")]

pub(crate) mod processes;
pub(crate) mod stepping;
pub(crate) mod writes;

use std::sync::Arc;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use strands_core::message::Message;
use strands_core::session::{MessageBatch, MessageRange, OpenedSession, Session, SessionError, SessionManager};
use strands_session::object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use strands_session::object_store::memory::InMemory;
use strands_session::{
    HttpsConnector, ObjectDocumentStore, S3SessionManager, S3SessionManagerBuilder, SessionStore, StoreSessionManager,
};
use strands_testkit::s3::S3Server;
use tempfile::TempDir;

/// The key that the tests sign with.
pub(crate) const SECRET: &str = "s3cret-of-the-tests";

/// A backend of sessions, and the resources that it needs.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) store: SessionStore,
    _resources: Resources,
}

enum Resources {
    Nothing,
    Folder(TempDir),
    Server(S3Server),
}

/// Returns a folder, a memory store and a bucket, all empty.
pub(crate) async fn backends() -> Vec<Backend> {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::files(folder.path());
    let memory = SessionStore::objects(Arc::new(InMemory::new()), "agent_sessions").unwrap();
    let server = S3Server::start("bucket").await;
    let bucket = s3(&server, "any").await.store().clone();
    let mut backends = vec![
        Backend { name: "files", store, _resources: Resources::Folder(folder) },
        Backend { name: "memory", store: memory, _resources: Resources::Nothing },
        Backend { name: "s3", store: bucket, _resources: Resources::Server(server) },
    ];
    if let Some(foreign) = foreign_s3() {
        let manager = s3_builder("any", "bucket", &foreign).prefix(unused_prefix()).build().await.unwrap();
        backends.push(Backend { name: "foreign s3", store: manager.store().clone(), _resources: Resources::Nothing });
    }
    backends
}

/// Returns the URL of another S3 implementation from `STRANDS_TEST_S3`, if set. It needs a bucket with the name `bucket`,
/// and must accept the tests' credentials.
pub(crate) fn foreign_s3() -> Option<String> {
    std::env::var("STRANDS_TEST_S3").ok().filter(|url| !url.is_empty())
}

/// Returns a prefix that no other test uses.
pub(crate) fn unused_prefix() -> String {
    format!("strands-test-{:016x}", fastrand::u64(..))
}

/// Returns a session in the server's bucket, with its own worker.
pub(crate) async fn s3(server: &S3Server, session_id: &str) -> S3SessionManager {
    s3_builder(session_id, "bucket", &server.url()).prefix("agent_sessions").build().await.unwrap()
}

/// Returns a document store in the bucket `bucket`, configured like that of a session manager.
pub(crate) fn s3_documents(endpoint: &str, prefix: &str) -> ObjectDocumentStore {
    let store = AmazonS3Builder::new()
        .with_bucket_name("bucket")
        .with_region("us-east-1")
        .with_access_key_id("AKEXAMPLE")
        .with_secret_access_key(SECRET)
        .with_allow_http(true)
        .with_endpoint(endpoint)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_http_connector(HttpsConnector::new().allow_http(true))
        .build()
        .unwrap();
    ObjectDocumentStore::new(Arc::new(store), prefix).unwrap()
}

pub(crate) fn s3_builder(session_id: &str, bucket: &str, endpoint: &str) -> S3SessionManagerBuilder {
    let credentials = Credentials::new("AKEXAMPLE", SECRET, None, None, "test");
    let config = SdkConfig::builder()
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    S3SessionManager::builder(session_id, bucket).endpoint(endpoint).sdk_config(&config)
}

/// Opens a session as a new worker.
pub(crate) async fn open(store: &SessionStore, session_id: &str, agent_id: &str) -> OpenedSession {
    try_open(store, session_id, agent_id).await.unwrap()
}

pub(crate) async fn try_open(
    store: &SessionStore,
    session_id: &str,
    agent_id: &str,
) -> Result<OpenedSession, SessionError> {
    StoreSessionManager::new(session_id, store.clone())?.open(agent_id).await
}

/// Returns the texts of all messages, read by a new worker.
pub(crate) async fn texts(store: &SessionStore, session_id: &str, agent_id: &str) -> Vec<String> {
    loop {
        // A truncation between reading the record and the messages is a conflict.
        match open(store, session_id, agent_id).await.session.read(&MessageRange::default()).await {
            Ok(messages) => return messages.iter().map(|message| message.text()).collect(),
            Err(error) => assert!(error.is_conflict(), "{}", chain(&error)),
        }
    }
}

pub(crate) async fn read_texts(session: &mut dyn Session) -> Vec<String> {
    let messages = session.read(&MessageRange::default()).await.unwrap();
    messages.iter().map(|message| message.text()).collect()
}

/// Returns a message of the user for even numbers, and of the assistant for odd ones.
pub(crate) fn message(number: usize) -> Message {
    let text = format!("message {number}");
    if number.is_multiple_of(2) { Message::user(text) } else { Message::assistant(text) }
}

pub(crate) async fn append_all(session: &mut dyn Session, numbers: std::ops::Range<usize>) {
    for number in numbers {
        session.write(&MessageBatch::append([message(number)])).await.unwrap();
    }
}

/// Returns a batch of user messages with these texts.
pub(crate) fn batch(texts: &[&str]) -> MessageBatch {
    MessageBatch::append(texts.iter().map(|text| Message::user(*text)))
}

/// Returns the messages of an error and its sources.
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
