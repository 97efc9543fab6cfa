//! Approvals above the limit with the desk on the MCP server: over HTTP, in several processes, and with kills in between.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use strands::{
    async_trait,
    identity::{Audit, AuditDecision, Identity, MemoryAudit},
    serve::{
        axum::{
            Router,
            body::Body,
            http::{Request, StatusCode, request::Parts},
        },
        http::{Authenticate, AuthenticationError, HttpHost},
    },
    session::{SessionStore, object_store::memory::InMemory},
};
use travel_agent::{agent::TravelAgent, offline::offline_model, services::Services, store::Store};

use crate::support::*;

/// The identity of a request is in its header.
struct HeaderUser;

#[async_trait]
impl Authenticate for HeaderUser {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let header = request.headers.get("x-user").and_then(|user| user.to_str().ok());
        let (name, role) = header.and_then(|user| user.split_once(' ')).ok_or(AuthenticationError::Unauthenticated)?;
        Ok(user(name, role.parse().unwrap()))
    }
}

async fn send(router: &Router, user: &str, method: &str, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).header("x-user", user);
    let request = request.header("content-type", "application/json");
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let (status, text) = respond(router, request.body(body).unwrap()).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// Returns the path and the body of a manager's approval.
fn approval(listed: &Value) -> (String, Value) {
    let request = &listed["approvals"][0];
    let path = format!("/runs/{}/answers", request["run_id"].as_str().unwrap());
    (path, json!({"answers": [{"approval_id": request["approval_id"], "approve": true}]}))
}

#[tokio::test]
async fn another_manager_approves_once_over_http() {
    let (store, audit) = (store(), MemoryAudit::new());
    let server = DeskServer::start(&store).await;
    let services = (CLOCK, Services::local().unwrap());
    let agent = TravelAgent::new(offline_model(), server.desk(), services, Audit::new(audit.clone())).unwrap();
    let sessions = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
    let router = HttpHost::new(agent.service(sessions).build(), HeaderUser).into_router();

    let (status, waiting) =
        send(&router, "alice traveler", "POST", "/prompt", Some(&json!({"prompt": ABOVE_LIMIT}))).await;
    assert_eq!((status, waiting["stop_reason"].as_str()), (StatusCode::OK, Some("interrupt")), "{waiting}");
    for other in ["ana traveler", "carol auditor"] {
        let (_, listed) = send(&router, other, "GET", "/approvals", None).await;
        assert_eq!(listed["approvals"], json!([]), "{other}");
    }
    let (_, listed) = send(&router, "bob manager", "GET", "/approvals", None).await;
    let (path, yes) = approval(&listed);
    for other in ["ana traveler", "carol auditor"] {
        assert_eq!(send(&router, other, "POST", &path, Some(&yes)).await.0, StatusCode::NOT_FOUND, "{other}");
    }
    let (status, refused) = send(&router, "alice manager", "POST", &path, Some(&yes)).await;
    assert!(!status.is_success(), "the requester approves nothing: {refused}");

    // The reply is sent several times.
    let replies = (0..4).map(|_| send(&router, "bob manager", "POST", &path, Some(&yes)));
    let statuses: Vec<_> =
        futures_util::future::join_all(replies).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::ACCEPTED).count(), 1, "{statuses:?}");

    let alice = store.traveller("alice").unwrap();
    let ended = async {
        while store.bookings(&alice, true).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the run goes on for Alice");
    let (status, _) = send(&router, "bob manager", "POST", &path, Some(&yes)).await;
    assert!(!status.is_success());
    assert_eq!(store.bookings(&alice, true).unwrap().len(), 1);
    let approved: Vec<_> =
        audit.records().into_iter().filter(|record| record.decision == AuditDecision::Approved).collect();
    assert_eq!(approved.len(), 1, "{approved:?}");
    assert_eq!(approved[0].approver.as_ref().map(|approver| approver.subject.as_str()), Some("bob"));
    assert_eq!(approved[0].identity.as_ref().map(|user| user.subject.as_str()), Some("alice"));
    assert_eq!(approved[0].tool.as_deref(), Some("book_trip"));
}

