//! Workflow patterns: shapes, prompts, and what happens at their edges.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::sync::Arc;

use strands::message::Message;
use strands::models::{ErrorDetails, ModelError, StopReason};
use strands::multiagent::patterns::{
    Revision, Verdict, debate, evaluator_optimizer, map_reduce, parallel, router, sequential,
};
use strands::multiagent::{Failure, GraphBuildError, Node, NodeContext, NodeError, NodeInput, NodeOutput, function};
use strands::schemars::JsonSchema;
use strands::serde::{Deserialize, Serialize};
use strands::serde_json::{Value, json};
use strands::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, Prompt};

fn agent(turn: impl Fn(&[Arc<Message>]) -> ScriptedTurn + Send + Sync + 'static) -> AgentBuilder {
    Agent::builder().model(ScriptedModel::from_fn(move |request| turn(request.messages)))
}

/// Responds with its prompt, in brackets.
fn echo() -> AgentBuilder {
    agent(|messages| ScriptedTurn::text(format!("[{}]", messages[0].text())))
}

fn says(text: &'static str) -> AgentBuilder {
    agent(move |_| ScriptedTurn::text(text))
}

/// An agent whose structured output is this value, by the tool that is offered for it.
fn outputs(name: &'static str, value: impl Fn(usize) -> Value + Send + Sync + 'static) -> AgentBuilder {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    agent(move |_| ScriptedTurn::tool_use(name, value(calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed))))
}

#[tokio::test(start_paused = true)]
async fn a_sequence_hands_on_the_task_and_the_last_output() {
    let steps = [("first", says("one")), ("second", says("two")), ("third", echo())];
    let response = sequential("steps", steps).build().unwrap().run("go").await.unwrap();
    assert_eq!(response.text(), "[Original Task: go\n\nInputs from previous nodes:\n\nFrom second:\ntwo]");
    let empty = sequential("steps", Vec::<(String, AgentBuilder)>::new()).build();
    assert!(matches!(empty, Err(GraphBuildError::NoNodes { .. })));
}

#[tokio::test(start_paused = true)]
async fn parallel_outputs_are_combined_in_the_declared_order_without_those_that_failed() {
    let failing =
        || agent(|_| ScriptedTurn::error(ModelError::InvalidRequest { details: ErrorDetails::new().boxed() }));
    let workers = |failure: Failure| {
        [
            ("slow", Node::new(says("one"))),
            ("bad", Node::new(failing()).on_failure(failure)),
            ("fast", Node::new(says("three"))),
        ]
    };
    let review = parallel("review", workers(Failure::Skip), ("editor", echo())).build().unwrap();
    let text = review.run("go").await.unwrap().text();
    assert!(text.ends_with("From slow:\none\n\nFrom fast:\nthree]"), "{text}");
    let error =
        parallel("review", workers(Failure::Run), ("editor", echo())).build().unwrap().run("go").await.unwrap_err();
    assert!(error.to_string().contains("the node `bad` failed"), "{error}");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "strands::serde")]
#[schemars(crate = "strands::schemars")]
struct Topic {
    name: String,
}

#[tokio::test(start_paused = true)]
async fn a_router_gives_the_task_to_the_chosen_nodes_alone() {
    let topic = |name: &str| Topic { name: name.to_owned() };
    let support = |chosen: &'static str| {
        let triage = outputs("Topic", move |_| json!({"name": chosen}));
        let routes =
            [(topic("a"), "first", echo()), (topic("b"), "second", echo()), (topic("b"), "third", says("third"))];
        router("support", ("triage", triage), routes).build().unwrap()
    };
    let response = support("a").run("help").await.unwrap();
    assert_eq!((response.text().as_str(), response.state), ("[help]", Some(topic("a"))));
    assert_eq!(support("b").run("help").await.unwrap().text(), "[help]\nthird");
    let response = support("c").run("help").await.unwrap();
    assert_eq!((response.response.stop_reason, response.order.len()), (StopReason::EndTurn, 1));
    assert_eq!(response.response.output, Some(json!({"name": "c"})));
}

