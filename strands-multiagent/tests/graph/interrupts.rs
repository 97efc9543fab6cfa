//! Interrupts of functions, agents, hooks and nested graphs, resumed by other graphs of the same shape.

use std::sync::{Arc, Mutex};

use strands::hook::HookResult;
use strands::models::{ModelError, StopReason};
use strands::multiagent::{
    AfterNode, BeforeNode, BeforeRun, Failure, Graph, Node, NodeContext, NodeError, NodeHook, NodeInput, NodeStatus,
    function,
};
use strands::serde_json::json;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentBuilder, AgentError, AgentResponse, InterruptResponse, Prompt, PromptRequest, async_trait, tool, tools,
};

use crate::steps::{Calls, echoes, says, text};
use crate::store::Store;

/// Pays.
#[tool(approval)]
fn pay(euros: u32) -> String {
    format!("paid {euros}")
}

pub(crate) fn payer() -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("pay", json!({"euros": 100})),
        _ => ScriptedTurn::text(crate::steps::result_text(request)),
    });
    Agent::builder().name("payer").model(model).tools(tools![Pay])
}

fn asks(calls: Calls) -> Node {
    function(move |ctx: NodeContext, _: NodeInput| {
        calls.add();
        async move {
            let first = ctx.interrupt("first", "1?")?;
            let second = ctx.interrupt("second", "2?")?;
            Ok::<_, NodeError>(format!("{first} {second}"))
        }
    })
}

