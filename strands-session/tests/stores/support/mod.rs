//! What the tests of the stores share: the stores to test, and short ways to talk to a session.
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

/// A place for sessions, and what keeps it alive.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) store: SessionStore,
    _keep: Keep,
}

enum Keep {
    Nothing,
    Folder(TempDir),
    Server(S3Server),
}

/// A folder, a memory store and a bucket, all empty.
pub(crate) async fn places() -> Vec<Place> {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::files(folder.path());
    let memory = SessionStore::objects(Arc::new(InMemory::new()), "agent_sessions").unwrap();
    let server = S3Server::start("bucket").await;
    let bucket = s3(&server, "any").await.store().clone();
    let mut places = vec![
        Place { name: "files", store, _keep: Keep::Folder(folder) },
        Place { name: "memory", store: memory, _keep: Keep::Nothing },
        Place { name: "s3", store: bucket, _keep: Keep::Server(server) },
    ];
    if let Some(foreign) = foreign_s3() {
        let manager = s3_builder("any", "bucket", &foreign).prefix(unused_prefix()).build().await.unwrap();
        places.push(Place { name: "foreign s3", store: manager.store().clone(), _keep: Keep::Nothing });
    }
    places
}

/// An S3 of somebody else's making, where the variable names one: it has to have a bucket of the name `bucket`, and to
/// take the tests' keys.
pub(crate) fn foreign_s3() -> Option<String> {
    std::env::var("STRANDS_TEST_S3").ok().filter(|url| !url.is_empty())
}

/// A prefix that no other test has.
pub(crate) fn unused_prefix() -> String {
    format!("strands-test-{:016x}", fastrand::u64(..))
}

/// A session in the server's bucket, by a worker of its own.
pub(crate) async fn s3(server: &S3Server, session_id: &str) -> S3SessionManager {
    s3_builder(session_id, "bucket", &server.url()).prefix("agent_sessions").build().await.unwrap()
}

/// Documents in the bucket `bucket`, over the store that a session manager uses.
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

/// What a worker that comes to the session now finds.
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

/// The texts of all messages, as a new worker reads them.
pub(crate) async fn texts(store: &SessionStore, session_id: &str, agent_id: &str) -> Vec<String> {
    loop {
        // Where a truncation comes between the record and the messages, they don't fit.
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

/// Turns of a user and an assistant in alternation.
pub(crate) fn message(number: usize) -> Message {
    let text = format!("message {number}");
    if number.is_multiple_of(2) { Message::user(text) } else { Message::assistant(text) }
}

pub(crate) async fn append_all(session: &mut dyn Session, numbers: std::ops::Range<usize>) {
    for number in numbers {
        session.write(&MessageBatch::append([message(number)])).await.unwrap();
    }
}

/// User messages of these texts, to be appended as a unit.
pub(crate) fn batch(texts: &[&str]) -> MessageBatch {
    MessageBatch::append(texts.iter().map(|text| Message::user(*text)))
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
