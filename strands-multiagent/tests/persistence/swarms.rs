//! Stored runs of swarms: crashes between any two saves, interrupts, and documents of Strands.

use serde_json::{Value, json};
use strands::models::StopReason;
use strands::multiagent::Swarm;
use strands::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands::{Agent, Prompt, PromptRequest, tool};

use super::Ledger;
use super::strands_documents::completed;

/// Pays an amount.
#[tool(approval)]
fn pay(amount: u32) -> String {
    format!("paid {amount}")
}

/// Returns a swarm whose researcher hands over to a writer, which pays if it is told to.
fn team(ledger: &Ledger, session: &InMemorySessionManager, pays: bool) -> Swarm {
    let member = |name: &'static str| {
        let ledger = ledger.clone();
        let model = ScriptedModel::from_fn(move |request| {
            if request.messages.len() > 1 {
                return ScriptedTurn::text(format!("{name} after {} messages", request.messages.len()));
            }
            ledger.write(name);
            let prompt = request.messages[0].text();
            match name {
                "researcher" => {
                    let context = json!({"k": "v"});
                    let handoff = json!({"agent_name": "writer", "message": "write it", "context": context});
                    ScriptedTurn::tool_use("handoff_to_agent", handoff)
                }
                _ if pays => ScriptedTurn::tool_use("pay", json!({"amount": 7})),
                _ => ScriptedTurn::text(format!("{name} got: {}", prompt.contains("Handoff Message: write it"))),
            }
        });
        Agent::builder().name(name).model(model).tool(Pay)
    };
    let team = Swarm::builder("team").member(member("researcher")).member(member("writer"));
    team.session_manager(session.clone()).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn recorded_turns_never_run_again_after_a_crash_at_any_save() {
    let mut saves = 0;
    loop {
        let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
        session.fail_after(Some(saves));
        let has_ended = team(&ledger, &session, false).run("bees").await.is_ok();
        if has_ended {
            break;
        }
        session.fail_after(None);
        let stored = session.multi_agent("team");
        let recorded = stored.map(|stored| stored["node_history"].clone()).unwrap_or(json!([]));
        ledger.take();
        let response = team(&ledger, &session, false).run("bees").await.unwrap();
        let expected = if recorded == json!(["researcher"]) {
            vec!["writer"]
        } else if recorded == json!([]) {
            vec!["researcher", "writer"]
        } else {
            panic!("{recorded} at save {saves}")
        };
        assert_eq!(ledger.take(), expected, "at save {saves}");
        assert_eq!(response.text(), "writer got: true");
        assert_eq!(response.shared_context.get("researcher", "k"), Some(&json!("v")));
        assert_eq!(json!(response.history), json!(["researcher", "writer"]));
        let stored = session.multi_agent("team").unwrap();
        assert_eq!((&stored["status"], &stored["next_nodes_to_execute"]), (&json!("completed"), &json!([])));
        saves += 1;
    }
    assert!((3..=6).contains(&saves), "{saves} saves of two turns");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_member_is_resumed_in_another_process() {
    for is_of_strands in [false, true] {
        let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
        let response = team(&ledger, &session, true).run("bees").await.unwrap().response;
        assert_eq!(response.stop_reason, StopReason::Interrupt);
        let mut stored = session.multi_agent("team").unwrap();
        let context = &stored["_internal_state"]["interrupt_state"]["context"]["writer"];
        assert_eq!((&context["activated"], &stored["next_nodes_to_execute"]), (&json!(true), &json!(["writer"])));
        assert_eq!(context["messages"].as_array().unwrap().len(), 2);
        if is_of_strands {
            // Strands drops the state of this library when it writes the document.
            stored["_internal_state"].as_object_mut().unwrap().remove("run").unwrap();
            session.set_multi_agent("team", stored);
        }
        ledger.take();
        // The process ends again, once the member is recorded as started with the response.
        session.fail_after(Some(1));
        let request = PromptRequest::new(Prompt::none()).resume([response.interrupts[0].respond(true)]);
        team(&ledger, &session, true).run(request).await.unwrap_err();
        session.fail_after(None);
        let response = team(&ledger, &session, true).run(Prompt::none()).await.unwrap();
        assert_eq!(response.text(), "writer after 3 messages");
        assert_eq!(ledger.take(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn restores_a_completed_run_of_strands_and_starts_a_new_one_after_it() {
    let Some((mut stored, expected)) = completed("20_swarm_done", "sw1") else { return };
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    stored["id"] = json!("team");
    session.set_multi_agent("team", stored);
    let response = team(&ledger, &session, false).run(Prompt::none()).await.unwrap();
    assert_eq!(ledger.take(), [""; 0]);
    assert_eq!(json!(response.history), expected["node_history"]);
    assert_eq!(response.text(), "final text");
    assert_eq!(json!(response.shared_context), expected["state"]["context"]["shared_context"]);
    assert_eq!(json!(response.response.usage), expected["state"]["accumulated_usage"]);
    team(&ledger, &session, false).run("wasps").await.unwrap();
    assert_eq!(ledger.take(), ["researcher", "writer"]);
}

#[tokio::test(start_paused = true)]
async fn continues_with_the_member_that_strands_would_run_next() {
    let Some((mut stored, _)) = completed("20_swarm_done", "sw1") else { return };
    stored["id"] = json!("team");
    stored["status"] = json!("executing");
    stored["node_history"] = json!(["researcher"]);
    stored["node_results"].as_object_mut().unwrap().remove("writer").unwrap();
    stored["next_nodes_to_execute"] = json!(["writer"]);
    stored["context"]["handoff_message"] = json!("write it");
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    session.set_multi_agent("team", stored.clone());
    let response = team(&ledger, &session, false).run(Prompt::none()).await.unwrap();
    assert_eq!(ledger.take(), ["writer"]);
    assert_eq!(response.text(), "writer got: true");

    stored["next_nodes_to_execute"] = json!(["editor"]);
    session.set_multi_agent("team", stored.clone());
    let error = team(&ledger, &session, false).run(Prompt::none()).await.unwrap_err();
    assert!(error.to_string().contains("node `editor`"), "{error}");
    assert_eq!(session.multi_agent("team").unwrap(), stored);
}

#[tokio::test(start_paused = true)]
async fn results_are_stored_once() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    team(&ledger, &session, false).run("a task about bees").await.unwrap();
    let stored = session.multi_agent("team").unwrap();
    assert!(stored["node_results"].to_string().contains("writer got: true"));
    let own: &Value = &stored["_internal_state"]["run"];
    assert!(!own.to_string().contains("writer got") && !own.to_string().contains("about bees"), "{own}");
}
