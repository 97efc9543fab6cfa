//! Turns that wait, are cancelled, fail, or meet another version of the worker.

use std::time::Duration;

use serde_json::{Value, json};
use strands::models::reqwest::Method;
use tokio::time::Instant;

use crate::plan;
use crate::rig::{MISMATCH, Rig, Sent, eventually};

/// Sends a turn, and waits until it waits for an approval. Returns the id of the interrupt.
async fn waiting(rig: &Rig, session: &str) -> (Sent, String) {
    let sent = rig.send("approve", session).await;
    (sent, interrupt(rig, session).await)
}

/// Waits until a turn waits for an approval. Returns the id of the interrupt.
async fn interrupt(rig: &Rig, session: &str) -> String {
    eventually("the turn waits", async || {
        let (_, history) = rig.call(session, "history", None).await;
        history["interrupts"][0]["id"].as_str().map(str::to_owned)
    })
    .await
}

async fn answer(rig: &Rig, session: &str, id: &str) {
    let answers = json!({"responses": [{"interruptId": id, "response": true}]});
    let (status, response) = rig.call(session, "answer", Some(&answers)).await;
    assert!(status.is_success(), "{status} {response}");
}

fn restart_all(rig: &mut Rig) {
    rig.workers[0].kill();
    rig.server.process.kill();
    rig.server.process.start();
    rig.workers[0].start();
}

/// An approval waits across a restart of everything, which happens when the turn has a number of entries in its journal: each number
/// in turn, in steps.
pub(crate) async fn approvals(step: u32) {
    let mut rig = Rig::start("approvals", 1, |settings| settings.tool_time = 40).await;
    let unknown = json!({"responses": [{"interruptId": "unknown", "response": true}]});
    let (mut entries, mut restarts, mut interrupted) = (1, 0, 0);
    loop {
        let session = format!("a-{entries}");
        let sent = rig.send("approve", &session).await;
        let (mut is_answered, mut is_restarted) = (false, false);
        let is_ended = eventually("the turn has the entries, or has ended", async || {
            let (_, history) = rig.call(&session, "history", None).await;
            if rig.note_records(&sent).await >= entries as usize {
                return Some(false);
            }
            if let (false, Some(id)) = (is_answered, history["interrupts"][0]["id"].as_str()) {
                assert_eq!(rig.call(&session, "answer", Some(&unknown)).await.0, 404);
                answer(&rig, &session, id).await;
                is_answered = true;
            }
            (is_answered && history["run_id"].is_null()).then_some(true)
        })
        .await;
        if !is_ended {
            restart_all(&mut rig);
            restarts += 1;
            is_restarted = true;
        }
        if !is_answered {
            let id = interrupt(&rig, &session).await;
            answer(&rig, &session, &id).await;
        }
        interrupted += u32::from(check_approved(&rig, &sent).await);
        assert_eq!(rig.call(&session, "answer", Some(&unknown)).await.0, 404);
        if !is_restarted {
            break;
        }
        entries += step;
    }
    rig.check_failures().await;
    rig.check_repeated();
    assert!(restarts >= 4);
    println!(
        "{restarts} restarts of everything, one after each {step} entries of a turn with an approval: the approved tool was started \
         once in each turn; {interrupted} outcomes were unknown"
    );
}

/// Checks a turn with an approval. Returns true if the model was told that the outcome of the approved tool is unknown, since it had
/// started when the worker was killed.
async fn check_approved(rig: &Rig, sent: &Sent) -> bool {
    let (status, response) = rig.end(sent).await;
    assert!(status.is_success(), "{}: {status} {response}", sent.session);
    let (mut messages, ids) = rig.history(&sent.session).await;
    // The calls of the response, in its order: `act`, `pay`, `act`.
    let starts = rig.mock.log().tool_starts.get(&ids[1]).copied().unwrap_or_default();
    assert!(starts <= 1, "{}: the approved tool was started {starts} times", sent.session);
    let result = messages[2]["content"][1]["result"].take();
    let is_unknown = result != plan::result(&sent.session, 2);
    assert!(!is_unknown || result.as_str().is_some_and(|text| text.contains("unknown")), "{result}");
    messages[2]["content"][1]["result"] = plan::result(&sent.session, 2).into();
    assert_eq!(messages, plan::history(plan::Plan::Approve, &sent.prompt, &sent.session));
    let effect = rig.settings.effects.join(&sent.session).join(&ids[1]).exists();
    assert!(effect || is_unknown, "{}: the approved tool had no effect", sent.session);
    is_unknown
}

