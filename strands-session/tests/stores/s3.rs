//! S3 with slow, failed, interrupted and lost responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{SECRET, append_all, chain, open, read_texts, s3, s3_builder, texts};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError, SessionManager as _};
use strands_session::S3SessionManager;
use strands_testkit::s3::{S3Fault, S3Server};
use strands_testkit::{Cut, Gate, Response};

const AGENT: &str = "agent_sessions/session_s/agents/agent_main/agent.json";

fn message_key(number: usize) -> String {
    format!("agent_sessions/session_s/agents/agent_main/messages/message_{number}.json")
}

/// Responds to the first `times` requests of this method with the fault.
fn faults(
    server: &S3Server,
    method: &'static str,
    times: usize,
    fault: impl Fn() -> S3Fault + Send + 'static,
) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    server.intercept(move |request| {
        (request.method == method && counter.fetch_add(1, Ordering::SeqCst) < times).then(&fault)
    });
    seen
}

fn lost() -> S3Fault {
    S3Fault::After(Response::new(200).body("never to arrive").cut_at(0, Cut::Reset))
}

#[tokio::test]
async fn writes_keys_and_documents_of_strands() {
    let server = S3Server::start("bucket").await;
    let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
    session.write(&MessageBatch::append([Message::user("Grüße aus 東京 🙂")])).await.unwrap();
    assert_eq!(server.keys(), [AGENT, &message_key(0), "agent_sessions/session_s/session.json"]);
    let text = String::from_utf8(server.object(&message_key(0)).unwrap().to_vec()).unwrap();
    let expected = "{\n  \"message\": {\n    \"role\": \"user\",\n    \"content\": [\n      {\n        \"text\": \"Grüße aus 東京 🙂\"\n      }\n    ]\n  },\n  \"message_id\": 0,\n  \"redact_message\": null,\n  \"created_at\": \"20";
    assert!(text.starts_with(expected), "{text}");
    let puts: Vec<_> = server.server().requests().into_iter().filter(|request| request.method == "PUT").collect();
    for put in puts {
        assert_eq!(put.header("content-type"), Some("application/json"));
        assert_eq!(put.header("if-none-match"), Some("*"));
        assert!(put.header("user-agent").unwrap().starts_with("strands-rs/"));
    }
}

#[tokio::test]
async fn appends_with_a_constant_number_of_requests() {
    let server = S3Server::start("bucket").await;
    append_all(&mut *s3(&server, "s").await.open("main").await.unwrap().session, 0..1).await;
    let template = server.object(&message_key(0)).unwrap();
    for number in 1..2_000 {
        server.put(&message_key(number), template.clone());
    }
    let mut opened = s3(&server, "s").await.open("main").await.unwrap();
    let before = server.server().requests().len();
    let read = opened.session.read(&MessageRange::new(1_990, vec![3])).await.unwrap();
    assert_eq!(read.len(), 11);
    // Two pages of the listing, the messages in the range, and the record.
    assert_eq!(server.server().requests().len() - before, 2 + 11 + 1);

    let before = server.server().requests().len();
    append_all(&mut *opened.session, 2_000..2_001).await;
    // The message, and the record, because the conversation may have been truncated.
    assert_eq!(server.server().requests().len() - before, 1 + 1);
    let before = server.server().requests().len();
    append_all(&mut *opened.session, 2_001..2_011).await;
    assert_eq!(server.server().requests().len() - before, 10 * 2);
    // A prompt and its response: two documents, and the record concurrently with the second.
    let before = server.server().requests().len();
    opened.session.write(&MessageBatch::append([Message::user("q"), Message::assistant("a")])).await.unwrap();
    assert_eq!(server.server().requests().len() - before, 2 + 1);
    // None of them is read twice.
    let mut again = s3(&server, "s").await.open("main").await.unwrap();
    let before = server.server().requests().len();
    assert_eq!(again.session.read(&MessageRange::new(2_003, Vec::new())).await.unwrap().len(), 10);
    assert_eq!(server.server().requests().len() - before, 3 + 10 + 1);
    let before = server.server().requests().len();
    // An unchanged record is not written.
    opened.session.save(&opened.record.unwrap()).await.unwrap();
    assert_eq!(server.server().requests().len() - before, 0);
}

