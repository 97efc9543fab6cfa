//! A tree that spreads over workers: a durable agent whose tools are agents elsewhere, and a graph of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::{Value, json};
use strands::durable::restate::ObjectAgent;
use strands::models::StopReason;
use strands::{
    AgentError, AgentEvent, AgentResponse, CancellationToken, Prompt, PromptRequest, PromptStream, Promptable,
    StreamExt,
};

use crate::plan::{self, MARKER, Plan};
use crate::processes::{self, Process};
use crate::rig::{MISMATCH, Rig, Sent, eventually};
use crate::tree_bounds;
use crate::worker::Settings;

/// Trees at once.
const TREES: usize = 3;

/// Starts objects on two workers, and the trees that call them on another one.
async fn start(name: &str, change: impl FnOnce(&mut Settings)) -> (Rig, Process) {
    let rig = Rig::start(name, 2, change).await;
    let port = processes::free_port();
    let ingress = Some(rig.server.ingress.clone());
    let trees = processes::worker(&rig.folder.0, &Settings { port, ingress, ..rig.settings.clone() });
    rig.register_uri(&format!("http://127.0.0.1:{port}"), false).await;
    (rig, trees)
}

/// Returns the inner turns that were started: their run ids, the keys of their objects, and their sessions, which are in the prompts.
pub(crate) async fn started(rig: &Rig) -> Vec<(String, String, String)> {
    let query = "select id, target_service_key from sys_invocation where target_service_name = 'Rig' and target_handler_name = \
                 'stream'";
    let mut started = Vec::new();
    for row in rig.query(query).await {
        let (id, key) = (row["id"].as_str().unwrap(), row["target_service_key"].as_str().unwrap());
        let input = rig.query(&format!("select entry_json from sys_journal where id = '{id}' and index = 0")).await;
        let Some(input) = input.first().and_then(|row| row["entry_json"].as_str()) else { continue };
        // The prompt is in it as an array of bytes.
        let input: Value = serde_json::from_str(input).unwrap();
        let bytes: Vec<u8> = input["Command"]["Input"]["payload"]
            .as_array()
            .unwrap_or_else(|| panic!("no input: {input}"))
            .iter()
            .map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap())
            .collect();
        let request: Value = serde_json::from_slice(&bytes).unwrap();
        let prompt = request["prompt"][0]["text"].as_str().unwrap_or_else(|| panic!("no prompt: {request}"));
        started.push((id.to_owned(), key.to_owned(), prompt.split(' ').nth(1).unwrap().to_owned()));
    }
    started
}

/// Checks a tree that has ended: as an undisturbed one, with each inner turn started once, and each effect once.
async fn check(rig: &Rig, sent: &Sent, inner: &HashMap<String, Vec<String>>) {
    let plan = Plan::of(&sent.prompt);
    let (status, response) = rig.end(sent).await;
    assert!(status.is_success(), "{}: {status} {response}", sent.session);
    let (status, history) = rig.call_of("Tree", &sent.session, "history", None).await;
    assert!(status.is_success(), "{history}");
    let (messages, _) = plan::normalized(history["messages"].as_array().unwrap());
    assert_eq!(messages, plan::history(plan, &sent.prompt, &sent.session), "{}", sent.session);
    for (session, plan) in plan::inner_turns(plan, &sent.session) {
        let keys = inner.get(&session).unwrap_or_else(|| panic!("no turn of {session}"));
        assert_eq!(keys.len(), 1, "{session} was started {} times", keys.len());
        let (messages, ids) = rig.history(&keys[0]).await;
        let word = if plan == Plan::Approve { "approve" } else { "branch" };
        assert_eq!(messages, plan::history(plan, &format!("{word} {session} {MARKER}"), &session), "{session}");
        rig.check_effects(&session, &ids);
    }
    // The usage of all agents counts in the tree.
    let calls: u32 = plan::inner_turns(plan, &sent.session).iter().map(|(_, plan)| plan.responses()).sum();
    assert_eq!(response["turns"], plan.responses() + calls, "{}", sent.session);
}

