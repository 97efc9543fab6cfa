//! Approvals through a store: another process finds the requests, and responds to them.

use std::collections::BTreeMap;
use std::path::Path;

use strands::identity::{ApprovalError, ApprovalHook, ApprovalRequest, Approver, Identity};
use strands::serde_json::{Value, json};
use strands::session::{FileSessionManager, SessionStore};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentError, InterruptResponse, Prompt, StreamExt as _};

use crate::support::{Log, alice, calling, manager, resume, suspended, template, tool};

fn by_manager() -> ApprovalHook {
    ApprovalHook::builder().tools(["book"]).by_role("manager").by_another().build()
}

async fn session(folder: &Path, id: &str) -> FileSessionManager {
    FileSessionManager::builder(id).dir(folder).build().await.unwrap()
}

/// Returns the requests in a store that an identity may approve.
async fn requests(folder: &Path, approver: &Identity) -> Vec<ApprovalRequest> {
    let store = SessionStore::files(folder);
    let mut open = std::pin::pin!(store.open_interrupts());
    let mut requests = Vec::new();
    while let Some(agent) = open.next().await {
        let agent = agent.unwrap();
        let calls = agent.calls.iter();
        let found = calls.flat_map(|call| ApprovalRequest::from_stored(&agent.session_id, &agent.agent_id, call));
        requests.extend(found.filter(|request| request.may_be_approved_by(approver)));
    }
    requests
}

/// Builds the agent of a session again, as another process does.
async fn reopened(folder: &Path, id: &str, log: &Log) -> Agent {
    let model = ScriptedModel::responding("booked");
    let template = template(model, [tool("book", log)], by_manager()).session_manager(session(folder, id).await);
    template.build().await.unwrap()
}

/// Returns the content of all files.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Fails with the names of the files that have changed.
fn assert_unchanged(before: &BTreeMap<String, Vec<u8>>, folder: &Path) {
    let after = files(folder);
    let names = before.keys().chain(after.keys());
    let changed: Vec<&String> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
    assert!(changed.is_empty(), "changed: {changed:?}");
}

