//! Interrupted runs that other processes resume.

use serde_json::{Value, json};
use strands::models::StopReason;
use strands::multiagent::{Graph, NodeContext, NodeError, NodeInput, NodeOutput, function};
use strands::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands::{Agent, Prompt, PromptRequest, tool};

use super::Ledger;

/// Pays an amount.
#[tool(approval)]
fn pay(amount: u32) -> String {
    format!("paid {amount}")
}

/// Returns a graph with an agent whose tool needs an approval, and a function that asks, beside a node that does not.
fn payments(ledger: &Ledger, session: &InMemorySessionManager) -> Graph {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("pay", json!({"amount": 7})),
        messages => ScriptedTurn::text(format!("paid after {messages} messages")),
    });
    let record = ledger.clone();
    let asks = function(move |ctx: NodeContext, _: NodeInput| {
        record.write(ctx.node());
        async move { Ok::<_, NodeError>(NodeOutput::text(ctx.interrupt("color", "Which color?")?.to_string())) }
    });
    let agent = Agent::builder().model(model).tool(Pay);
    let graph = Graph::builder("news").node("start", ledger.node()).node("agent", agent).node("function", asks);
    let graph = graph.node("other", ledger.node()).node("end", ledger.node());
    let graph = graph.edge("start", "agent").edge("start", "function").edge("start", "other");
    let graph = graph.edge("agent", "end").edge("function", "end").edge("other", "end");
    graph.session_manager(session.clone()).build().unwrap()
}

/// Removes the state of this library, as Strands does when it writes a document.
fn without_own_state(session: &InMemorySessionManager) {
    let mut stored = session.multi_agent("news").unwrap();
    stored["_internal_state"].as_object_mut().unwrap().remove("run").unwrap();
    session.set_multi_agent("news", stored);
}

#[tokio::test(start_paused = true)]
async fn interrupted_nodes_are_resumed_in_another_process() {
    for is_of_strands in [false, true] {
        let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
        let response = payments(&ledger, &session).run("bees").await.unwrap().response;
        assert_eq!(response.stop_reason, StopReason::Interrupt);
        assert_eq!(ledger.take(), ["start", "function", "other"]);
        let [of_agent, of_function] = response.interrupts.as_slice() else { panic!("{:?}", response.interrupts) };
        let stored = session.multi_agent("news").unwrap();
        assert_eq!(stored["status"], "interrupted");
        assert_eq!(stored["next_nodes_to_execute"], json!(["agent", "function"]));
        let context = &stored["_internal_state"]["interrupt_state"]["context"];
        assert_eq!(context["agent"]["interrupt_ids"], json!([of_agent.innermost_id()]));
        assert_eq!(context["agent"]["messages"].as_array().unwrap().len(), 2);

        if is_of_strands {
            without_own_state(&session);
        }
        // A response to one of them: the other one stays.
        let request = PromptRequest::new(Prompt::none()).resume([of_agent.respond(true)]);
        let response = payments(&ledger, &session).run(request).await.unwrap();
        assert_eq!(response.response.interrupts, std::slice::from_ref(of_function));
        assert_eq!(response.results["agent"].text(), "paid after 3 messages");
        assert_eq!(ledger.take(), [""; 0]);

        if is_of_strands {
            without_own_state(&session);
        }
        let request = PromptRequest::new(Prompt::none()).resume([of_function.respond("red")]);
        let response = payments(&ledger, &session).run(request).await.unwrap();
        assert_eq!(response.results["function"].text(), "\"red\"");
        assert_eq!(ledger.take(), ["function", "end"]);
        assert_eq!(response.text(), "end of 3");
        assert_eq!(session.multi_agent("news").unwrap()["_internal_state"]["interrupt_state"]["activated"], false);
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_node_goes_on_from_its_state_after_a_crash() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    let response = payments(&ledger, &session).run("bees").await.unwrap().response;
    // The node is recorded as started again, and its end is not.
    session.fail_after(Some(1));
    let request = PromptRequest::new(Prompt::none()).resume([response.interrupts[0].respond(true)]);
    payments(&ledger, &session).run(request).await.unwrap_err();
    session.fail_after(None);
    assert_eq!(session.multi_agent("news").unwrap()["status"], "executing");
    let response = payments(&ledger, &session).run(Prompt::none()).await.unwrap();
    assert_eq!(response.results["agent"].text(), "paid after 3 messages");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_response_changes_nothing() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    payments(&ledger, &session).run("bees").await.unwrap();
    let stored = session.multi_agent("news").unwrap();
    let response = strands::InterruptResponse::new("v1:node:agent:x", Value::Bool(true));
    let request = PromptRequest::new(Prompt::none()).resume([response]);
    payments(&ledger, &session).run(request).await.unwrap_err();
    assert_eq!(session.multi_agent("news").unwrap(), stored);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_graph_within_a_graph_is_resumed_in_another_process() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    let build = || {
        let record = ledger.clone();
        let asks = function(move |ctx: NodeContext, _: NodeInput| {
            record.write(ctx.node());
            async move { Ok::<_, NodeError>(NodeOutput::text(ctx.interrupt("color", "Which color?")?.to_string())) }
        });
        let inner = Graph::builder("inner").node("first", ledger.node()).node("asks", asks).edge("first", "asks");
        let outer = Graph::builder("news").node("inner", inner.build().unwrap()).node("end", ledger.node());
        outer.edge("inner", "end").session_manager(session.clone()).build().unwrap()
    };
    let response = build().run("bees").await.unwrap().response;
    assert_eq!(ledger.take(), ["first", "asks"]);
    let [interrupt] = response.interrupts.as_slice() else { panic!("{:?}", response.interrupts) };
    let request = PromptRequest::new(Prompt::none()).resume([interrupt.respond("red")]);
    let response = build().run(request).await.unwrap();
    assert_eq!(ledger.take(), ["asks", "end"]);
    assert_eq!(response.results["inner"].text(), "\"red\"");
}
