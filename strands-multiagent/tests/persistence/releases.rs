//! Stored runs that a later release of a program finds, with other nodes or members; and runs that are discarded.

use serde_json::json;
use strands::models::StopReason;
use strands::multiagent::{Graph, GraphBuilder, Node, NodeContext, NodeError, NodeInput, RunError, Swarm, function};
use strands::session::SessionError;
use strands::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentError, Prompt, PromptRequest, tool};

use super::{DIAMOND, DIAMOND_EDGES, Ledger, graph};

/// Pays an amount.
#[tool(approval)]
fn pay(amount: u32) -> String {
    format!("paid {amount}")
}

/// Returns an agent that pays, and says then how many messages it has seen.
fn payer(name: &str) -> strands::AgentBuilder {
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().text().as_str() {
        "" => ScriptedTurn::text(format!("{} messages", request.messages.len())),
        _ => ScriptedTurn::tool_use("pay", json!({"amount": 7})),
    });
    Agent::builder().name(name).model(model).tool(Pay)
}

fn bank(session: &InMemorySessionManager) -> GraphBuilder {
    Graph::builder("bank")
        .node("pay", Node::new(payer("pay")).keeps_conversation(true))
        .session_manager(session.clone())
}

fn later_bank(session: &InMemorySessionManager) -> Graph {
    let thanks = function(|_: NodeContext, input: NodeInput| async move { Ok::<_, NodeError>(input.text()) });
    bank(session).node("thank", thanks).edge("pay", "thank").build().unwrap()
}

fn yes(response: &strands::AgentResponse) -> PromptRequest {
    PromptRequest::new(Prompt::none()).resume([response.interrupts[0].respond(true)])
}

#[tokio::test(start_paused = true)]
async fn a_completed_run_does_not_bind_the_next_release_to_its_nodes() {
    let (ledger, session) = (Ledger::default(), InMemorySessionManager::new("s-1"));
    graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap().run("bees").await.unwrap();
    ledger.take();
    let edges = [("a", "b"), ("b", "d"), ("d", "e")];
    let later = || graph(&ledger, &["a", "b", "d", "e"], &edges, &session).build().unwrap();
    // The results of nodes that are still there are returned again, and no node runs.
    let response = later().run(Prompt::none()).await.unwrap();
    assert_eq!((response.results["d"].text(), ledger.take().len()), ("d of 2".to_owned(), 0));
    assert!(!later().discard_run().await.unwrap(), "it has completed");
    later().run("wasps").await.unwrap();
    assert_eq!(ledger.take(), ["a", "b", "d", "e"]);
}

