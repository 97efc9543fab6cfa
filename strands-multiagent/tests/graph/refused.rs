//! Responses that agents do not accept: what others did with theirs is kept, and nothing runs twice.

use std::sync::Arc;

use serde_json::json;
use strands::hook::{BeforeInvocation, Hook, HookResult};
use strands::message::Message;
use strands::models::StopReason;
use strands::multiagent::{
    BeforeRun, Graph, GraphBuilder, Node, NodeContext, NodeError, NodeHook, NodeInput, Swarm, function,
};
use strands::testing::contract::check_promptable;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentBuilder, AgentError, AgentEvent, AgentResponse, AgentTool, Interrupt, InterruptResponse, Prompt,
    PromptRequest, PromptStream, Promptable, async_trait, tool, tools,
};

use crate::interrupts::{payer, resume};
use crate::steps::{Calls, echoes, result_text, says};
use crate::store::Store;

/// Accepts no response but `true`.
struct OnlyTrue;

#[async_trait]
impl Hook for OnlyTrue {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        match event.responses.iter().all(|response| response.response == true) {
            true => Ok(()),
            false => Err("this user may not approve".into()),
        }
    }
}

/// Pays.
#[tool(approval)]
fn pay(payments: &Calls) -> String {
    format!("payment {}", payments.add())
}

/// An agent that pays once.
fn clerk(name: &str, payments: &Calls) -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("pay", json!({})),
        _ => ScriptedTurn::text(result_text(request)),
    });
    Agent::builder().name(name).model(model).tools(tools![Pay]).inject(payments.clone()).hook(OnlyTrue)
}

/// An agent that calls `tools` at once, and then repeats their results.
fn calling(name: &str, tools: &'static [&'static str]) -> AgentBuilder {
    let model = ScriptedModel::from_fn(move |request| match request.messages.len() {
        1 => ScriptedTurn::tool_uses(tools.iter().map(|tool| (*tool, json!({"input": "pay"})))),
        _ => ScriptedTurn::text("all paid"),
    });
    Agent::builder().name(name).model(model)
}

/// Two clerks as tools of an agent, as nodes, in a nested graph, and as tools of an agent in a graph that is a tool.
fn graphs(strict: &Calls, lenient: &Calls, store: Option<&Store>) -> Vec<Graph> {
    let tools =
        || calling("office", &["strict", "lenient"]).tools([clerk("strict", strict), clerk("lenient", lenient)]);
    let nodes = |name: &str| {
        let graph =
            Graph::builder(name).node("strict", clerk("strict", strict)).node("lenient", clerk("lenient", lenient));
        graph.node("after", echoes()).edge("lenient", "after")
    };
    let planner = calling("planner", &["nested"]).tools(tools![AgentTool::new(nodes("nested").build().unwrap())]);
    let graphs: [GraphBuilder; 4] = [
        Graph::builder("bank").node("office", tools()),
        nodes("bank"),
        Graph::builder("bank").node("nested", Node::new(nodes("nested").build().unwrap())),
        Graph::builder("bank").node("planner", planner),
    ];
    let built = graphs.into_iter().map(|graph| match store {
        Some(store) => graph.session_manager(store.clone()).build().unwrap(),
        None => graph.build().unwrap(),
    });
    built.collect()
}

fn responses(response: &AgentResponse, of_strict: &str) -> Vec<InterruptResponse> {
    let [first, second] = &response.interrupts[..] else { panic!("{:?}", response.interrupts) };
    vec![first.respond(of_strict), second.respond(true)]
}

#[tokio::test(start_paused = true)]
async fn accepted_responses_are_kept_when_others_are_refused() {
    for is_stored in [false, true] {
        for index in 0..4 {
            let (strict, lenient, store) = (Calls::default(), Calls::default(), Store::default());
            let store = is_stored.then_some(&store);
            let graph = || graphs(&strict, &lenient, store).swap_remove(index);
            let asked = graph().run("go").await.unwrap().response;
            let refused = graph().run(resume(&asked, responses(&asked, "maybe"))).await.unwrap_err();
            assert!(matches!(refused.failure(), AgentError::Hook { .. }), "{index}: {refused}");
            assert_eq!((strict.get(), lenient.get()), (0, 1), "{index}");
            let AgentError::Suspended { interrupts, continuation, .. } = refused else { panic!("{index}: {refused}") };
            assert_eq!((interrupts.len(), continuation.is_some()), (1, !is_stored), "{index}");

            // Without responses, it returns what it waits for.
            let mut still = AgentResponse::new(Arc::clone(&asked.message), StopReason::Interrupt);
            (still.interrupts, still.continuation) = (interrupts, continuation);
            let again = graph().run(resume(&still, [])).await.unwrap().response;
            assert_eq!((&again.interrupts, &again.stop_reason), (&still.interrupts, &StopReason::Interrupt), "{index}");

            let ended = graph().run(resume(&again, [again.interrupts[0].respond(true)])).await.unwrap();
            assert_eq!(ended.response.stop_reason, StopReason::EndTurn, "{index}");
            assert_eq!((strict.get(), lenient.get()), (1, 1), "{index}");
        }
    }
}