#[tokio::test]
async fn restores_with_at_most_sixteen_concurrent_requests() {
    let server = S3Server::start("bucket").await;
    append_all(&mut *s3(&server, "s").await.open("main").await.unwrap().session, 0..60).await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Gate::new();
    let (counted, highest, opened) = (Arc::clone(&now), Arc::clone(&most), gate.clone());
    server.intercept(move |request| {
        if request.method == "GET" && request.path.contains("/message_") {
            highest.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            return Some(S3Fault::Instead(Response::new(500).hold_head(&opened)));
        }
        None
    });
    let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
    let range = MessageRange::default();
    let read = session.read(&range);
    let stalled = server.server().wait_until("sixteen reads", |counts| counts.stalled >= 16);
    tokio::select! {
        _ = read => panic!("a request has got a response"),
        () = stalled => {}
    }
    assert_eq!(most.load(Ordering::SeqCst), 16);
    gate.open();
}

#[tokio::test]
async fn reports_no_conflict_after_a_lost_response() {
    let server = S3Server::start("bucket").await;
    let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
    session.write(&MessageBatch::append([Message::user("first")])).await.unwrap();
    faults(&server, "PUT", 1, lost);
    session.write(&MessageBatch::append([Message::assistant("second")])).await.unwrap();
    faults(&server, "PUT", 1, lost);
    session.write(&MessageBatch::replace(Message::assistant("second, redacted"))).await.unwrap();
    faults(&server, "PUT", 1, lost);
    let mut record = AgentRecord::new("main");
    record.state.insert("k".to_owned(), json!(1));
    session.save(&record).await.unwrap();
    server.recover();
    session.write(&MessageBatch::append([Message::user("third")])).await.unwrap();
    let found = open(s3(&server, "s").await.store(), "s", "main").await;
    assert_eq!(found.record.unwrap().state["k"], json!(1));
    assert_eq!(texts(s3(&server, "s").await.store(), "s", "main").await, ["first", "second, redacted", "third"]);
}

#[tokio::test]
async fn retries_after_an_error_of_a_completed_write() {
    let server = S3Server::start("bucket").await;
    let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
    session.write(&MessageBatch::append([Message::user("first")])).await.unwrap();
    let puts = faults(&server, "PUT", 1, || S3Fault::After(Response::new(503)));
    session.write(&MessageBatch::append([Message::assistant("second")])).await.unwrap();
    assert_eq!(puts.load(Ordering::SeqCst), 2);
    assert_eq!(texts(s3(&server, "s").await.store(), "s", "main").await, ["first", "second"]);
}

/// The agent drops a write without a response; the next one replaces it.
#[tokio::test]
async fn reports_no_conflict_after_a_dropped_write() {
    let server = S3Server::start("bucket").await;
    let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
    session.write(&MessageBatch::append([Message::user("first")])).await.unwrap();
    faults(&server, "PUT", 1, || S3Fault::After(Response::new(200).stall_head()));
    {
        let abandoned = MessageBatch::append([Message::assistant("abandoned")]);
        tokio::select! {
            _ = session.write(&abandoned) => panic!("a request has got a response"),
            () = server.server().stalled() => {}
        }
    }
    assert!(server.object(&message_key(1)).is_some());
    session.write(&MessageBatch::append([Message::assistant("second")])).await.unwrap();
    session.write(&MessageBatch::append([Message::user("third")])).await.unwrap();
    assert_eq!(texts(s3(&server, "s").await.store(), "s", "main").await, ["first", "second", "third"]);
}

#[tokio::test]
async fn retries_a_conflict_status_of_a_concurrent_write() {
    let server = S3Server::start("bucket").await;
    let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
    session.write(&MessageBatch::append([Message::user("first")])).await.unwrap();
    faults(&server, "PUT", 2, || S3Fault::Instead(Response::new(409)));
    session.write(&MessageBatch::append([Message::assistant("second")])).await.unwrap();
    assert_eq!(texts(s3(&server, "s").await.store(), "s", "main").await, ["first", "second"]);
}