async fn inner_by_session(rig: &Rig) -> HashMap<String, Vec<String>> {
    let mut inner: HashMap<String, Vec<String>> = HashMap::new();
    for (_, key, session) in started(rig).await {
        inner.entry(session).or_default().push(key);
    }
    inner
}

/// Kills workers and the server while trees run, and checks each tree.
pub(crate) async fn kills(count: u32) {
    let (mut rig, mut trees) = start("tree", |_| {}).await;
    let (mut begun, mut noted) = (0, 0);
    let (mut running, mut done): (Vec<Sent>, Vec<Sent>) = (Vec::new(), Vec::new());
    let mut killed: BTreeMap<&str, u32> = BTreeMap::new();
    for kill in 1..=count {
        let ended = rig.query("select id from sys_invocation where status = 'completed'").await;
        done.extend(running.extract_if(.., |sent| ended.iter().any(|row| row["id"] == *sent.run_id)));
        while running.len() < TREES {
            begun += 1;
            running.push(rig.send_to("Tree", "tree", &format!("t-{begun}")).await);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..900))).await;
        for sent in &running {
            noted += rig.note_records(sent).await;
        }
        for (run_id, _, session) in started(&rig).await {
            if running.iter().any(|sent| session.starts_with(&format!("{}-", sent.session))) {
                noted += rig.note_records_of(&session, &run_id).await;
            }
        }
        let victim = match fastrand::u32(0..5) {
            0 => {
                rig.server.process.kill();
                rig.server.process.start();
                "server"
            }
            1 | 2 => {
                trees.kill();
                trees.start();
                "worker of the trees"
            }
            number => {
                let worker = &mut rig.workers[number as usize - 3];
                worker.kill();
                worker.start();
                "worker of objects"
            }
        };
        *killed.entry(victim).or_default() += 1;
        if kill % 10 == 0 {
            rig.check_failures().await;
            println!("{kill} kills, {begun} trees begun");
        }
    }
    done.append(&mut running);
    for sent in &done {
        rig.end(sent).await;
    }
    let inner = inner_by_session(&rig).await;
    for sent in &done {
        check(&rig, sent, &inner).await;
    }
    assert_eq!(inner.len(), done.len() * plan::inner_turns(Plan::Tree, "").len(), "inner turns");
    rig.check_failures().await;
    rig.check_repeated();
    assert!(!rig.server.process.log().contains(MISMATCH), "a journal does not fit: see the logs");
    assert!(noted > 0);
    println!(
        "{killed:?}: {} trees ended as undisturbed ones, with {} turns of agents elsewhere, each of which was started once; of recorded \
         effects begun again: 0",
        done.len(),
        inner.len()
    );
}

fn restart_all(rig: &mut Rig, trees: &mut Process) {
    trees.kill();
    rig.workers.iter_mut().for_each(Process::kill);
    rig.server.process.kill();
    rig.server.process.start();
    rig.workers.iter_mut().for_each(Process::start);
    trees.start();
}

