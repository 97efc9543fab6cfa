//! Nodes that run once for each item of a list.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use strands::hook::HookResult;
use strands::multiagent::{
    AfterNode, BeforeNode, Failure, Graph, Node, NodeContext, NodeError, NodeHook, NodeInput, NodeOutput, function,
};
use strands::serde_json::{Value, json};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, Prompt, PromptRequest, async_trait};
use tokio::time::Instant;

use crate::interrupts::{payer, resume};
use crate::steps::{Calls, says, text};
use crate::store::Store;

fn doubles(calls: Calls) -> Node<Vec<u64>> {
    function(move |ctx: NodeContext<Vec<u64>>, input: NodeInput| {
        calls.add();
        async move {
            let item: u64 = input.item()?;
            // Later items end earlier.
            tokio::time::sleep(Duration::from_millis(100 - item)).await;
            if item == 13 {
                return Err(NodeError::new("unlucky"));
            }
            if item == 7 {
                ctx.interrupt("seven", item)?;
            }
            NodeOutput::json(2 * item).map_err(|error| NodeError::new(error.to_string()))
        }
    })
}

fn graph(items: Vec<u64>, node: impl FnOnce(Node<Vec<u64>>) -> Node<Vec<u64>>, calls: Calls) -> Graph<Vec<u64>> {
    let each = node(doubles(calls).for_each(10, |state, _| state.clone()));
    let after = function(|_, input: NodeInput| async move { Ok::<_, NodeError>(input.text()) });
    Graph::with_state("list", items).node("each", each).node("after", after).edge("each", "after").build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn items_run_concurrently_and_join_in_their_order() {
    let began = Instant::now();
    let response = graph(vec![1, 2, 3], |node| node, Calls::default()).run("go").await.unwrap();
    assert_eq!(response.text(), "2\n4\n6");
    assert_eq!(response.results["each"].output, Some(json!([2, 4, 6])));
    assert_eq!(began.elapsed(), Duration::from_millis(99));
    assert_eq!(response.results["each"].attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn no_more_items_run_at_once_than_allowed() {
    let list = |node: Node<Vec<u64>>| node.for_each(10, |state: &Vec<u64>, _: &NodeInput| state.clone());
    for (before, after) in [(None, Some(2)), (Some(2), None)] {
        let limit = |node: Node<Vec<u64>>, items: Option<usize>| match items {
            Some(items) => node.concurrency(items),
            None => node,
        };
        let node = limit(list(limit(doubles(Calls::default()), before)), after);
        let began = Instant::now();
        let response =
            Graph::with_state("list", vec![0; 6]).node("each", node).build().unwrap().run("go").await.unwrap();
        assert_eq!(response.results["each"].output, Some(json!([0, 0, 0, 0, 0, 0])));
        assert_eq!(began.elapsed(), Duration::from_millis(300));
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_completes_and_a_long_one_fails() {
    let response = graph(Vec::new(), |node| node, Calls::default()).run("go").await.unwrap();
    assert_eq!(response.results["each"].output, Some(json!([])));
    let calls = Calls::default();
    let error = graph(vec![0; 11], |node| node, calls.clone()).run("go").await.unwrap_err();
    assert!(text(&error).ends_with("the node `each` failed: its list has 11 items, and 10 are allowed"));
    assert_eq!(calls.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_item_fails_the_node_and_starts_no_others() {
    let calls = Calls::default();
    let items = vec![13, 1, 2, 3, 4, 5];
    let graph = graph(items, |node| node.concurrency(1).on_failure(Failure::Skip), calls.clone());
    let response = graph.run("go").await.unwrap();
    assert_eq!(response.results["each"].error.as_deref(), Some("unlucky"));
    assert_eq!(calls.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_item_starts_no_others_when_the_graph_bounds_them() {
    // The item 13 ends first.
    for (items, concurrency, expected) in [(vec![13, 1, 2, 3], 1, 1), (vec![13, 1, 2, 3], 2, 2)] {
        for failure in [Failure::Skip, Failure::Run] {
            let (calls, store) = (Calls::default(), Store::default());
            let each = doubles(calls.clone()).for_each(10, |state, _| state.clone()).on_failure(failure.clone());
            let graph = Graph::with_state("list", items.clone()).node("each", each).concurrency(concurrency);
            let graph = graph.session_manager(store.clone()).build().unwrap();
            assert_eq!(graph.run("go").await.is_ok(), failure == Failure::Skip);
            assert_eq!(calls.get(), expected, "{concurrency}");
            // All others run when the node runs again.
            if failure == Failure::Run {
                graph.run(Prompt::none()).await.unwrap_err();
                assert!(calls.get() > expected);
            }
        }
    }
}

/// Records the nodes and items of the events, and asks before the second item.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl NodeHook for Seen {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        if event.node == "each" && event.item == Some(1) && event.interrupt("sure", "?").is_none() {
            return Ok(());
        }
        self.0.lock().unwrap().push(format!("before {} {:?} {}", event.node, event.item, event.name()));
        Ok(())
    }

    async fn after_node(&self, event: &mut AfterNode<'_>) -> HookResult {
        let line = format!("after {} {:?} {} {}", event.node, event.item, event.name(), event.result.status);
        self.0.lock().unwrap().push(line);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_and_functions_get_the_id_of_the_node_and_the_index_of_the_item() {
    let (seen, ran) = (Seen::default(), Seen::default());
    let lines = Arc::clone(&ran.0);
    let each = function(move |ctx: NodeContext, _: NodeInput| {
        lines.lock().unwrap().push(format!("{} {:?}", ctx.node(), ctx.item()));
        async { Ok::<_, NodeError>("done") }
    });
    let graph = Graph::builder("list").node("each", each.for_each(2, |(), _| vec![0, 1])).node("other", says("done"));
    let graph = graph.edge("each", "other").concurrency(1).hook(seen.clone()).build().unwrap();
    let asked = graph.run("go").await.unwrap().response;
    assert!(asked.interrupts[0].id.starts_with("v1:before_node_call:each[1]:"), "{}", asked.interrupts[0].id);
    graph.run(resume(&asked, [asked.interrupts[0].respond(true)])).await.unwrap();
    let expected = [
        "before each Some(0) each[0]",
        "after each Some(0) each[0] completed",
        "after each Some(1) each[1] interrupted",
        "before each Some(1) each[1]",
        "after each Some(1) each[1] completed",
        "before other None other",
        "after other None other completed",
    ];
    assert_eq!(*seen.0.lock().unwrap(), expected);
    assert_eq!(*ran.0.lock().unwrap(), ["each Some(0)", "each Some(1)"]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_item_is_continued_alone() {
    let calls = Calls::default();
    let graph = graph(vec![1, 7, 2], |node| node, calls.clone());
    let waiting = graph.run("go").await.unwrap().response;
    assert_eq!(waiting.interrupts.len(), 1);
    let id = &waiting.interrupts[0].id;
    assert!(id.starts_with("v1:node:each%5B1%5D:function:") && id.ends_with(".1:seven"), "{id}");
    assert_eq!(calls.get(), 3);
    let request = PromptRequest::new(Prompt::none())
        .continue_from(waiting.continuation.unwrap())
        .resume([waiting.interrupts[0].respond("yes")]);
    let response = graph.run(request).await.unwrap();
    assert_eq!(response.results["each"].output, Some(json!([2, 14, 4])));
    assert_eq!(calls.get(), 4);
}

#[tokio::test(start_paused = true)]
async fn agents_get_their_item_as_the_prompt() {
    let model = ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("<{}>", request.messages[0].text())));
    let node = Node::new(Agent::builder().model(model)).for_each(10, |_: &(), _| vec!["a", "b"]);
    let response = Graph::builder("list").node("each", node).build().unwrap().run("go").await.unwrap();
    assert_eq!(response.text(), "<a>\n<b>");
}

#[tokio::test(start_paused = true)]
async fn interrupted_agents_of_a_list_are_resumed_one_after_the_other() {
    for store in [None, Some(Store::default())] {
        let graph = || {
            let node = Node::new(payer()).for_each(10, |_: &(), _| vec!["a", "b"]);
            let graph = Graph::builder("list").node("each", node);
            match &store {
                Some(store) => graph.session_manager(store.clone()).build().unwrap(),
                None => graph.build().unwrap(),
            }
        };
        let waiting = graph().run("go").await.unwrap().response;
        assert_eq!(waiting.interrupts.len(), 2);
        let waiting = graph().run(resume(&waiting, [waiting.interrupts[1].respond(true)])).await.unwrap().response;
        let [interrupt] = waiting.interrupts.as_slice() else { panic!("{:?}", waiting.interrupts) };
        assert!(interrupt.id.starts_with("v1:node:each%5B0%5D:"), "{}", interrupt.id);
        let response = graph().run(resume(&waiting, [interrupt.respond(true)])).await.unwrap();
        assert_eq!(response.text(), "paid 100\npaid 100");
    }
}

fn asks() -> Node<Vec<u64>> {
    function(|ctx: NodeContext<Vec<u64>>, _: NodeInput| async move {
        Ok::<_, NodeError>(NodeOutput::text(ctx.interrupt("asks", "?")?.to_string()))
    })
}

#[tokio::test(start_paused = true)]
async fn interrupts_of_a_failed_list_end_with_it() {
    for policy in [Failure::Skip, Failure::route("after")] {
        let store = Store::default();
        let each = doubles(Calls::default()).for_each(10, |state, _| state.clone()).on_failure(policy);
        let after = function(|_, _: NodeInput| async move { Ok::<_, NodeError>("after") });
        // The item 13 ends after the item 7 is interrupted.
        let graph = Graph::with_state("list", vec![7, 13, 20]).node("each", each).node("asks", asks());
        let graph = graph.node("after", after).edge("asks", "after").session_manager(store.clone()).build().unwrap();
        let waiting = graph.run("go").await.unwrap().response;
        let ids: Vec<&str> = waiting.interrupts.iter().map(|interrupt| interrupt.id.as_str()).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert!(ids[0].starts_with("v1:node:asks:"), "{ids:?}");
        let stored = store.document().unwrap();
        assert_eq!(stored["interrupted_nodes"], json!(["asks"]));
        let response = graph.run(resume(&waiting, [waiting.interrupts[0].respond("yes")])).await.unwrap();
        assert_eq!(response.text(), "after");
        assert_eq!(store.document().unwrap()["_internal_state"]["interrupt_state"]["activated"], false);
    }
}

/// Fails twice for the item 2, once it has a response.
fn fails_after_the_response(calls: Calls) -> Node<Vec<u64>> {
    function(move |ctx: NodeContext<Vec<u64>>, input: NodeInput| {
        let calls = calls.clone();
        async move {
            ctx.interrupt("asks", "?")?;
            let item: u64 = input.item()?;
            match item {
                2 if calls.add() <= 2 => Err(NodeError::new("not yet")),
                item => Ok(NodeOutput::text(item.to_string())),
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_list_with_repeated_failures_runs_all_its_items() {
    let (store, calls) = (Store::default(), Calls::default());
    let graph = || {
        let each = fails_after_the_response(calls.clone()).for_each(10, |state, _| state.clone()).concurrency(1);
        Graph::with_state("list", vec![0, 1, 2]).node("each", each).session_manager(store.clone()).build().unwrap()
    };
    let waiting = graph().run("go").await.unwrap().response;
    let [zero, one, two] = waiting.interrupts.as_slice() else { panic!("{:?}", waiting.interrupts) };
    let with = |responses: Vec<strands::InterruptResponse>| PromptRequest::new(Prompt::none()).resume(responses);
    assert!(text(&graph().run(with(vec![two.respond(true)])).await.unwrap_err()).ends_with("not yet"));
    let both = with(vec![zero.respond(true), one.respond(true)]);
    assert!(text(&graph().run(both).await.unwrap_err()).ends_with("not yet"));
    assert_eq!(graph().run(Prompt::none()).await.unwrap().text(), "0\n1\n2");
}

#[tokio::test(start_paused = true)]
async fn items_share_the_outputs_before_them() {
    let seen: Arc<Mutex<Vec<Arc<Value>>>> = Arc::default();
    let list = function(|_: NodeContext, _: NodeInput| async {
        NodeOutput::json(vec![1, 2, 3]).map_err(|error| NodeError::new(error.to_string()))
    });
    let outputs = Arc::clone(&seen);
    let each = function(move |_: NodeContext, input: NodeInput| {
        outputs.lock().unwrap().extend(input.of("list").and_then(|source| source.output.clone()));
        async { Ok::<_, NodeError>("done") }
    });
    let each = each.for_each(10, |(), input| input.from[0].output::<Vec<u32>>().unwrap_or_default());
    let graph = Graph::builder("list").node("list", list).node("each", each).edge("list", "each").build().unwrap();
    graph.run("go").await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|output| Arc::ptr_eq(output, &seen[0])));
}