#[tokio::test]
async fn reports_a_rejected_request_without_credentials() {
    for status in [401, 403, 500] {
        let server = S3Server::start("bucket").await;
        let manager = s3(&server, "s").await;
        let mut session = manager.open("main").await.unwrap().session;
        append_all(&mut *session, 0..2).await;
        let keys = server.keys();
        server.intercept(move |_| Some(S3Fault::Instead(Response::new(status).body("<Error><Code>No</Code></Error>"))));

        let write = session.write(&MessageBatch::append([Message::user("lost")])).await.unwrap_err();
        assert!(matches!(write, SessionError::Storage { action: "write", .. }), "{status}: {write:?}");
        let read = session.read(&MessageRange::default()).await.unwrap_err();
        let open = manager.open("main").await.unwrap_err();
        let delete = manager.store().delete("s").await.unwrap_err();
        let list = manager.store().list().await.unwrap_err();
        for error in [&write, &read, &open, &delete, &list] {
            let text = chain(error);
            assert!(matches!(error, SessionError::Storage { .. }), "{status}: {text}");
            assert!(text.contains("agent_sessions") && text.contains(&status.to_string()), "{status}: {text}");
            assert!(!format!("{error:?}{text}").contains(SECRET), "{text}");
        }
        // No message is lost, and the session continues when the store responds again.
        server.recover();
        assert_eq!(server.keys(), keys);
        append_all(&mut *session, 2..3).await;
        assert_eq!(texts(manager.store(), "s", "main").await, ["message 0", "message 1", "message 2"]);
        assert!(!format!("{manager:?}{session:?}", session = manager.store()).contains(SECRET));
    }
}

#[tokio::test]
async fn reports_a_missing_bucket_as_an_error() {
    let server = S3Server::start("bucket").await;
    let manager = s3_builder("s", "missing-bucket", &server.url()).build().await.unwrap();
    let error = manager.open("main").await.unwrap_err();
    assert!(matches!(error, SessionError::Storage { action: "read", .. }), "{error:?}");
    assert!(chain(&error).contains("NoSuchBucket"), "{}", chain(&error));
    assert!(manager.store().list().await.is_err());
    assert!(manager.store().delete("s").await.is_err());
}

#[tokio::test]
async fn retries_an_interrupted_response() {
    let server = S3Server::start("bucket").await;
    append_all(&mut *s3(&server, "s").await.open("main").await.unwrap().session, 0..3).await;
    let content = server.object(&message_key(1)).unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    server.intercept(move |request| {
        let first = request.path.ends_with("message_1.json") && counter.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| S3Fault::Instead(Response::new(200).body(content.clone()).cut_at(40, Cut::Close)))
    });
    let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
    let read = session.read(&MessageRange::default()).await;
    match read {
        Ok(messages) => assert_eq!(messages.len(), 3),
        Err(error) => assert!(matches!(error, SessionError::Storage { action: "read", .. }), "{error:?}"),
    }
    assert_eq!(read_texts(&mut *session).await, ["message 0", "message 1", "message 2"]);
}

#[tokio::test]
async fn applies_the_idle_timeout() {
    let server = S3Server::start("bucket").await;
    append_all(&mut *s3(&server, "s").await.open("main").await.unwrap().session, 0..1).await;
    server.intercept(|_| Some(S3Fault::Instead(Response::new(200).stall_head())));
    let manager = s3_builder("s", "bucket", &server.url())
        .prefix("agent_sessions")
        .idle_timeout(Duration::from_millis(20))
        .build()
        .await
        .unwrap();
    let error = manager.open("main").await.unwrap_err();
    assert!(matches!(error, SessionError::Storage { action: "read", .. }), "{error:?}");
}