/// Sends a tree, and waits until it waits for an approval within an agent elsewhere. Returns the id of the interrupt.
async fn waiting(rig: &Rig, session: &str) -> (Sent, String) {
    let sent = rig.send_to("Tree", "tree_approve", session).await;
    let id = eventually("the tree waits", async || {
        let (_, history) = rig.call_of("Tree", session, "history", None).await;
        history["interrupts"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    (sent, id)
}

async fn respond(rig: &Rig, session: &str, id: &str, user: &str) {
    let given = json!({"responses": [{"interruptId": id, "response": true}], "metadata": {"user": user}});
    let (status, response) = rig.call_of("Tree", session, "answer", Some(&given)).await;
    assert!(status.is_success(), "{status} {response}");
}

/// An approval within an agent elsewhere is resumed through the tree after a restart of everything; a refused one leaves both waiting.
pub(crate) async fn approvals(rounds: u32) {
    let (mut rig, mut trees) = start("tree-approvals", |settings| {
        settings.has_approver = true;
        settings.tool_time = 40;
    })
    .await;
    let mut unknown = 0;
    for round in 1..=rounds {
        let session = format!("ta-{round}");
        let (sent, id) = waiting(&rig, &session).await;
        assert!(id.starts_with("v1:agent_as_tool:"), "{id}");
        restart_all(&mut rig, &mut trees);
        respond(&rig, &session, &id, "mallory").await;
        eventually("the response is refused", async || {
            let (_, history) = rig.call_of("Tree", &session, "history", None).await;
            let is_refused = history["refused"].as_str().is_some_and(|text| text.contains("mallory may not approve"));
            (is_refused && history["interrupts"][0]["id"] == *id).then_some(())
        })
        .await;
        restart_all(&mut rig, &mut trees);
        respond(&rig, &session, &id, "bob").await;
        // The first round is not disturbed after the response.
        if round > 1 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..700))).await;
            restart_all(&mut rig, &mut trees);
        }
        let (status, response) = rig.end(&sent).await;
        assert!(status.is_success(), "{status} {response}");
        let inner = inner_by_session(&rig).await;
        let bank = &inner[&plan::inner_session(&session, 1)];
        assert_eq!(bank.len(), 1, "the approved turn was started {} times", bank.len());
        let (_, ids) = rig.history(&bank[0]).await;
        let starts = rig.mock.log().tool_starts.get(&ids[1]).copied().unwrap_or_default();
        assert!(starts <= 1, "the approved tool was started {starts} times");
        let effect = rig.settings.effects.join(plan::inner_session(&session, 1)).join(&ids[1]);
        match effect.exists() {
            true => check(&rig, &sent, &inner).await,
            false => unknown += 1,
        }
        assert!(round > 1 || effect.exists(), "an approved tool had no effect");
    }
    rig.check_failures().await;
    rig.check_repeated();
    println!(
        "{rounds} approvals within agents elsewhere were given through the trees that had called them, after restarts of everything, which \
         came in the middle of the approved call as well; each approved tool was started once, and {unknown} outcomes were unknown"
    );
}

/// Cancelling a tree cancels the turns of the agents elsewhere that it waits for.
pub(crate) async fn cancels() {
    let (rig, _trees) = start("tree-cancels", |_| {}).await;
    let sent = rig.send_to("Tree", "tree_slow", "tc-1").await;
    let inner = plan::inner_session("tc-1", 1);
    let run_id = eventually("the slow tool of the agent elsewhere runs", async || {
        let found = started(&rig).await.into_iter().find(|(_, _, session)| *session == inner);
        let (run_id, ..) = found?;
        (rig.note_records_of(&inner, &run_id).await > 3).then_some(run_id)
    })
    .await;
    let (status, _) = rig.call_of("Tree", "tc-1", "cancel", None).await;
    assert!(status.is_success());
    let (status, response) = rig.end(&sent).await;
    assert!(status.is_success() && response["stop_reason"] == "cancelled", "{status} {response}");
    tree_bounds::other_sessions(&rig, "tc-1", &run_id).await;
    let of_inner = Sent { session: inner, prompt: String::new(), run_id };
    let (status, response) = rig.end(&of_inner).await;
    assert!(status.is_success() && response["stop_reason"] == "cancelled", "{status} {response}");
    cancelled_approval(&rig).await;
    queued(&rig).await;
    tree_bounds::failed_usage(&rig).await;
    tree_bounds::depth(&rig).await;
    rig.check_failures().await;
    println!(
        "a cancelled tree has cancelled the turn that it waited for, also one that waited for an approval, and a cancelled request one that was queued; one behind a turn that waits \
         has ended; sessions see no runs of others; a failed turn has charged its usage; agents that call each other have ended"
    );
}

