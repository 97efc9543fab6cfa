//! Graphs and agents as tools that keep their context.

use strands::multiagent::{Graph, Node};
use strands::serde_json::json;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, AgentTool, Limits, tool, tools};

/// Looks.
#[tool]
fn look() -> &'static str {
    "nothing"
}

/// An agent that responds with the prompts that it knows. For a long task, it calls a tool first.
fn expert() -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| {
        let texts: Vec<String> =
            request.messages.iter().filter(|message| message.is_prompt()).map(|message| message.text()).collect();
        match request.messages.last().unwrap().text().as_str() {
            "long" => ScriptedTurn::tool_use("look", json!({})),
            _ => ScriptedTurn::text(texts.join(" ")),
        }
    });
    Agent::builder().name("expert").description("Knows.").model(model).tools(tools![Look])
}

/// Returns the results of calls of a tool with these inputs, in one conversation.
async fn results(tool: AgentTool, inputs: &[&str]) -> Vec<String> {
    let model = ScriptedModel::from_fn(|request| {
        let last = request.messages.last().unwrap();
        match last.tool_results().next() {
            Some(result) => {
                let texts = result.content.iter().map(|content| serde_json::to_value(content).unwrap());
                ScriptedTurn::text(
                    texts.map(|text| text["text"].as_str().unwrap_or_default().to_owned()).collect::<String>(),
                )
            }
            None => ScriptedTurn::tool_use("expert", json!({"input": last.text()})),
        }
    });
    let mut agent = Agent::builder().model(model).tool(tool.name("expert")).build().await.unwrap();
    let mut results = Vec::new();
    for input in inputs {
        results.push(agent.prompt(*input).await.unwrap().text());
    }
    results
}

#[tokio::test(start_paused = true)]
async fn a_graph_that_a_limit_has_stopped_goes_on_with_its_context_in_the_next_call() {
    let graph = Graph::builder("office").node("expert", Node::new(expert()).keeps_conversation(true));
    let graph = graph.limits(Limits::new().turns(1)).build().unwrap();
    let results = results(graph.as_tool().keeps_context(true), &["one", "long", "two", "three"]).await;
    assert_eq!(results[0], "one");
    assert!(results[1].contains("stopped by limit_turns"), "{results:?}");
    assert_eq!(results[2..], ["one two", "one two three"]);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_a_limit_has_stopped_remembers_that_turn_in_the_next_call() {
    let agent = expert().limits(Limits::new().turns(1));
    let results = results(agent.as_tool().keeps_context(true), &["one", "long", "two"]).await;
    assert_eq!(results[0], "one");
    assert!(results[1].contains("stopped by limit_turns"), "{results:?}");
    assert_eq!(results[2], "one long two");
}