/// A turn that waits is suspended: no worker holds memory for it, and none has to be there.
pub(crate) async fn waits() {
    const TURNS: usize = 100;
    let mut rig = Rig::start("waits", 1, |settings| settings.inactivity_timeout = Duration::from_secs(1)).await;
    let first = rig.send("journey", "w-0").await;
    rig.check(&first).await;
    let before = rig.workers[0].memory();
    let mut turns = Vec::new();
    for number in 1..=TURNS {
        turns.push(waiting(&rig, &format!("w-{number}")).await);
    }
    eventually("all turns are suspended", async || {
        let rows = rig.query("select id from sys_invocation where status = 'suspended'").await;
        (rows.len() == TURNS).then_some(())
    })
    .await;
    let after = rig.workers[0].memory();
    assert!(after < before + (4 << 20), "{before} bytes, and {after} bytes with suspended turns");
    rig.workers[0].kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rows = rig.query("select id, status from sys_invocation where status != 'completed'").await;
    assert!(rows.len() == TURNS && rows.iter().all(|row| row["status"] == "suspended"), "{rows:?}");
    rig.workers[0].start();
    for (sent, id) in &turns {
        answer(&rig, &sent.session, id).await;
    }
    for (sent, _) in &turns {
        rig.check(sent).await;
    }
    rig.check_failures().await;
    rig.check_repeated();
    println!(
        "{TURNS} turns waited in no worker at all, and ended; the worker had {} KiB before, and {} KiB with all suspended",
        before / 1024,
        after / 1024
    );
}

/// Checks that a history is valid: roles alternate, and each call has its result.
fn check_valid(messages: &[Value]) {
    for pair in messages.windows(2) {
        assert_ne!(pair[0]["role"], pair[1]["role"], "{messages:#?}");
        let count = |message: &Value, key: &str| {
            message["content"].as_array().unwrap().iter().filter(|block| block.get(key).is_some()).count()
        };
        assert_eq!(count(&pair[0], "call"), count(&pair[1], "result"), "{messages:#?}");
    }
}

/// Cancels a turn, which ends for good, and continues the conversation.
async fn cancelled(rig: &mut Rig, sent: &Sent, by_admin: bool, most: Duration) {
    let began = Instant::now();
    if by_admin {
        let url = format!("{}/invocations/{}/cancel", rig.server.admin, sent.run_id);
        assert!(rig.request(Method::PATCH, &url, None).await.unwrap().0.is_success());
    } else {
        let (status, cancelled) = rig.call(&sent.session, "cancel", None).await;
        assert!(status.is_success() && cancelled["run_id"] == *sent.run_id, "{cancelled}");
    }
    let (status, response) = rig.end(sent).await;
    assert!(status.is_success() && response["stop_reason"] == "cancelled", "{status} {response}");
    assert!(began.elapsed() < most, "cancelled after {:?}", began.elapsed());
    println!("cancelled after {:?}", began.elapsed());
    let calls = rig.mock.log().total_model_calls();
    rig.workers[0].kill();
    rig.workers[0].start();
    let rows = rig.query(&format!("select status from sys_invocation where id = '{}'", sent.run_id)).await;
    assert_eq!(rows[0]["status"], "completed");
    assert_eq!(rig.mock.log().total_model_calls(), calls, "a cancelled turn goes on");
    check_valid(&rig.history(&sent.session).await.0);
    let (status, idle) = rig.call(&sent.session, "cancel", None).await;
    assert!(status.is_success() && idle == json!({}), "{idle}");

    let next = rig.send("journey", &sent.session).await;
    let (status, response) = rig.end(&next).await;
    assert!(status.is_success(), "{response}");
    let (messages, ids) = rig.history(&sent.session).await;
    check_valid(&messages);
    let turn = plan::history(plan::Plan::Journey, &next.prompt, &sent.session);
    // The prompt may be in one message with the results of the cancelled turn.
    assert!(messages.ends_with(&turn[1..]), "{messages:#?}");
    // Of the cancelled turn, a tool may have had no effect.
    let effects = std::fs::read_dir(rig.settings.effects.join(&sent.session)).unwrap().count();
    assert!(effects <= ids.len());
}

