//! Records beyond the size of a checkpoint.

use strands::Agent;
use strands::durable::lambda::DurableAgent;
use strands::durable::lambda::sdk::test_util::LocalRunner;

use crate::support::{World, calls, done, execute, names, succeeded};

fn agent(world: &World, bytes: usize) -> DurableAgent {
    let model = world.model(|request, number| match request.messages.len() {
        1 => calls(number, ["large", "small"]),
        _ => done(number),
    });
    let tools = [world.tool("large").text("\"".repeat(bytes)).yielding(5), world.tool("small")];
    DurableAgent::new(Agent::builder().model(model).tools(tools))
}

#[tokio::test]
async fn a_large_record_is_split_and_survives_a_crash_between_its_parts() {
    let steps = [
        "start",
        "model/1/1",
        "tools/1/1",
        "tools/1/2",
        "tools/1/2/part/2",
        "tools/1/2/part/3",
        "tools/1/2/part/4",
        "model/2/1",
    ];
    for crash in 0..2 * steps.len() {
        let world = World::default();
        let runner = LocalRunner::new().single_page().fail_checkpoints_after_retryable(crash, 1);
        let result = execute(runner, agent(&world, 200 * 1024), "go").await;
        let output = succeeded(&result);
        world.assert_recorded_once(&output.snapshot);
        let names = names(&result);
        if !(2 * 4..2 * 7).contains(&crash) {
            assert_eq!(names, steps, "crash at {crash}");
        } else {
            // The parts that were recorded before the crash are followed by those of the next attempt.
            assert!(names.len() > steps.len(), "crash at {crash}");
        }
        let largest = result.operations().iter().filter_map(|operation| operation.result()).map(str::len).max();
        assert!(largest <= Some(256 * 1024), "{largest:?}");
    }
}

#[tokio::test]
async fn a_record_beyond_the_limit_is_final() {
    let world = World::default();
    let result = execute(LocalRunner::new(), agent(&world, 4 * 1024 * 1024), "go").await;
    assert_eq!((result.error_type(), result.invocation_count()), (Some("strands.too_large"), 1));
    let message = result.error_message().unwrap();
    assert!(message.contains("tools/1/2") && message.contains("limit the size of tool results"), "{message}");
    assert_eq!(world.count("tool"), 2);
}