#[tokio::test]
async fn a_manager_finds_and_approves_the_request_of_a_traveler() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
    let folder = folder.path();
    let asked = suspended(session(folder, "trip-1").await, by_manager(), &log).await;
    suspended(session(folder, "trip-2").await, by_manager(), &log).await;
    let before = files(folder);

    assert!(requests(folder, &alice()).await.is_empty());
    let found = requests(folder, &manager()).await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], asked);
    let ids: Vec<String> = found.iter().map(ApprovalRequest::id).collect();
    assert!(ids[0].len() == 12 && ids[0] != ids[1], "{ids:?}");
    assert_unchanged(&before, folder);

    let request = found.iter().find(|request| request.id() == asked.id()).unwrap();
    let mut agent = reopened(folder, request.session_id.as_deref().unwrap(), &log).await;
    let response = resume(&mut agent, request.approve(), manager()).await.unwrap();
    assert_eq!(response.text(), "booked");
    assert_eq!(log.lines(), [r#"book {"price":900}"#]);
    assert_eq!(requests(folder, &manager()).await.len(), 1);
}

#[tokio::test]
async fn refused_responses_change_no_byte_of_the_store() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
    let folder = folder.path();
    let one = suspended(session(folder, "one").await, by_manager(), &log).await;
    let two = suspended(session(folder, "two").await, by_manager(), &log).await;
    let before = files(folder);
    let mut agent = reopened(folder, "one", &log).await;
    let responses = [
        // Unknown.
        (InterruptResponse::new("v1:before_tool_call:x:y", true), manager()),
        // Of another session: the scripted ids of calls differ, and ids can repeat.
        (two.approve(), manager()),
        (InterruptResponse::new(one.interrupt_id.clone(), two.approve().response), manager()),
        // Of an identity that may not approve.
        (one.approve(), alice()),
        (one.approve(), Identity::new("eve")),
        (InterruptResponse::new(one.interrupt_id.clone(), json!(7)), manager()),
    ];
    for (response, approver) in responses {
        let error = resume(&mut agent, response, approver).await.unwrap_err();
        let is_typed = ApprovalError::of(&error).is_some() || matches!(error, AgentError::UnknownInterrupt { .. });
        assert!(is_typed, "{error:?}");
        assert_unchanged(&before, folder);
    }
    resume(&mut agent, one.approve(), manager()).await.unwrap();
    // Repeated, in this process and in another.
    let after = files(folder);
    for mut agent in [agent, reopened(folder, "one", &log).await] {
        let error = resume(&mut agent, one.approve(), manager()).await.unwrap_err();
        assert!(matches!(error, AgentError::UnknownInterrupt { .. }), "{error:?}");
    }
    assert_unchanged(&after, folder);
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn of_two_managers_one_wins() {
    for (first, second) in [(true, true), (true, false), (false, true)] {
        let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
        let folder = folder.path();
        let asked = suspended(session(folder, "trip").await, by_manager(), &log).await;
        let mut agents = [reopened(folder, "trip", &log).await, reopened(folder, "trip", &log).await];
        let [one, two] = &mut agents;
        let respond = |approves: bool| if approves { asked.approve() } else { asked.deny() };
        let other = Identity::new("carol").with_role("manager");
        let outcomes =
            futures_util::future::join(resume(one, respond(first), manager()), resume(two, respond(second), other));
        let (one, two) = outcomes.await;
        let winner = match (&one, &two) {
            (Ok(_), Err(lost)) => (first, lost),
            (Err(lost), Ok(_)) => (second, lost),
            other => panic!("{other:?}"),
        };
        assert!(matches!(winner.1, AgentError::Session(error) if error.is_conflict()), "{:?}", winner.1);
        assert_eq!(log.lines().len(), usize::from(winner.0));
        // The request has a response by now.
        let error = resume(&mut reopened(folder, "trip", &log).await, asked.approve(), manager()).await.unwrap_err();
        assert!(matches!(error, AgentError::UnknownInterrupt { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn parallel_calls_are_approved_one_by_one_in_other_processes() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
    let folder = folder.path();
    let calls = [("book", json!({"n": 1})), ("look", json!({})), ("book", json!({"n": 2})), ("book", json!({"n": 3}))];
    let model = ScriptedModel::new([ScriptedTurn::tool_uses(calls)]);
    let tools = [tool("book", &log), tool("look", &log)];
    let template = template(model, tools, by_manager()).session_manager(session(folder, "trip").await);
    let response = template.build().await.unwrap().prompt("Book all.").inject(alice()).await.unwrap();
    assert_eq!(response.interrupts.len(), 3);
    assert_eq!(log.lines(), ["look {}"]);
    // The second is approved, the third denied, the first approved.
    for (n, approves) in [(2, true), (3, false), (1, true)] {
        let open = requests(folder, &manager()).await;
        let request = open.iter().find(|request| request.input == json!({"n": n})).unwrap();
        let mut agent = reopened(folder, "trip", &log).await;
        let response = if approves { request.approve() } else { request.deny() };
        resume(&mut agent, response, manager()).await.unwrap();
    }
    assert!(requests(folder, &manager()).await.is_empty());
    assert_eq!(log.lines(), ["look {}", r#"book {"n":2}"#, r#"book {"n":1}"#]);
    let agent = reopened(folder, "trip", &log).await;
    assert_eq!(crate::support::results(agent.messages()), ["done", "done", "done", "a human denied the call"]);
}

#[tokio::test]
async fn a_copied_session_does_not_copy_the_approval() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
    let asked = suspended(session(folder.path(), "one").await, by_manager(), &log).await;
    std::process::Command::new("cp")
        .args(["-r", "session_one", "session_two"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    let mut agent = reopened(folder.path(), "two", &log).await;
    agent.prompt(Prompt::none()).resume([asked.approve()]).inject(Approver::new(manager())).await.unwrap();
    assert!(crate::support::results(agent.messages())[0].starts_with("the approval of this call is void"));
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn an_interrupted_agent_of_a_snapshot_is_found() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
    let store = SessionStore::files(folder.path());
    let sessions = strands::session::SnapshotSessionManager::new("trip", store).unwrap();
    let model = calling("book", json!({"price": 900}));
    let template = template(model, [tool("book", &log)], by_manager()).session_manager(sessions);
    template.clone().build().await.unwrap().prompt("Book it.").inject(alice()).await.unwrap();
    let open = requests(folder.path(), &manager()).await;
    assert_eq!(open.len(), 1);
    let mut agent = template.build().await.unwrap();
    resume(&mut agent, open[0].approve(), manager()).await.unwrap();
    assert_eq!(log.lines().len(), 1);
    assert!(requests(folder.path(), &manager()).await.is_empty());
}

/// Leaves two bookings in a session as Strands stores them, with a response to the first that Strands has stored and not
/// evaluated.
async fn with_response_of_strands(folder: &Path, response: Value, log: &Log) {
    let calls = [("book", json!({"n": 1})), ("book", json!({"n": 2}))];
    let model = ScriptedModel::new([ScriptedTurn::tool_uses(calls)]);
    let template = template(model, [tool("book", log)], by_manager()).session_manager(session(folder, "trip").await);
    let response_to = template.build().await.unwrap().prompt("go").inject(alice()).await.unwrap();
    let record = folder.join("session_trip/agents/agent_main/agent.json");
    let mut json: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let state = &mut json["_internal_state"];
    state.as_object_mut().unwrap().remove("run");
    for interrupt in state["interrupt_state"]["interrupts"].as_object_mut().unwrap().values_mut() {
        interrupt["reason"] = json!("Approve \"book\"?");
        if interrupt["id"] == response_to.interrupts[0].id {
            interrupt["response"] = response.clone();
        }
    }
    std::fs::write(record, serde_json::to_vec(&json).unwrap()).unwrap();
}

#[tokio::test]
async fn a_response_that_strands_stored_is_that_of_who_resumes() {
    // Alice resumes alone: she may not approve. Otherwise the manager.
    for (stored, by_manager, runs) in [
        (json!("y"), true, 2),
        (json!("y"), false, 0),
        (json!("n"), true, 1),
        (json!("t"), true, 1),
        (json!(7), true, 1),
    ] {
        let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
        with_response_of_strands(folder.path(), stored.clone(), &log).await;
        let open = requests(folder.path(), &manager()).await;
        assert_eq!(open.len(), 1, "{stored}");
        let mut agent = reopened(folder.path(), "trip", &log).await;
        let response = if by_manager { open[0].approve() } else { open[0].deny() };
        let resumed = agent.prompt(Prompt::none()).resume([response]).inject(alice());
        let resumed = if by_manager { resumed.inject(Approver::new(manager())) } else { resumed };
        resumed.await.unwrap();
        assert_eq!(log.lines().len(), runs, "{stored}");
    }
}

#[tokio::test]
async fn a_request_of_strands_does_not_say_when_it_was_made() {
    let (folder, log) = (tempfile::tempdir().unwrap(), Log::default());
    with_response_of_strands(folder.path(), json!("n"), &log).await;
    let open = requests(folder.path(), &manager()).await;
    let hook = ApprovalHook::builder().tools(["book"]).expires_after(std::time::Duration::from_mins(1)).build();
    let template = template(ScriptedModel::responding("-"), [tool("book", &log)], hook);
    let mut agent = template.session_manager(session(folder.path(), "trip").await).build().await.unwrap();
    let error = resume(&mut agent, open[0].approve(), manager()).await.unwrap_err();
    assert!(matches!(ApprovalError::of(&error), Some(ApprovalError::Expired { .. })), "{error:?}");
    resume(&mut agent, open[0].deny(), manager()).await.unwrap();
    assert!(log.lines().is_empty());
}