pub(crate) fn resume(
    response: &AgentResponse,
    responses: impl IntoIterator<Item = InterruptResponse>,
) -> PromptRequest {
    let request = PromptRequest::new(Prompt::none()).resume(responses);
    match &response.continuation {
        // Through text, as in another process.
        Some(continuation) => {
            let text = serde_json::to_string(continuation).unwrap();
            request.continue_from(serde_json::from_str::<strands::Continuation>(&text).unwrap())
        }
        None => request,
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_in_a_node_is_resumed_with_its_conversation() {
    let graph =
        || Graph::builder("bank").node("pay", payer()).node("say", echoes()).edge("pay", "say").build().unwrap();
    let waiting = graph().run("Pay 100 euros.").await.unwrap().response;
    assert_eq!(waiting.stop_reason, StopReason::Interrupt);
    assert!(waiting.interrupts[0].id.starts_with("v1:node:pay:v1:"), "{}", waiting.interrupts[0].id);
    let response = graph().run(resume(&waiting, [waiting.interrupts[0].respond(true)])).await.unwrap();
    assert_eq!(response.text(), "paid 100");
    assert_eq!(response.response.turns, 2, "the turn before the interrupt counts as well");
}

#[tokio::test(start_paused = true)]
async fn nested_graphs_and_agents_as_tools_are_resumed_through_all_levels() {
    let graph = || {
        let inner = Graph::builder("inner").node("pay", payer()).build().unwrap();
        let model = ScriptedModel::from_fn(|request| match request.messages.len() {
            1 => ScriptedTurn::tool_use("inner", json!({"input": "pay"})),
            _ => ScriptedTurn::text(crate::steps::result_text(request)),
        });
        let planner = Agent::builder().name("planner").model(model).tools(tools![strands::AgentTool::new(inner)]);
        Graph::builder("outer").node("plan", planner).build().unwrap()
    };
    let waiting = graph().run("Pay.").await.unwrap().response;
    assert_eq!(waiting.interrupts.len(), 1);
    assert!(waiting.interrupts[0].innermost_id().starts_with("v1:"), "{}", waiting.interrupts[0].id);
    assert_eq!(waiting.interrupts[0].innermost_id().matches("v1:").count(), 1);
    let response = graph().run(resume(&waiting, [waiting.interrupts[0].respond(true)])).await.unwrap();
    assert_eq!(response.text(), "paid 100");
}

#[tokio::test(start_paused = true)]
async fn responses_to_some_interrupts_leave_the_others_pending() {
    let calls = Calls::default();
    let graph = Graph::builder("asking")
        .node("a", asks(calls.clone()))
        .node("pay", payer())
        .node("other", says("done"))
        .build()
        .unwrap();
    let waiting = graph.run("go").await.unwrap().response;
    let names: Vec<_> = waiting.interrupts.iter().map(|interrupt| interrupt.name.as_str()).collect();
    assert_eq!(names, ["first", "approval"]);
    let waiting = graph.run(resume(&waiting, [waiting.interrupts[0].respond("one")])).await.unwrap().response;
    let names: Vec<_> = waiting.interrupts.iter().map(|interrupt| interrupt.name.as_str()).collect();
    assert_eq!(names, ["second", "approval"]);
    assert_eq!(calls.get(), 2);
    let all = [waiting.interrupts[1].respond(true), waiting.interrupts[0].respond("two")];
    let response = graph.run(resume(&waiting, all)).await.unwrap();
    assert_eq!(response.text(), "\"one\" \"two\"\npaid 100\ndone");
    assert_eq!(calls.get(), 3);
    assert_eq!(response.results["other"].attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn unknown_and_missing_responses_change_nothing() {
    let store = Store::default();
    let graph =
        Graph::builder("asking").node("a", asks(Calls::default())).session_manager(store.clone()).build().unwrap();
    graph.run("go").await.unwrap();
    let before = store.document();
    let error = graph.run(PromptRequest::new(Prompt::none()).resume([InterruptResponse::new("x", true)])).await;
    assert!(matches!(error, Err(AgentError::UnknownInterrupt { id }) if id == "x"));
    assert_eq!(graph.run(Prompt::none()).await.unwrap().response.interrupts.len(), 1);
    assert!(matches!(graph.run("another task").await, Err(AgentError::Interrupted { .. })));
    assert_eq!(store.document(), before);
}

struct Approves(Calls);

#[async_trait]
impl NodeHook for Approves {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        self.0.add();
        if let Some(response) = event.interrupt("approval", event.node)
            && response != true
        {
            event.deny = Some("not approved".into());
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_interrupt_and_deny_nodes() {
    for (approved, expected) in [(true, Ok("yes")), (false, Err("the node `a` failed: denied: not approved"))] {
        let calls = Calls::default();
        let graph = Graph::builder("hooked").node("a", says("yes")).hook(Approves(calls.clone())).build().unwrap();
        let waiting = graph.run("go").await.unwrap().response;
        // The same id as in Strands.
        assert!(waiting.interrupts[0].id.starts_with("v1:before_node_call:a:"), "{}", waiting.interrupts[0].id);
        let ended = graph.run(resume(&waiting, [waiting.interrupts[0].respond(approved)])).await;
        match expected {
            Ok(text) => assert_eq!(ended.unwrap().text(), text),
            Err(expected) => assert!(text(&ended.unwrap_err()).ends_with(expected)),
        }
        assert_eq!(calls.get(), 2);
    }
}

/// A payer whose model fails the first times after the payment.
fn failing_payer(times: u32) -> AgentBuilder {
    let calls = Calls::default();
    let model = ScriptedModel::from_fn(move |request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("pay", json!({"euros": 100})),
        _ if calls.add() <= times => ScriptedTurn::error(ModelError::protocol("the model failed")),
        _ => ScriptedTurn::text(crate::steps::result_text(request)),
    });
    Agent::builder().name("payer").model(model).tools(tools![Pay])
}

#[tokio::test(start_paused = true)]
async fn a_node_that_fails_after_the_response_keeps_it() {
    for is_nested in [false, true] {
        let store = Store::default();
        let payer = failing_payer(2);
        let node = if is_nested {
            Node::new(Graph::builder("inner").node("inner", payer).build().unwrap())
        } else {
            Node::new(payer)
        };
        let graph = Graph::builder("bank").node("pay", node).session_manager(store.clone()).build().unwrap();
        let waiting = graph.run("Pay 100 euros.").await.unwrap().response;
        let failed = graph.run(resume(&waiting, [waiting.interrupts[0].respond(true)])).await.unwrap_err();
        assert!(text(&failed).contains("the model failed"), "{}", text(&failed));
        let failed = graph.run(Prompt::none()).await.unwrap_err();
        assert!(text(&failed).contains("the model failed"), "{}", text(&failed));
        assert_eq!(graph.run(Prompt::none()).await.unwrap().text(), "paid 100");
    }
}

/// Asks before each start of a node but the first one.
struct AsksAgain(Calls);

#[async_trait]
impl NodeHook for AsksAgain {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        if self.0.add() > 1 && event.interrupt("go on?", event.node).is_some_and(|response| response != true) {
            event.deny = Some("not approved".into());
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_may_ask_before_an_agent_goes_on_with_a_response() {
    for store in [None, Some(Store::default())] {
        let calls = Calls::default();
        let graph = || {
            let graph = Graph::builder("bank").node("pay", payer()).hook(AsksAgain(calls.clone()));
            match &store {
                Some(store) => graph.session_manager(store.clone()).build().unwrap(),
                None => graph.build().unwrap(),
            }
        };
        let waiting = graph().run("Pay 100 euros.").await.unwrap().response;
        let waiting = graph().run(resume(&waiting, [waiting.interrupts[0].respond(true)])).await.unwrap().response;
        let [interrupt] = waiting.interrupts.as_slice() else { panic!("{:?}", waiting.interrupts) };
        assert!(interrupt.id.starts_with("v1:before_node_call:pay:"), "{}", interrupt.id);
        let response = graph().run(resume(&waiting, [interrupt.respond(true)])).await.unwrap();
        assert_eq!(response.text(), "paid 100");
    }
}

/// A loop of two visits: in each, a hook and a function ask, within a nested graph if that is chosen.
fn asks_in_a_loop(store: &Store, is_nested: bool) -> Graph {
    let asks = function(|ctx: NodeContext, _: NodeInput| async move {
        Ok::<_, NodeError>(ctx.interrupt("amount", "?")?.to_string())
    });
    let hook = Approves(Calls::default());
    let graph = Graph::builder("paying").session_manager(store.clone());
    let graph = if is_nested {
        graph.node("pay", Graph::builder("inner").node("inner", asks).hook(hook).build().unwrap())
    } else {
        graph.node("pay", asks).hook(hook)
    };
    graph.loop_if("pay", "pay", 2, |()| true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_response_counts_for_one_visit_in_one_run() {
    for is_nested in [false, true] {
        let store = Store::default();
        let mut earlier: Vec<InterruptResponse> = Vec::new();
        let mut request = PromptRequest::new("go");
        // Two runs of two visits with two interrupts each.
        for number in 0..8 {
            let waiting = asks_in_a_loop(&store, is_nested).run(request).await.unwrap().response;
            let [interrupt] = waiting.interrupts.as_slice() else { panic!("{number}: {waiting:?}") };
            assert!(earlier.iter().all(|response| response.interrupt_id != interrupt.id), "{number}: {}", interrupt.id);
            if (number, is_nested) == (0, false) {
                assert_eq!(interrupt.id, strands::Interrupt::before_node("pay", "approval", json!("pay")).id);
            }
            for late in &earlier {
                let repeated = PromptRequest::new(Prompt::none()).resume([late.clone()]);
                let refused = asks_in_a_loop(&store, is_nested).run(repeated).await;
                assert!(matches!(refused, Err(AgentError::UnknownInterrupt { .. })), "{number}: {refused:?}");
            }
            earlier.push(interrupt.respond(true));
            request = PromptRequest::new(Prompt::none()).resume([interrupt.respond(true)]);
            if number % 4 == 3 {
                let ended = asks_in_a_loop(&store, is_nested).run(request).await.unwrap();
                assert_eq!(ended.text(), "true");
                request = PromptRequest::new("go");
            }
        }
    }
}

/// Changes tasks, and stops at the node `a` once.
struct ChangesTasks(Calls);

#[async_trait]
impl NodeHook for ChangesTasks {
    async fn before_run(&self, event: &mut BeforeRun<'_>) -> HookResult {
        if !event.prompt.messages().is_empty() {
            *event.prompt = Prompt::from(format!("{}, please", event.prompt.text()));
        }
        Ok(())
    }

    async fn before_node(&self, _: &mut BeforeNode<'_>) -> HookResult {
        if self.0.add() == 1 { Err("the hook failed".into()) } else { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_task_goes_on_although_a_hook_has_changed_it() {
    let (store, calls) = (Store::default(), Calls::default());
    let graph = || {
        let graph = Graph::builder("polite").node("a", echoes()).hook(ChangesTasks(calls.clone()));
        graph.session_manager(store.clone()).build().unwrap()
    };
    graph().run("go").await.unwrap_err();
    let other = graph().run("stop").await.unwrap_err();
    assert!(text(&other).contains("unfinished run of another task"), "{}", text(&other));
    assert_eq!(graph().run("go").await.unwrap().text(), "go, please");
}

/// Denies the node `denied`, asks before the others, and counts their ends.
struct Guards(Calls);

#[async_trait]
impl NodeHook for Guards {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        match event.node {
            "denied" => event.deny = Some("not now".into()),
            _ => drop(event.interrupt("sure", "?")),
        }
        Ok(())
    }

    async fn after_node(&self, event: &mut AfterNode<'_>) -> HookResult {
        let expected = if event.node == "denied" { NodeStatus::Failed } else { NodeStatus::Interrupted };
        assert_eq!(event.result.status, expected);
        self.0.add();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_see_the_ends_of_nodes_that_hooks_stop() {
    let calls = Calls::default();
    let graph = Graph::builder("guarded").node("denied", says("x").on_failure(Failure::Skip)).node("asked", says("x"));
    let response = graph.hook(Guards(calls.clone())).build().unwrap().run("go").await.unwrap();
    assert_eq!(response.response.stop_reason, StopReason::Interrupt);
    assert_eq!(calls.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_function_is_the_same_after_an_interrupt() {
    for is_nested in [false, true] {
        let (keys, store) = (Arc::new(Mutex::new(Vec::new())), Store::default());
        let graph = || {
            let seen = Arc::clone(&keys);
            let asks = function(move |ctx: NodeContext, _: NodeInput| {
                seen.lock().unwrap().push(ctx.idempotency_key().to_owned());
                async move { Ok::<_, NodeError>(ctx.interrupt("sure", "?")?.to_string()) }
            });
            let graph = Graph::builder("bank").session_manager(store.clone());
            match is_nested {
                true => graph.node("pay", Graph::builder("inner").node("inner", asks).build().unwrap()),
                false => graph.node("pay", asks),
            }
            .build()
            .unwrap()
        };
        let asked = graph().run("go").await.unwrap().response;
        graph().run(resume(&asked, [asked.interrupts[0].respond(true)])).await.unwrap();
        let keys = keys.lock().unwrap();
        assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
    }
}