/// A host of the program in a process of its own, which is killed when it is dropped.
struct Host {
    child: Child,
    address: String,
}

impl Host {
    /// Starts a host with an audit file of its own, which it does not share with another process.
    fn start(home: &Path, audit: &str, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_travel-agent"))
            .env_clear()
            .env("HOME", home)
            .env("XDG_DATA_HOME", home)
            .env("TRAVEL_DESK_SECRET", SECRET)
            .env("TRAVEL_AUDIT", home.join(audit).with_extension("jsonl"))
            .args(["--today", "2026-11-22"])
            .args(args)
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut notes = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let note = notes.find(|note| note.contains("http://")).expect("the host starts");
        let address = note.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        // The pipe stays open, so that later notes fail nothing.
        std::thread::spawn(move || notes.for_each(drop));
        Self { child, address }
    }

    /// Sends a request, and returns the connection for the response.
    fn request(&self, method: &str, path: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (body, address) = (body.to_string(), &self.address);
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut response = String::new();
        self.request(method, path, body).read_to_string(&mut response).unwrap();
        serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the records of bookings in the database's own audit.
fn booked_records(db: &Path) -> Vec<(String, String)> {
    let connection = rusqlite::Connection::open(db).unwrap();
    let mut records = connection.prepare("SELECT username, booking FROM audit WHERE action = 'booked'").unwrap();
    records.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_kill_after_the_reply_makes_neither_two_bookings_nor_none() {
    // Time between the reply and the kill, from before its arrival until after the booking.
    for (round, pause) in [0, 5, 15, 40, 120].into_iter().enumerate() {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("approval-{round}-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let db = home.join("desk.sqlite3");
        let mcp = Host::start(&home, "desk", &["--db", db.to_str().unwrap(), "mcp"]);
        let url = format!("http://{}/mcp", mcp.address);
        let serve =
            |user, role, audit| Host::start(&home, audit, &["--desk", &url, "--user", user, "--role", role, "serve"]);
        let alice = serve("alice", "traveler", "alice");
        alice.send("POST", "/prompt", &json!({"prompt": ABOVE_LIMIT}));
        let bob = serve("bob", "manager", "killed");
        let (path, yes) = approval(&bob.send("GET", "/approvals", &Value::Null));
        let reply = bob.request("POST", &path, &yes);
        std::thread::sleep(Duration::from_millis(pause));
        drop((bob, reply));

        // Another process: Bob sends the reply again, and Alice prompts again until her conversation goes on.
        let bob = serve("bob", "manager", "again");
        bob.send("POST", &path, &yes);
        let store = Store::open(&db).unwrap();
        let traveller = store.traveller("alice").unwrap();
        let mut prompts = 0;
        while store.bookings(&traveller, true).unwrap().is_empty() && prompts < 50 {
            alice.send("POST", "/prompt", &json!({"prompt": "what did you book for me?"}));
            prompts += 1;
        }
        let bookings = store.bookings(&traveller, true).unwrap();
        assert_eq!(bookings.len(), 1, "killed after {pause} ms");
        let audits = ["alice", "killed", "again"].map(|name| home.join(name).with_extension("jsonl"));
        let text: String = audits.iter().map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect();
        // The record that the kill interrupted is no JSON.
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let approved: Vec<_> = records.filter(|record| record["decision"] == "approved").collect();
        let is_bob =
            |record: &Value| record["approver"]["subject"] == "bob" && record["identity"]["subject"] == "alice";
        assert!(!approved.is_empty() && approved.iter().all(is_bob), "killed after {pause} ms: {approved:?}");
        let audited = booked_records(&db);
        assert_eq!(audited, [("alice".to_owned(), bookings[0].confirmation_code.clone())], "killed after {pause} ms");
        drop((alice, bob, mcp, store));
        std::fs::remove_dir_all(home).unwrap();
    }
}