#[tokio::test(start_paused = true)]
async fn kept_conversations_survive_a_change_of_the_graph() {
    let session = InMemorySessionManager::new("s-1");
    let response = bank(&session).build().unwrap().run("one").await.unwrap().response;
    let response = bank(&session).build().unwrap().run(yes(&response)).await.unwrap();
    assert_eq!(response.text(), "3 messages");
    let response = later_bank(&session).run("two").await.unwrap().response;
    let response = later_bank(&session).run(yes(&response)).await.unwrap();
    assert_eq!(response.text(), "7 messages");
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_does_not_bind_the_next_release_either() {
    let session = InMemorySessionManager::new("s-1");
    let fails = function(|_: NodeContext, _: NodeInput| async { Err::<&str, _>(NodeError::new("no")) });
    let builder = Graph::builder("news").node("a", fails).session_manager(session.clone());
    builder.build().unwrap().run("bees").await.unwrap_err();
    let ledger = Ledger::default();
    let later = graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
    let error = later.run(Prompt::none()).await.unwrap_err();
    assert!(error.to_string().contains("have changed"), "{error}");
    later.run("wasps").await.unwrap();
    assert_eq!(ledger.take().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_is_discarded() {
    for has_changed in [false, true] {
        let session = InMemorySessionManager::new("s-1");
        let graph = || if has_changed { later_bank(&session) } else { bank(&session).build().unwrap() };
        assert!(!graph().discard_run().await.unwrap(), "there is no run");
        let asked = bank(&session).build().unwrap().run("one").await.unwrap().response;
        let stored = session.multi_agent("bank").unwrap();
        let error = graph().run("two").await.unwrap_err();
        let is_refused = matches!(error, AgentError::Interrupted { .. }) || error.to_string().contains("have changed");
        assert!(is_refused, "{error}");
        assert_eq!(session.multi_agent("bank").unwrap(), stored);

        assert!(graph().discard_run().await.unwrap());
        assert!(!graph().discard_run().await.unwrap(), "it is discarded already");
        let stored = session.multi_agent("bank").unwrap();
        assert_eq!((&stored["status"], &stored["next_nodes_to_execute"]), (&json!("completed"), &json!([])));
        assert!(!stored.to_string().contains(&asked.interrupts[0].id), "{stored}");
        let error = graph().run(yes(&asked)).await.unwrap_err();
        assert!(matches!(error, AgentError::UnknownInterrupt { .. }), "{error}");
        let asked = graph().run("two").await.unwrap().response;
        assert_eq!(asked.stop_reason, StopReason::Interrupt);
        assert_eq!(graph().run(yes(&asked)).await.unwrap().text(), "3 messages");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_crash_has_cut_off_is_discarded() {
    let (ledger, session) = (Ledger::default(), InMemorySessionManager::new("s-1"));
    session.fail_after(Some(2));
    let graph = || graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
    graph().run("bees").await.unwrap_err();
    let error = graph().discard_run().await.unwrap_err();
    assert!(matches!(error, AgentError::Session(_)), "{error}");
    session.fail_after(None);
    assert!(matches!(graph().run("wasps").await.unwrap_err(), AgentError::Promptable { .. }));
    assert!(graph().discard_run().await.unwrap());
    ledger.take();
    graph().run("wasps").await.unwrap();
    assert_eq!(ledger.take(), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_document_of_something_else_is_not_discarded() {
    let (ledger, session) = (Ledger::default(), InMemorySessionManager::new("s-1"));
    let other = json!({"type": "swarm", "id": "news", "status": "executing"});
    session.set_multi_agent("news", other.clone());
    let error = graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap().discard_run().await.unwrap_err();
    let AgentError::Promptable { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(source.downcast_ref(), Some(RunError::NotRestored { .. })), "{error}");
    assert_eq!(session.multi_agent("news").unwrap(), other);
}

fn team(session: &InMemorySessionManager, members: &[&str]) -> Swarm {
    let team = Swarm::builder("team").session_manager(session.clone());
    members.iter().fold(team, |team, name| team.member(payer(name))).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_swarm_is_discarded_and_survives_a_change_of_its_members() {
    let session = InMemorySessionManager::new("s-1");
    let asked = team(&session, &["clerk"]).run("one").await.unwrap().response;
    let error = team(&session, &["cashier"]).run("two").await.unwrap_err();
    assert!(error.to_string().contains("node `clerk`"), "{error}");
    assert!(team(&session, &["cashier"]).discard_run().await.unwrap());
    let error = team(&session, &["clerk"]).run(yes(&asked)).await.unwrap_err();
    assert!(matches!(error, AgentError::UnknownInterrupt { .. }), "{error}");

    let asked = team(&session, &["cashier"]).run("two").await.unwrap().response;
    team(&session, &["cashier"]).run(yes(&asked)).await.unwrap();
    // It has completed, and its member is gone.
    let response = team(&session, &["clerk"]).run(Prompt::none()).await.unwrap();
    assert_eq!(response.text(), "3 messages");
    team(&session, &["clerk"]).run("three").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_another_process_discards_ends_with_a_conflict() {
    let session = InMemorySessionManager::new("s-1");
    let other = session.clone();
    let discards = function(move |_: NodeContext, _: NodeInput| {
        let other = Graph::builder("bank").node("pay", Node::new(payer("pay"))).session_manager(other.clone());
        async move { other.build().unwrap().discard_run().await.map(|is_discarded| is_discarded.to_string()) }
    });
    let graph = Graph::builder("bank").node("pay", discards).session_manager(session.clone()).build().unwrap();
    let error = graph.run("one").await.unwrap_err();
    assert!(matches!(error, AgentError::Session(SessionError::Conflict { .. })), "{error}");
    assert_eq!(session.multi_agent("bank").unwrap()["status"], "completed");
}