#[tokio::test]
async fn names_a_corrupt_document() {
    let server = S3Server::start("bucket").await;
    append_all(&mut *s3(&server, "s").await.open("main").await.unwrap().session, 0..3).await;
    let whole = server.object(&message_key(1)).unwrap();
    for broken in [whole.slice(..whole.len() / 2), "".into(), "null".into(), "{\"message\": 1}".into()] {
        server.put(&message_key(1), broken);
        let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
        let error = session.read(&MessageRange::default()).await.unwrap_err();
        assert!(matches!(error, SessionError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains(&message_key(1)), "{error}");
    }
    server.put(AGENT, "{");
    let error = s3(&server, "s").await.open("main").await.unwrap_err();
    assert!(matches!(error, SessionError::Corrupt { .. }) && error.to_string().contains(AGENT), "{error}");
}

#[tokio::test]
async fn deletes_more_than_a_page_of_messages() {
    let server = S3Server::start("bucket").await;
    append_all(&mut *s3(&server, "s").await.open("main").await.unwrap().session, 0..1).await;
    append_all(&mut *s3(&server, "s2").await.open("main").await.unwrap().session, 0..1).await;
    let template = server.object(&message_key(0)).unwrap();
    for number in 1..2_500 {
        server.put(&message_key(number), template.clone());
    }
    server.put("elsewhere/session_s/session.json", template);
    let manager = s3(&server, "s").await;
    assert_eq!(manager.store().list().await.unwrap(), ["s", "s2"]);
    manager.store().delete("s").await.unwrap();
    assert_eq!(manager.store().list().await.unwrap(), ["s2"]);
    assert_eq!(server.keys().len(), 4, "{:?}", server.keys());
}

#[tokio::test]
async fn validates_builder_settings() {
    for bucket in ["", "../up", "a/b", "a b", "bücket", ".b"] {
        let error = s3_builder("s", bucket, "http://127.0.0.1:1").build().await.unwrap_err();
        assert!(error.to_string().contains("bucket"), "{error}");
    }
    for endpoint in ["", "ftp://host", "http://", "127.0.0.1:9000", "https://user:s3cret@host"] {
        let error = s3_builder("s", "bucket", endpoint).build().await.unwrap_err();
        assert!(error.to_string().contains("endpoint") && !chain(&error).contains("s3cret"), "{error}");
    }
    let error = s3_builder("..", "bucket", "http://127.0.0.1:1").build().await.unwrap_err();
    assert!(matches!(error, SessionError::InvalidId { .. }), "{error}");
    let builder = s3_builder("s", "bucket", "http://127.0.0.1:1");
    assert!(!format!("{builder:?}").contains(SECRET));
}

#[tokio::test]
async fn preserves_unknown_fields_of_a_replaced_message() {
    let server = S3Server::start("bucket").await;
    let mut session = s3(&server, "s").await.open("main").await.unwrap().session;
    append_all(&mut *session, 0..1).await;
    let mut document: Value = serde_json::from_slice(&server.object(&message_key(0)).unwrap()).unwrap();
    document["later_version"] = json!({"preserved": true});
    document["redact_message"] = json!({"role": "user", "content": [{"text": "[redacted]"}]});
    server.put(&message_key(0), serde_json::to_vec(&document).unwrap());
    assert_eq!(read_texts(&mut *session).await, ["[redacted]"]);
    session.write(&MessageBatch::replace(Message::user("[redacted again]"))).await.unwrap();
    assert_eq!(read_texts(&mut *session).await, ["[redacted again]"]);
    let replaced: Value = serde_json::from_slice(&server.object(&message_key(0)).unwrap()).unwrap();
    assert_eq!(replaced["later_version"], document["later_version"]);
    assert_eq!(replaced["created_at"], document["created_at"]);
    assert_ne!(replaced["updated_at"], document["updated_at"]);
    assert_eq!(replaced["message"], replaced["redact_message"]);
}

#[tokio::test]
async fn does_not_follow_redirects() {
    let elsewhere = S3Server::start("bucket").await;
    for status in [301, 302, 303, 307, 308] {
        let server = S3Server::start("bucket").await;
        let target = format!("{}/bucket/agent_sessions", elsewhere.url());
        server.intercept(move |_| Some(S3Fault::Instead(Response::new(status).header("location", &target))));
        let credentials = Credentials::new("AKEXAMPLE", SECRET, Some("T0KEN".to_owned()), None, "test");
        let config = SdkConfig::builder()
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let builder = S3SessionManager::builder("s", "bucket").endpoint(server.url()).sdk_config(&config);
        let error = builder.build().await.unwrap().open("main").await.unwrap_err();
        assert!(!chain(&error).contains("T0KEN"), "{}", chain(&error));
        let asked = server.server().requests();
        assert!(asked[0].sends_credential("x-amz-security-token", "T0KEN"));
        assert!(asked.iter().all(|request| request.header("referer").is_none()));
    }
    assert_eq!(elsewhere.server().counts().connections, 0);
}

#[tokio::test]
async fn hides_the_session_token_in_signature_errors() {
    let server = S3Server::start("bucket").await;
    let token = "T0KEN/of+a=session";
    let hex: Vec<String> = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    let body = format!(
        "<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>GET\nx-amz-security-token:{token}\n</CanonicalRequest>\
         <CanonicalRequestBytes>47 45 {} 0a</CanonicalRequestBytes></Error>",
        hex.join(" ")
    );
    server.intercept(move |_| Some(S3Fault::Instead(Response::new(403).body(body.clone()))));
    let credentials = Credentials::new("AKEXAMPLE", SECRET, Some(token.to_owned()), None, "test");
    let config = SdkConfig::builder()
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let builder = S3SessionManager::builder("s", "bucket").endpoint(server.url()).sdk_config(&config);
    let error = chain(&builder.build().await.unwrap().open("main").await.unwrap_err());
    assert!(error.contains("SignatureDoesNotMatch"), "{error}");
    assert!(!error.contains(token) && !error.contains(&hex.join(" ")), "{error}");
}
