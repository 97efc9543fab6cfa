//! Runs that are cut off while a function prompts an agent, or within a nested graph or swarm: they go on with what was done.

use std::sync::Arc;
use std::time::Duration;

use strands::hook::HookResult;
use strands::models::StopReason;
use strands::multiagent::{
    BeforeNode, BeforeRun, Graph, Node, NodeContext, NodeError, NodeHook, NodeInput, Swarm, function,
};
use strands::serde_json::json;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentBuilder, AgentResponse, CancellationToken, Limits, Prompt, PromptRequest, Promptable, async_trait,
};

use crate::interrupts::resume;
use crate::steps::{Calls, agent, echoes};
use crate::store::Store;

#[derive(Debug, thiserror::Error)]
#[error("no advice")]
struct NoAdvice(#[source] NodeError);

/// A function that prompts an agent, and may wrap its error.
fn consults(expert: AgentBuilder, calls: &Calls, wraps: bool) -> Node {
    let (expert, calls) = (Arc::new(expert), calls.clone());
    function(move |ctx: NodeContext, _: NodeInput| {
        calls.add();
        let expert = Arc::clone(&expert);
        async move {
            match ctx.prompt(&expert, "go").await {
                Ok(response) => Ok(response.text()),
                Err(error) if wraps => Err(NodeError::Function(Box::new(NoAdvice(error)))),
                Err(error) => Err(error),
            }
        }
    })
}

fn turns(request: PromptRequest, turns: u32) -> PromptRequest {
    request.limits(Limits::new().turns(turns))
}

#[tokio::test(start_paused = true)]
async fn a_function_whose_agent_is_out_of_budget_runs_again() {
    for wraps in [false, true] {
        let (calls, store) = (Calls::default(), Store::default());
        let graph = || {
            let node = || consults(agent("expert", "advice"), &calls, wraps);
            let graph = Graph::builder("office").node("a", node()).node("b", node()).node("c", node());
            graph.edge("a", "b").edge("b", "c").session_manager(store.clone()).build().unwrap()
        };
        let limited = graph().run(turns("go".into(), 1)).await.unwrap();
        assert_eq!((limited.order.len(), calls.get()), (1, 2), "{wraps}");
        assert_eq!(limited.response.stop_reason, StopReason::LimitTurns);
        let ended = graph().run(turns(Prompt::none().into(), 9)).await.unwrap();
        assert_eq!((ended.order.len(), calls.get()), (3, 4), "{wraps}");
        assert_eq!((ended.results["b"].text().as_str(), ended.text().as_str()), ("advice", "advice"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_whose_agent_is_cancelled_runs_again() {
    let (calls, store) = (Calls::default(), Store::default());
    let prompts = Calls::default();
    let graph = || {
        let prompts = prompts.clone();
        let model = ScriptedModel::from_fn(move |_| match prompts.add() {
            1 => ScriptedTurn::text("half").stalling_after(3),
            _ => ScriptedTurn::text("whole"),
        });
        let node = consults(Agent::builder().name("expert").model(model), &calls, false);
        Graph::builder("office").node("a", node).session_manager(store.clone()).build().unwrap()
    };
    let token = CancellationToken::new();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        token.cancel();
    };
    let first = graph();
    let (cancelled, ()) = tokio::join!(first.run(PromptRequest::new("go").cancel_with(token.clone())), cancel);
    let cancelled = cancelled.unwrap();
    assert_eq!((cancelled.response.stop_reason, cancelled.order.len()), (StopReason::Cancelled, 0));
    assert_eq!(graph().run(Prompt::none()).await.unwrap().text(), "whole");
}

#[tokio::test(start_paused = true)]
async fn a_function_handles_the_limits_of_its_agent() {
    let expert = Arc::new(agent("expert", "advice").limits(Limits::new().turns(0)));
    let node = function(move |ctx: NodeContext, _: NodeInput| {
        let expert = Arc::clone(&expert);
        async move { Ok::<_, NodeError>(ctx.prompt(&expert, "go").await?.stop_reason.to_string()) }
    });
    let graph = Graph::builder("office").node("a", node).build().unwrap();
    assert_eq!(graph.run("go").await.unwrap().text(), "limit_turns");
}

/// A template that counts its model calls, and hands over or responds.
fn member(name: &str, calls: &Calls, to: Option<&'static str>) -> AgentBuilder {
    let calls = calls.clone();
    let model = ScriptedModel::from_fn(move |_| {
        calls.add();
        match to {
            Some(to) => ScriptedTurn::tool_use("handoff_to_agent", json!({"agent_name": to, "message": "yours"})),
            None => ScriptedTurn::text("done"),
        }
    });
    Agent::builder().name(name).description("A member.").model(model)
}

/// Work of two agents, one after the other: in a graph, or in a swarm.
fn inner(is_swarm: bool, first: &Calls, second: &Calls) -> Arc<dyn Promptable> {
    if is_swarm {
        let swarm = Swarm::builder("inner").member(member("a", first, Some("b"))).member(member("b", second, None));
        return Arc::new(swarm.build().unwrap());
    }
    let graph = Graph::builder("inner").node("a", member("a", first, None)).node("b", member("b", second, None));
    Arc::new(graph.edge("a", "b").build().unwrap())
}

/// A graph, or a swarm, whose only node is other work.
fn outer(is_swarm: bool, inner: Arc<dyn Promptable>, store: Option<&Store>) -> Arc<dyn Promptable> {
    if is_swarm {
        let swarm = Swarm::builder("outer").member(inner);
        return match store {
            Some(store) => Arc::new(swarm.session_manager(store.clone()).build().unwrap()),
            None => Arc::new(swarm.build().unwrap()),
        };
    }
    let graph = Graph::builder("outer").node("inner", Node::new(inner));
    match store {
        Some(store) => Arc::new(graph.session_manager(store.clone()).build().unwrap()),
        None => Arc::new(graph.build().unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn nested_work_that_a_limit_has_stopped_goes_on() {
    for case in 0..8_u8 {
        let [is_stored, is_inner_swarm, is_outer_swarm] = [1, 2, 4].map(|bit| case & bit != 0);
        let (first, second, store) = (Calls::default(), Calls::default(), Store::default());
        let store = is_stored.then_some(&store);
        let build = || outer(is_outer_swarm, inner(is_inner_swarm, &first, &second), store);
        let stopped = build().respond(turns("go".into(), 1)).await.unwrap();
        assert_eq!((first.get(), second.get()), (1, 0), "{case}");
        assert_eq!(stopped.stop_reason, StopReason::LimitTurns, "{case}");
        // A limit that allows nothing changes nothing.
        let stopped = build().respond(turns(resume(&stopped, []), 1)).await.unwrap();
        let ended = build().respond(turns(resume(&stopped, []), 9)).await.unwrap();
        assert_eq!((ended.text().as_str(), ended.stop_reason), ("done", StopReason::EndTurn), "{case}");
        assert_eq!((first.get(), second.get()), (1, 1), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn nested_work_that_was_cancelled_goes_on() {
    let (first, prompts, store) = (Calls::default(), Calls::default(), Store::default());
    let build = || {
        let prompts = prompts.clone();
        let model = ScriptedModel::from_fn(move |_| match prompts.add() {
            1 => ScriptedTurn::text("half").stalling_after(3),
            _ => ScriptedTurn::text("whole"),
        });
        let graph = Graph::builder("inner").node("a", member("a", &first, None));
        let graph = graph.node("b", Agent::builder().name("b").model(model)).edge("a", "b").build().unwrap();
        outer(false, Arc::new(graph), Some(&store))
    };
    let token = CancellationToken::new();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        token.cancel();
    };
    let cancelled = build().respond(PromptRequest::new("go").cancel_with(token.clone()));
    let (cancelled, ()) = tokio::join!(cancelled, cancel);
    assert_eq!(cancelled.unwrap().stop_reason, StopReason::Cancelled);
    let ended = build().respond(Prompt::none().into()).await.unwrap();
    assert_eq!((ended.text().as_str(), first.get(), prompts.get()), ("whole", 1, 2));
}

#[tokio::test(start_paused = true)]
async fn nested_work_is_not_asked_for_its_responses_again() {
    let (calls, second) = (Calls::default(), Calls::default());
    let build = || {
        let calls = calls.clone();
        let asks = function(move |ctx: NodeContext, _: NodeInput| {
            calls.add();
            async move { Ok::<_, NodeError>(ctx.interrupt("sure", "?")?.to_string()) }
        });
        let graph = Graph::builder("inner").node("a", asks).node("b", member("b", &second, None)).edge("a", "b");
        outer(false, Arc::new(graph.build().unwrap()), None)
    };
    let asked = build().respond("go".into()).await.unwrap();
    let stopped = build().respond(turns(resume(&asked, [asked.interrupts[0].respond(true)]), 0)).await.unwrap();
    assert_eq!((stopped.stop_reason.clone(), calls.get()), (StopReason::LimitTurns, 2));
    let ended = build().respond(turns(resume(&stopped, []), 9)).await.unwrap();
    assert_eq!((ended.text().as_str(), calls.get()), ("done", 2));
}

#[tokio::test(start_paused = true)]
async fn nested_work_that_fails_after_a_stop_begins_anew() {
    let (first, second, store) = (Calls::default(), Calls::default(), Store::default());
    outer(false, inner(false, &first, &second), Some(&store)).respond(turns("go".into(), 1)).await.unwrap();
    // A later release of the program, whose inner graph can't restore that run.
    let build = || {
        let graph = Graph::builder("inner").node("other", member("other", &second, None));
        outer(false, Arc::new(graph.build().unwrap()), Some(&store))
    };
    build().respond(turns(Prompt::none().into(), 9)).await.unwrap_err();
    assert_eq!(build().respond(turns(Prompt::none().into(), 9)).await.unwrap().text(), "done");
}

/// Takes a moment before the first start of a node, and is polite in tasks.
struct Polite(Calls);

#[async_trait]
impl NodeHook for Polite {
    async fn before_run(&self, event: &mut BeforeRun<'_>) -> HookResult {
        if !event.prompt.messages().is_empty() {
            *event.prompt = format!("{}, please", event.prompt.text()).into();
        }
        Ok(())
    }

    async fn before_node(&self, _: &mut BeforeNode<'_>) -> HookResult {
        if self.0.add() == 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_see_the_task_of_a_nested_graph_that_was_stopped_before_its_start() {
    let calls = Calls::default();
    let inner = Graph::builder("inner").node("echo", echoes()).hook(Polite(Calls::default())).build().unwrap();
    let outer = Graph::builder("outer").node("inner", inner).hook(Polite(calls.clone())).build().unwrap();
    let token = CancellationToken::new();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        token.cancel();
    };
    let (cancelled, ()) = tokio::join!(outer.run(PromptRequest::new("go").cancel_with(token.clone())), cancel);
    let cancelled = cancelled.unwrap().response;
    assert_eq!((cancelled.stop_reason.clone(), calls.get()), (StopReason::Cancelled, 1));
    assert_eq!(outer.run(resume(&cancelled, [])).await.unwrap().text(), "go, please, please");
}

async fn already_cancelled(graph: &Graph, request: PromptRequest) -> AgentResponse {
    let token = CancellationToken::new();
    token.cancel();
    let response = graph.run(request.cancel_with(token)).await.unwrap().response;
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    response
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_already_cancelled_leaves_the_run_as_it_was() {
    let (first, second) = (Calls::default(), Calls::default());
    let graph = Graph::builder("g").node("a", member("a", &first, None)).node("b", member("b", &second, None));
    let graph = graph.edge("a", "b").build().unwrap();
    let stopped = graph.run(turns("go".into(), 1)).await.unwrap().response;
    let cancelled = already_cancelled(&graph, resume(&stopped, [])).await;
    let ended = graph.run(resume(&cancelled, [])).await.unwrap();
    assert_eq!((ended.text().as_str(), first.get(), second.get()), ("done", 1, 1));
    // Without an earlier run, the task is asked again.
    let cancelled = already_cancelled(&graph, "go".into()).await;
    assert_eq!(graph.run(resume(&cancelled, [])).await.unwrap().text(), "done");
}
