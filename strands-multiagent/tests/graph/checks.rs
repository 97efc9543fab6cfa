//! Checks of a graph when it is built: each names the node.

use strands::multiagent::{Failure, Graph, GraphBuilder, Join, MultiAgentContext};
use strands::testing::InMemorySessionManager;
use strands::{AgentState, CancellationToken, RetryPolicy, ToolContext, tool, tools};

use crate::steps::{agent, graph, says};

struct User(String);

/// Greets the user.
#[tool]
fn greet(user: &User) -> String {
    format!("Hello {}", user.0)
}

#[test]
fn each_mistake_has_its_message() {
    let ab = || graph().node("a", says("")).node("b", says(""));
    let cases: Vec<(GraphBuilder, &str)> = vec![
        (graph(), "the graph `test` has no nodes: add `.node(..)`"),
        (
            graph().node("a b", says("")),
            "invalid node id `a b`: use 1 to 128 letters, digits, `_`, `-` or `.`, and start with a letter or a digit",
        ),
        (ab().node("a", says("")), "two nodes are named `a`"),
        (ab().edge("a", "c"), "the edge from `a` to `c` names the node `c`, which does not exist"),
        (ab().join("c", Join::Any), "a join names the node `c`, which does not exist"),
        (ab().entry("c"), "an entry names the node `c`, which does not exist"),
        (
            graph().node("a", says("").on_failure(Failure::route("c"))),
            "the failure policy of `a` names the node `c`, which does not exist",
        ),
        (ab().edge("a", "b").edge("a", "b"), "there are two edges from `a` to `b`: combine their conditions"),
        (
            ab().loop_if("b", "a", 3, |()| true).loop_if("a", "b", 3, |()| true),
            "the loop from `b` back to `a` closes no cycle: no edges lead from `a` to `b`",
        ),
        (
            ab().edge("a", "b").loop_if("b", "a", 1, |()| true),
            "the loop from `b` back to `a` may iterate 1 times: allow at least 2",
        ),
        (
            ab().edge("a", "b").edge("b", "a"),
            "the cycle `a` -> `b` -> `a` has no bound: add the back edge with `.loop_if(..)` and a maximum number of \
             iterations",
        ),
        (
            ab().node("start", says("")).edge("start", "a").edge("a", "b").edge("b", "b"),
            "the cycle `b` -> `b` has no bound: add the back edge with `.loop_if(..)` and a maximum number of iterations",
        ),
        (ab().entry("a"), "the node `b` can't be reached from an entry: add an edge to it, or `.entry(\"b\")`"),
        (
            ab().edge("a", "b").join("b", Join::AtLeast(2)),
            "the join of `b` needs 2 edges: expected 1 to 1, the number of its sources",
        ),
        (
            graph()
                .node("a", says("").on_failure(Failure::route("b")))
                .node("b", says(""))
                .edge("a", "b")
                .join("b", Join::AtLeast(2)),
            "the join of `b` needs 2 edges: expected 1 to 1, the number of its sources",
        ),
        (
            ab().edge("a", "b").join("b", Join::AtLeast(0)),
            "the join of `b` needs 0 edges: expected 1 to 1, the number of its sources",
        ),
        (
            graph().node("a", agent("a", "").session_manager(InMemorySessionManager::new("s"))),
            "the node `a` has a session manager of its own: remove it, and set one for the graph",
        ),
        (
            graph().node("a", says("").runs_once().retry(RetryPolicy::new())),
            "the node `a` runs once, and has a retry policy: remove one of them",
        ),
        (
            graph().node("a", agent("a", "").tools(tools![Greet])),
            "the node `a` needs a `graph::checks::User`: add `.inject(..)` to the graph, or \
             `.injected_per_prompt::<graph::checks::User>()` and inject it with each prompt",
        ),
        (ab().concurrency(0), "the concurrency of the graph `test` is 0: allow at least 1"),
    ];
    for (builder, expected) in cases {
        assert_eq!(builder.build().unwrap_err().to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn host_values_come_from_the_graph_or_the_prompt() {
    let greeter = || {
        use strands::testing::{ScriptedModel, ScriptedTurn};
        let model = ScriptedModel::from_fn(|request| match request.messages.len() {
            1 => ScriptedTurn::tool_use("greet", strands::serde_json::json!({})),
            _ => ScriptedTurn::text(crate::steps::result_text(request)),
        });
        strands::Agent::builder().model(model).tools(tools![Greet])
    };
    let fixed = graph().node("a", greeter()).inject(User("Ada".into())).build().unwrap();
    assert_eq!(fixed.run("hi").await.unwrap().text(), "Hello Ada");
    let request = || strands::PromptRequest::new("hi").inject(User("Bob".into()));
    assert_eq!(fixed.run(request()).await.unwrap().text(), "Hello Bob");
    let per_prompt = graph().node("a", greeter()).injected_per_prompt::<User>().build().unwrap();
    assert_eq!(per_prompt.run(request()).await.unwrap().text(), "Hello Bob");
    let error = per_prompt.run("hi").await.unwrap_err();
    assert!(matches!(&error, strands::AgentError::MissingInjectedValue { tool, .. } if tool == "a"), "{error:?}");
}

/// Returns the name of the run.
#[tool]
fn run_name(
    run: &MultiAgentContext,
    call: &ToolContext,
    state: &AgentState,
    cancellation: &CancellationToken,
) -> String {
    state.set("run", run.name()).unwrap();
    format!("{} {} {}", call.tool_name(), run.name(), cancellation.is_cancelled())
}

#[tokio::test(start_paused = true)]
async fn tools_read_values_of_calls_and_runs_that_nobody_injects() {
    use strands::testing::{ScriptedModel, ScriptedTurn};
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("run_name", strands::serde_json::json!({})),
        _ => ScriptedTurn::text(crate::steps::result_text(request)),
    });
    let asking = strands::Agent::builder().name("a").model(model).tools(tools![RunName]);
    let graph = graph().node("a", asking.clone()).build().unwrap();
    assert_eq!(graph.run("x").await.unwrap().text(), "run_name test false");
    let swarm = strands::multiagent::Swarm::builder("team").member(asking.clone()).build().unwrap();
    assert_eq!(swarm.run("x").await.unwrap().text(), "run_name team false");
    // Outside of a run, there is no such value.
    assert!(matches!(asking.build().await, Err(strands::BuildError::MissingInjectedValue { .. })));
}

#[test]
fn diagrams_show_joins_lists_loops_and_conditions() {
    let graph: Graph<bool> = Graph::with_state("say \"hi\"", true)
        .node("a", agent("a", ""))
        .node("b", strands::multiagent::function(|_, _| async { Ok::<_, std::convert::Infallible>("") }))
        .node(
            "c",
            strands::multiagent::Node::new(agent("c", "")).for_each(3, |_, _| vec![1]).on_failure(Failure::route("b")),
        )
        .edge_if("a", "b", |state| *state)
        .edge("a", "c")
        .loop_if("c", "a", 4, |state| *state)
        .join("b", Join::Any)
        .build()
        .unwrap();
    let mermaid = "flowchart TD\n    n0(\"a\")\n    n1[\"b (any)\"]\n    n2(\"c (for each)\")\n    n2 -.->|on failure| n1\n    \
                   n0 -->|if| n1\n    n0 --> n2\n    n2 -.->|up to 4 iterations| n0\n";
    assert_eq!(graph.to_mermaid(), mermaid);
    let dot = graph.to_dot();
    assert!(
        dot.starts_with("digraph \"say \\\"hi\\\"\" {\n    n0 [label=\"a\", shape=box, style=rounded];\n"),
        "{dot}"
    );
    assert!(dot.contains("    n2 -> n0 [label=\"up to 4 iterations\", style=dashed];\n"), "{dot}");
}