pub(crate) async fn cancels() {
    let mut rig = Rig::start("cancels", 1, |_| {}).await;
    let at_once = Duration::from_secs(2);
    for (number, by_admin) in [(1, false), (2, true)] {
        let sent = rig.send("slow", &format!("model-{number}")).await;
        eventually("the model is called", async || (rig.mock.log().total_model_calls() > 0).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // The engine alone cancels between two steps.
        cancelled(&mut rig, &sent, by_admin, if by_admin { Duration::from_secs(20) } else { at_once }).await;

        let sent = rig.send("slow_tool", &format!("tool-{number}")).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        cancelled(&mut rig, &sent, by_admin, if by_admin { Duration::from_secs(20) } else { at_once }).await;

        let (sent, id) = waiting(&rig, &format!("approval-{number}")).await;
        cancelled(&mut rig, &sent, by_admin, at_once).await;
        let answers = json!({"responses": [{"interruptId": id, "response": true}]});
        assert_eq!(rig.call(&sent.session, "answer", Some(&answers)).await.0, 404);

        let sent = rig.send("throttled", &format!("wait-{number}")).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        cancelled(&mut rig, &sent, by_admin, at_once).await;
    }
    rig.check_failures().await;
    rig.check_repeated();
}

/// Refused responses leave the turn waiting for others, in another worker, too.
pub(crate) async fn refusals() {
    let mut rig = Rig::start("refusals", 1, |settings| settings.has_approver = true).await;
    let (sent, id) = waiting(&rig, "refusals-1").await;
    let answers =
        |user: &str| json!({"responses": [{"interruptId": id, "response": true}], "metadata": {"user": user}});
    let unknown = json!({"responses": [{"interruptId": id, "response": true}]});
    assert_eq!(rig.call(&sent.session, "answer", Some(&unknown)).await.0, 400);
    for user in ["mallory", "eve"] {
        let (status, response) = rig.call(&sent.session, "answer", Some(&answers(user))).await;
        assert!(status.is_success(), "{status} {response}");
        eventually("the turn waits again", async || {
            let (_, history) = rig.call(&sent.session, "history", None).await;
            let is_refused = history["refused"].as_str().is_some_and(|text| text.contains(user));
            (is_refused && history["interrupts"][0]["id"] == *id).then_some(())
        })
        .await;
        restart_all(&mut rig);
    }
    let effects = std::fs::read_dir(rig.settings.effects.join(&sent.session)).unwrap().count();
    assert_eq!(effects, 2, "of the calls that need no approval");
    // None that was accepted is lost, however fast they follow one another. There is no pending interrupt while one is checked.
    for user in (0..12).map(|number| format!("mallory-{number}")).chain(["bob".to_owned()]) {
        let answers = answers(&user);
        eventually("the response is accepted", async || {
            let (status, response) = rig.call(&sent.session, "answer", Some(&answers)).await;
            assert!(status.is_success() || status == 404, "{status} {response}");
            status.is_success().then_some(())
        })
        .await;
    }
    check_approved(&rig, &sent).await;
    rig.check_failures().await;
    rig.check_repeated();
    println!(
        "14 refused responses left the turn waiting, also over restarts of everything; the one after them was accepted"
    );
}

/// Failures that end a turn, and those that must not.
pub(crate) async fn failures() {
    let mut rig = Rig::start("failures", 1, |settings| {
        settings.inactivity_timeout = Duration::from_secs(1);
        settings.step_timeout = Duration::from_secs(3);
    })
    .await;
    let refused = rig.send("refused", "refused-1").await;
    let (status, response) = rig.end(&refused).await;
    assert_eq!(
        (status.as_u16(), &response["message"]),
        (502, &json!("the model call failed after 1 attempts: authentication"))
    );
    assert_eq!(rig.mock.log().total_model_calls(), 1, "a final error is not repeated");

    for input in [
        json!({"prompt": ""}),
        json!({"prompt": [{"toolResult": {"toolUseId": plan::MARKER}}]}),
        json!({"text": plan::MARKER}),
        json!(plan::MARKER),
    ] {
        let (status, response) = rig.call("invalid", "prompt", Some(&input)).await;
        assert!(status == 400 && !response.to_string().contains(plan::MARKER), "{status} {response}");
    }

    // Longer than the inactivity timeout, and not longer than a step may take.
    let slow = rig.send("throttled", "throttled-1").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    rig.workers[0].kill();
    rig.workers[0].start();
    rig.check(&slow).await;
    let seen = rig.mock.log().seen("throttled-1").model_calls.clone();
    assert_eq!(seen[&1], 3, "two refusals and a response");
    let journal = format!("select entry_type from sys_journal where id = '{}'", slow.run_id);
    let entries = rig.query(&journal).await;
    let sleeps = entries.iter().filter(|row| row["entry_type"] == "Command: Sleep").count();
    assert_eq!(sleeps, 2, "a wait was repeated: {entries:?}");

    for (plan, expected) in [("slow_tool", 504), ("huge", 413)] {
        let failed = rig.send(plan, plan).await;
        let (status, response) = rig.end(&failed).await;
        assert!(status == expected, "{plan}: {status} {response}");
        check_valid(&rig.history(plan).await.0);
        let next = rig.send("journey", plan).await;
        let (status, response) = rig.end(&next).await;
        assert!(status.is_success(), "after {plan}: {status} {response}");
        check_valid(&rig.history(plan).await.0);
    }

    rig.check_failures().await;
    rig.check_repeated();
    println!("failures are terminal, and have nothing of the conversation");
}

/// A step that takes longer than the inactivity timeout is performed once.
pub(crate) async fn long_steps() {
    let rig = Rig::start("long-steps", 1, |settings| settings.inactivity_timeout = Duration::from_millis(500)).await;
    let sent = rig.send("slow_tool", "slow-1").await;
    rig.check(&sent).await;
    assert!(rig.mock.log().tool_starts.values().all(|starts| *starts == 1), "a tool was repeated");
    rig.check_failures().await;
    rig.check_repeated();
    println!("steps of 5 s with an inactivity timeout of 0.5 s were performed once");
}

/// Two turns of a session run one after the other.
pub(crate) async fn queued() {
    let rig = Rig::start("queued", 1, |_| {}).await;
    let turns = [rig.send("journey", "q").await, rig.send("journey", "q").await];
    for sent in &turns {
        assert!(rig.end(sent).await.0.is_success());
    }
    let turn = plan::history(plan::Plan::Journey, &turns[0].prompt, "q");
    assert_eq!(rig.history("q").await.0, [&turn[..], &turn[..]].concat());
    rig.check_repeated();
    println!("two turns of a session ran one after the other");
}

/// Deploys in the middle of a turn: with another system prompt, and with a hook that changes the steps.
pub(crate) async fn versions() {
    let mut rig = Rig::start("versions", 1, |settings| settings.tool_time = 400).await;
    let deploy = |rig: &mut Rig, change: &dyn Fn(&mut crate::worker::Settings)| {
        let mut settings = rig.settings.clone();
        change(&mut settings);
        rig.workers.clear();
        rig.workers.push(crate::processes::worker(&rig.folder.0, &settings));
    };
    let sent = rig.send("journey", "v-1").await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    deploy(&mut rig, &|settings| settings.system_prompt = "Be verbose.".to_owned());
    rig.check(&sent).await;
    rig.check_failures().await;

    let sent = rig.send("journey", "v-2").await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    deploy(&mut rig, &|settings| settings.has_hook = true);
    let failure = eventually("the changed step is found", async || {
        rig.failures().await.into_iter().find(|failure| failure.contains(MISMATCH))
    })
    .await;
    assert!(!failure.contains(plan::MARKER), "{failure}");
    println!("a changed step: {failure}");
    deploy(&mut rig, &|_| {});
    rig.check(&sent).await;
    rig.check_repeated();
    println!("turns continue after a deploy; one whose steps are others waits for the version that began it");
}