/// A tree that is cancelled while it waits for an approval leaves no turn that could be approved.
async fn cancelled_approval(rig: &Rig) {
    let (sent, _) = waiting(rig, "tc-2").await;
    let inner = plan::inner_session("tc-2", 1);
    let (run_id, key, _) = started(rig).await.into_iter().find(|(.., session)| *session == inner).unwrap();
    let (_, history) = rig.call(&key, "history", None).await;
    let id = history["interrupts"][0]["id"].clone();
    let (status, _) = rig.call_of("Tree", "tc-2", "cancel", None).await;
    assert!(status.is_success());
    let (status, response) = rig.end(&sent).await;
    assert!(status.is_success() && response["stop_reason"] == "cancelled", "{status} {response}");
    let of_inner = Sent { session: inner, prompt: String::new(), run_id };
    let (status, response) = rig.end(&of_inner).await;
    assert!(status.is_success() && response["stop_reason"] == "cancelled", "{status} {response}");
    let given = json!({"responses": [{"interruptId": id, "response": true}]});
    let (status, response) = rig.call(&key, "answer", Some(&given)).await;
    assert!(status == 404, "{status} {response}");
}

/// Requests that share an object are turns one after the other. One that is queued is watched, and can be cancelled. Behind one that waits
/// for an approval, they end at once.
async fn queued(rig: &Rig) {
    let agent = ObjectAgent::builder(&*rig.server.ingress, "Rig").key("shared").build().unwrap();
    let prompt = |plan: &str, number: u32| PromptRequest::new(format!("{plan} q-{number} {MARKER}"));
    let approve = async |mut waiting: AgentResponse| {
        assert_eq!(waiting.stop_reason, StopReason::Interrupt);
        let responses: Vec<_> = waiting.interrupts.iter().map(|interrupt| interrupt.respond(true)).collect();
        let resumed = PromptRequest::new(Prompt::none()).resume(responses);
        let resumed = resumed.continue_from(waiting.continuation.take().unwrap());
        assert_eq!(ended(agent.stream(resumed)).await.unwrap().stop_reason, StopReason::EndTurn);
    };
    let first = tokio::spawn(ended(agent.stream(prompt("slow_tool", 1))));
    status(rig, "q-1", "running").await;
    let token = CancellationToken::new();
    let second = tokio::spawn(ended(agent.stream(prompt("approve", 2))));
    let third = tokio::spawn(ended(agent.stream(prompt("approve", 3).cancel_with(token.clone()))));
    status(rig, "q-2", "pending").await;
    status(rig, "q-3", "pending").await;
    token.cancel();
    assert_eq!(third.await.unwrap().unwrap().stop_reason, StopReason::Cancelled);
    status(rig, "q-3", "completed").await;
    assert_eq!(first.await.unwrap().unwrap().stop_reason, StopReason::EndTurn);
    let second = second.await.unwrap().unwrap();

    let error = ended(agent.stream(prompt("branch", 4))).await.unwrap_err();
    assert!(matches!(error, AgentError::Busy { .. }), "{error:?}");
    status(rig, "q-4", "completed").await;
    approve(second).await;
}

/// Waits until the turn of a session has a status. The server may keep nothing of one that was cancelled while it was queued.
async fn status(rig: &Rig, session: &str, expected: &str) {
    eventually(&format!("the turn of {session} is {expected}"), async || {
        let Some((run_id, ..)) = started(rig).await.into_iter().find(|(.., of)| of == session) else {
            return (expected == "completed").then_some(());
        };
        let rows = rig.query(&format!("select status from sys_invocation where id = '{run_id}'")).await;
        (rows.first()?["status"] == expected).then_some(())
    })
    .await;
}

/// Returns the response of a stream.
async fn ended(mut events: PromptStream) -> Result<AgentResponse, AgentError> {
    while let Some(event) = events.next().await {
        if let AgentEvent::Result { response } = event? {
            return Ok(*response);
        }
    }
    panic!("the stream has just ended")
}