#[async_trait]
impl NodeHook for OnlyTrue {
    async fn before_run(&self, event: &mut BeforeRun<'_>) -> HookResult {
        match event.responses.iter().all(|response| response.response == true) {
            true => Ok(()),
            false => Err("this user may not approve".into()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nested_work_whose_hooks_refuse_a_response_stays_suspended() {
    for is_swarm in [false, true] {
        let payments = Calls::default();
        let bank = || {
            let inner: Arc<dyn Promptable> = match is_swarm {
                true => Arc::new(Swarm::builder("inner").member(payer()).hook(OnlyTrue).build().unwrap()),
                false => Arc::new(Graph::builder("inner").node("pay", payer()).hook(OnlyTrue).build().unwrap()),
            };
            let graph = Graph::builder("bank").node("inner", Node::new(inner)).node("other", says("other"));
            let payments = payments.clone();
            let counts = function(move |_: NodeContext, input: NodeInput| {
                payments.add();
                async move { Ok::<_, NodeError>(input.of("inner").map(|source| source.text()).unwrap_or_default()) }
            });
            graph.node("after", counts).edge("inner", "after").build().unwrap()
        };
        let asked = bank().run("go").await.unwrap().response;
        let refused = bank().run(resume(&asked, [asked.interrupts[0].respond("maybe")])).await.unwrap_err();
        let AgentError::Suspended { interrupts, continuation, source } = refused else { panic!("{refused}") };
        assert!(matches!(*source, AgentError::Hook { event: "before_run", .. }), "{source}");
        assert_eq!(interrupts, asked.interrupts);
        let mut still = AgentResponse::new(Arc::clone(&asked.message), StopReason::Interrupt);
        (still.interrupts, still.continuation) = (interrupts, continuation);
        let ended = bank().run(resume(&still, [still.interrupts[0].respond(true)])).await.unwrap();
        assert_eq!((ended.results["after"].text().as_str(), payments.get()), ("paid 100", 1), "{is_swarm}");
    }
}

#[tokio::test(start_paused = true)]
async fn interrupted_graphs_keep_the_contract_of_promptables() {
    let graph = Graph::builder("bank").node("pay", payer()).node("say", echoes()).edge("pay", "say").build().unwrap();
    check_promptable(&graph, || PromptRequest::new("Pay.")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_without_responses_writes_nothing() {
    let store = Store::default();
    let graph = Graph::builder("bank").node("pay", payer()).session_manager(store.clone()).build().unwrap();
    graph.run("Pay.").await.unwrap();
    let writes = store.writes();
    let response = graph.run(Prompt::none()).await.unwrap().response;
    assert_eq!((response.interrupts.len(), store.writes()), (1, writes));
}

#[tokio::test(start_paused = true)]
async fn the_other_items_of_a_list_go_on() {
    let payments = Calls::default();
    let graph = || {
        let each = Node::new(clerk("clerk", &payments)).for_each(3, |_, _| vec![1, 2, 3]).concurrency(1);
        Graph::builder("bank").node("each", each).build().unwrap()
    };
    let asked = graph().run("go").await.unwrap().response;
    let mut responses: Vec<_> = asked.interrupts.iter().map(|interrupt| interrupt.respond(true)).collect();
    responses[0] = asked.interrupts[0].respond("maybe");
    let refused = graph().run(resume(&asked, responses)).await.unwrap_err();
    let AgentError::Suspended { interrupts, .. } = refused else { panic!("{refused}") };
    assert_eq!((interrupts.len(), payments.get()), (1, 2));
}

/// An agent elsewhere, which collects its responses: it accepts the second one, and asks for the first one again.
#[derive(Clone, Default)]
struct Collecting(Calls);

impl Promptable for Collecting {
    fn name(&self) -> &str {
        "collecting"
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let waits = |ids: &[&str]| {
            let mut response = AgentResponse::new(Arc::new(Message::assistant("")), StopReason::Interrupt);
            response.interrupts = ids.iter().map(|id| Interrupt::new(*id, *id, json!("?"))).collect();
            Ok(AgentEvent::Result { response: Box::new(response) })
        };
        let responded: Vec<_> = request.resume.iter().map(|response| response.interrupt_id.clone()).collect();
        let last = match (self.0.add(), responded.iter().map(String::as_str).collect::<Vec<_>>().as_slice()) {
            (1, []) => waits(&["a", "b"]),
            (2, ["a"]) => waits(&["b"]),
            (3, ["b"]) => Err(AgentError::Suspended {
                source: Box::new(AgentError::NothingToRespondTo),
                interrupts: vec![Interrupt::new("a", "a", json!("?"))],
                continuation: None,
            }),
            (4, ["a"]) => Ok(AgentEvent::Result {
                response: Box::new(AgentResponse::new(Arc::new(Message::assistant("done")), StopReason::EndTurn)),
            }),
            other => panic!("{other:?}"),
        };
        let start = AgentEvent::start("1", "collecting", "collecting");
        Box::pin(futures_util::stream::iter([Ok(start), last]))
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_refused_later_is_asked_for_again() {
    let graph = Graph::builder("bank").node("far", Collecting::default()).build().unwrap();
    let asked = graph.run("go").await.unwrap().response;
    let [first, second] = &asked.interrupts[..] else { panic!("{:?}", asked.interrupts) };
    let waiting = graph.run(resume(&asked, [first.respond("maybe")])).await.unwrap().response;
    assert_eq!(waiting.interrupts, std::slice::from_ref(second));
    let refused = graph.run(resume(&waiting, [second.respond(true)])).await.unwrap_err();
    let AgentError::Suspended { interrupts, continuation, .. } = refused else { panic!("{refused}") };
    assert_eq!(interrupts, std::slice::from_ref(first));
    let mut still = AgentResponse::new(Arc::clone(&asked.message), StopReason::Interrupt);
    (still.interrupts, still.continuation) = (interrupts, continuation);
    assert_eq!(graph.run(resume(&still, [first.respond(true)])).await.unwrap().text(), "done");
}