#[tokio::test(start_paused = true)]
async fn a_draft_goes_back_with_the_feedback_until_the_rounds_are_used() {
    let essay = |accepted_in: usize| {
        let critic = outputs(
            "Verdict",
            move |call| json!({"accepted": call + 1 >= accepted_in, "feedback": format!("better {call}")}),
        );
        evaluator_optimizer("essay", ("writer", echo()), ("critic", critic), 3)
    };
    let response = essay(1).build().unwrap().run("Bees.").await.unwrap();
    assert_eq!((response.text().as_str(), response.state.rounds), ("[Bees.]", 1));
    let response = essay(2).build().unwrap().run("Bees.").await.unwrap();
    let second = "[Task: Bees.\n\nYour draft:\n[Bees.]\nFeedback: better 0\n\nWrite a better draft.]";
    assert_eq!((response.text().as_str(), response.state.accepted), (second, true));
    let response = essay(9).build().unwrap().run("Bees.").await.unwrap();
    assert_eq!((response.state.rounds, response.state.accepted), (3, false));
    assert!(response.text().contains("better 1"), "the last draft, though it was not accepted: {response}");
    assert_eq!(response.response.stop_reason, StopReason::EndTurn);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_worked_on_in_order_and_has_a_maximum() {
    let split = |items: Vec<&'static str>| {
        function(move |_: NodeContext, _: NodeInput| {
            let output = NodeOutput::json(items.clone()).map_err(|error| NodeError::new(error.to_string()));
            async move { output }
        })
    };
    let run = |items: Vec<&'static str>| async move {
        let nodes = (("split", split(items)), ("map", Node::new(echo())), ("reduce", Node::new(echo())));
        map_reduce::<String, _>("cities", nodes.0, nodes.1, nodes.2, 3).build().unwrap().run("go").await
    };
    let text = run(vec!["a", "b", "c"]).await.unwrap().text();
    assert!(text.ends_with("From map:\n[a]\n[b]\n[c]]"), "{text}");
    assert!(run(vec![]).await.unwrap().text().contains("From map:"));
    let error = run(vec!["a"; 4]).await.unwrap_err();
    assert!(error.to_string().contains("4 items, and 3 are allowed"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn debaters_get_the_arguments_of_the_round_before() {
    let panel = |rounds: u32| {
        let debaters = [("pro", says("yes")), ("con", echo())];
        debate("panel", debaters, rounds, ("judge", echo())).build().unwrap()
    };
    let response = panel(2).run("Boat?").await.unwrap();
    let second = response.results["con-2"].text();
    assert!(second.ends_with("From pro-1:\nyes\n\nFrom con-1:\n[Boat?]]"), "{second}");
    assert!(response.text().contains("From pro-1:") && response.text().contains("From con-2:"), "{response}");
    assert_eq!(panel(0).run("Boat?").await.unwrap().order.len(), 3, "there is one round at least");
}

#[tokio::test(start_paused = true)]
async fn a_pattern_is_a_graph_with_all_its_settings() {
    let sessions = InMemorySessionManager::new("s");
    let steps = |second: fn(&[Arc<Message>]) -> ScriptedTurn| {
        let steps = [("first", says("one")), ("second", agent(second))];
        sequential("steps", steps).session_manager(sessions.clone()).description("Two steps.").build().unwrap()
    };
    let failing =
        |_: &[Arc<Message>]| ScriptedTurn::error(ModelError::InvalidRequest { details: ErrorDetails::new().boxed() });
    steps(failing).run("go").await.unwrap_err();
    let response = steps(|_| ScriptedTurn::text("two")).run(Prompt::none()).await.unwrap();
    assert_eq!((response.text().as_str(), response.results["first"].attempts), ("two", 1));
}

#[tokio::test(start_paused = true)]
async fn a_function_may_be_the_evaluator() {
    let critic = function(|ctx: NodeContext<Revision>, _: NodeInput| async move {
        let verdict = if ctx.state().rounds < 2 { Verdict::rejected("shorter") } else { Verdict::accepted() };
        NodeOutput::json(verdict).map_err(|error| NodeError::new(error.to_string()))
    });
    let writer = agent(|messages| ScriptedTurn::text(messages[0].text()));
    let essay = evaluator_optimizer("essay", ("writer", writer), ("critic", critic), 3).build().unwrap();
    let response = essay.run("bees").await.unwrap();
    assert!(response.text().contains("Feedback: shorter"), "{response}");
    assert_eq!((response.state.rounds, response.state.accepted), (2, true));
}
