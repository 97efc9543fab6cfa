//! Documents from which no run can be restored: they are named, and stay as they are.

use serde_json::{Value, json};
use strands::multiagent::RunError;
use strands::testing::InMemorySessionManager;
use strands::{AgentError, Prompt};

use super::{DIAMOND, DIAMOND_EDGES, Ledger, graph};

/// Returns the document of a run that is not finished, and its session.
async fn unfinished(ledger: &Ledger) -> (InMemorySessionManager, Value) {
    let session = InMemorySessionManager::new("s-1");
    session.fail_after(Some(2));
    graph(ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap().run("bees").await.unwrap_err();
    session.fail_after(None);
    ledger.take();
    let stored = session.multi_agent("news").unwrap();
    (session, stored)
}

fn reason(error: &AgentError) -> &str {
    match error {
        AgentError::Promptable { source, .. } => match source.downcast_ref::<RunError>() {
            Some(RunError::NotRestored { reason }) => reason,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_that_cannot_be_restored_stays_as_it_is() {
    let ledger = Ledger::default();
    let (session, stored) = unfinished(&ledger).await;
    let changed = |pointer: &str, value: Value| {
        let mut document = stored.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        document
    };
    for (document, expected) in [
        (changed("/type", json!("swarm")), "of type `swarm`, and not of a graph"),
        (changed("/id", json!("olds")), "of `olds`, and not of `news`"),
        (changed("/_internal_state/run/version", json!(2)), "has version 2 of a run"),
        (changed("/_internal_state/run/state/nodes", json!(7)), "can't be read"),
        (changed("/node_results/a/result", json!({"type": "agent_result"})), "`node_results.a`"),
        (changed("/current_task", json!({"text": "x"})), "`current_task`"),
        (json!({}), "of type ``"),
    ] {
        session.set_multi_agent("news", document.clone());
        for request in [Prompt::none(), "bees".into()] {
            let graph = graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
            let error = graph.run(request).await.unwrap_err();
            assert!(reason(&error).contains(expected), "{error}");
            assert_eq!(session.multi_agent("news").unwrap(), document);
        }
    }
    assert_eq!(ledger.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_graph_of_another_shape_does_not_continue_a_run() {
    let ledger = Ledger::default();
    let (session, stored) = unfinished(&ledger).await;
    let other = graph(&ledger, &DIAMOND, &DIAMOND_EDGES[..3], &session).build().unwrap();
    let error = other.run(Prompt::none()).await.unwrap_err();
    assert!(reason(&error).contains("have changed"), "{error}");
    assert_eq!(session.multi_agent("news").unwrap(), stored);
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_run_is_not_replaced_by_another_task() {
    let ledger = Ledger::default();
    let (session, stored) = unfinished(&ledger).await;
    let graph = graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
    graph.run("wasps").await.unwrap_err();
    assert_eq!(session.multi_agent("news").unwrap(), stored);
    assert_eq!(ledger.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn fields_of_others_survive() {
    let ledger = Ledger::default();
    let (session, mut stored) = unfinished(&ledger).await;
    stored["tomorrow"] = json!(1);
    stored["_internal_state"]["tomorrow"] = json!(2);
    session.set_multi_agent("news", stored);
    graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap().run(Prompt::none()).await.unwrap();
    let stored = session.multi_agent("news").unwrap();
    assert_eq!((&stored["tomorrow"], &stored["_internal_state"]["tomorrow"]), (&json!(1), &json!(2)));
}
