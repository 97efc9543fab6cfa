//! Many model calls and tools, with a crash at each checkpoint in turn.

use strands::durable::lambda::DurableAgent;
use strands::durable::lambda::sdk::test_util::LocalRunner;
use strands::{Agent, AgentBuilder};

use crate::support::{World, calls, done, execute, names, succeeded};

const TURNS: usize = 10;
const TOOLS: usize = 12;

/// Ten model calls: four concurrent tools, then eight single ones, and a text.
fn template(world: &World) -> AgentBuilder {
    let model = world.model(|request, number| match request.messages.len() {
        1 => calls(number, ["a", "b", "c", "d"]),
        length if length < 2 * TURNS - 1 => calls(number, ["a"]),
        _ => done(number),
    });
    let tools = [("a", 30), ("b", 0), ("c", 20), ("d", 10)];
    Agent::builder().model(model).tools(tools.map(|(name, yields)| world.tool(name).yielding(yields)))
}

#[tokio::test]
async fn records_each_model_call_and_each_tool_once() {
    let world = World::default();
    let result = execute(LocalRunner::new(), DurableAgent::new(template(&world)), "go").await;
    let output = succeeded(&result);
    assert_eq!(output.response.stop_reason, "end_turn");
    assert_eq!((world.count("model"), world.count("tool"), result.invocation_count()), (TURNS, TOOLS, 1));
    world.assert_recorded_once(&output.snapshot);
    let names = names(&result);
    assert_eq!(names[..7], ["start", "model/1/1", "tools/1/1", "tools/1/2", "tools/1/3", "tools/1/4", "model/2/1"]);
    assert_eq!(names.len(), 1 + TURNS + TOOLS);
}

#[tokio::test]
async fn ends_the_same_after_a_crash_at_any_checkpoint() {
    // The checkpoints of a step are its start and its result.
    let checkpoints = 2 * (1 + TURNS + TOOLS);
    for crash in 0..checkpoints {
        let world = World::default();
        let runner = LocalRunner::new().fail_checkpoints_after_retryable(crash, 1);
        let result = execute(runner, DurableAgent::new(template(&world)), "go").await;
        let output = succeeded(&result);
        assert_eq!(result.invocation_count(), 2, "crash at {crash}");
        assert_eq!(output.snapshot.data.messages.as_ref().unwrap().len(), 2 * TURNS);
        world.assert_recorded_once(&output.snapshot);
        let (models, tools) = (world.count("model"), world.count("tool"));
        assert!(models <= TURNS + 1 && tools < TOOLS + 4 && models + tools <= TURNS + TOOLS + 4, "crash at {crash}");
        assert_eq!(names(&result).len(), 1 + TURNS + TOOLS, "crash at {crash}");
    }
    let runner = LocalRunner::new().fail_checkpoints_after_retryable(checkpoints, 1);
    let result = execute(runner, DurableAgent::new(template(&World::default())), "go").await;
    assert_eq!(result.invocation_count(), 1, "there are more checkpoints");
}

#[tokio::test]
async fn ends_the_same_after_several_crashes_in_a_row() {
    let world = World::default();
    let runner = LocalRunner::new().fail_checkpoints_after_retryable(5, 6);
    let result = execute(runner, DurableAgent::new(template(&world)), "go").await;
    assert_eq!(result.invocation_count(), 7);
    world.assert_recorded_once(&succeeded(&result).snapshot);
}

#[tokio::test]
async fn works_with_batched_checkpoints_and_whole_pages() {
    let world = World::default();
    let runner = LocalRunner::new().single_page().checkpoint_batching().fail_checkpoints_after_retryable(9, 1);
    let result = execute(runner, DurableAgent::new(template(&world)), "go").await;
    world.assert_recorded_once(&succeeded(&result).snapshot);
}
