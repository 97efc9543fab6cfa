//! Loops that are tied to each other.

use strands::multiagent::{Graph, GraphBuilder, Node, NodeOutput, function};

/// Ids of the nodes that have completed, in order.
type Ran = Vec<String>;

fn node(id: &str) -> Node<Ran> {
    let id = id.to_owned();
    function(move |_, _| {
        let id = id.clone();
        async move { Ok::<_, std::convert::Infallible>(NodeOutput::text("").update(move |ran: &mut Ran| ran.push(id))) }
    })
}

/// Makes a graph with an edge between each two neighbours of each path.
fn graph(paths: &[&[&str]]) -> GraphBuilder<Ran> {
    let (mut builder, mut nodes, mut edges) = (Graph::with_state("loops", Ran::new()), Vec::new(), Vec::new());
    for path in paths {
        for id in *path {
            if !nodes.contains(id) {
                nodes.push(id);
                builder = builder.node(*id, node(id));
            }
        }
        for pair in path.windows(2) {
            if !edges.contains(&pair) {
                edges.push(pair);
                builder = builder.edge(pair[0], pair[1]);
            }
        }
    }
    builder
}

async fn ran(builder: GraphBuilder<Ran>) -> Vec<String> {
    let mut ran = builder.build().unwrap().run("go").await.unwrap().state;
    ran.sort();
    ran
}

#[tokio::test]
async fn a_node_between_overlapping_loops_is_in_their_body() {
    // a -> b -> c and b -> c -> d overlap. The way over x leaves the one, and enters the other.
    let builder = graph(&[&["a", "b", "c", "d"], &["a", "x", "d"]]);
    let builder = builder.loop_if("c", "a", 2, |_| true).loop_if("d", "b", 2, |_| true);
    // Both loops fire after the first iteration of their common body, in which a and b begin again.
    assert_eq!(ran(builder).await, ["a", "a", "b", "b", "c", "c", "d", "d", "x", "x"]);
}

#[tokio::test]
async fn loops_that_wait_for_each_other_are_one() {
    // The first needs y of the second before it ends, and the second needs a of the first.
    let builder = graph(&[&["a", "b"], &["p", "y"], &["p", "q"], &["a", "q"], &["y", "b"]]);
    let builder = builder.loop_if("b", "a", 2, |_| true).loop_if("q", "p", 2, |_| true);
    assert_eq!(ran(builder).await, ["a", "a", "b", "b", "p", "p", "q", "q", "y", "y"]);
}

#[tokio::test]
async fn an_inner_loop_stays_within_loops_that_become_one() {
    let builder = graph(&[&["a", "i", "b"], &["p", "y"], &["p", "q"], &["a", "q"], &["y", "b"]]);
    let builder = builder.loop_if("b", "a", 2, |_| true).loop_if("q", "p", 2, |_| true).loop_if("i", "i", 3, |_| true);
    let ran = ran(builder).await;
    assert_eq!(ran.iter().filter(|id| *id == "i").count(), 6);
    assert_eq!(ran.len(), 6 + 10);
}
