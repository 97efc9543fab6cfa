//! A new release of the function while an execution waits: what changes, and what must not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use strands::durable::TurnInfo;
use strands::durable::lambda::sdk::test_util::LocalRunner;
use strands::durable::lambda::sdk::{BoxError, DurableContext};
use strands::durable::lambda::{DurableAgent, LambdaJournal};
use strands::models::{ErrorDetails, ModelError};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, Limits};

use crate::support::{World, calls, done, execute, succeeded};

/// A function whose release changes with its second invocation.
fn released(first: AgentBuilder, second: AgentBuilder) -> DurableAgent {
    let builds = Arc::new(AtomicUsize::new(0));
    DurableAgent::new(move |_: TurnInfo| {
        let builder = if builds.fetch_add(1, Ordering::Relaxed) == 0 { &first } else { &second };
        let builder = builder.clone();
        async { Ok::<_, std::io::Error>(builder) }
    })
}

/// A model that is throttled at its second call, so that the execution waits.
fn model(world: &World) -> ScriptedModel {
    let attempts = world.clone();
    world.model(move |request, number| match (request.messages.len(), attempts.count("model")) {
        (1, _) => calls(number, ["old"]),
        (_, 2) => {
            ScriptedTurn::error(ModelError::Throttled { retry_after: None, details: ErrorDetails::new().boxed() })
        }
        (3, _) => calls(number, ["new"]),
        _ => done(number),
    })
}

#[tokio::test]
async fn another_prompt_and_other_tools_take_effect_with_the_next_model_call() {
    let world = World::default();
    let model = model(&world);
    let first = Agent::builder().model(model.clone()).system_prompt("one").tools([world.tool("old")]);
    let second = Agent::builder().model(model.clone()).system_prompt("two").tools([world.tool("new")]);
    let result = execute(LocalRunner::new(), released(first, second), "go").await;
    world.assert_recorded_once(&succeeded(&result).snapshot);
    assert_eq!((world.count("tool old"), world.count("tool new")), (1, 1), "a recorded result needs no tool");
    let prompts: Vec<String> = model.requests().iter().map(|request| format!("{:?}", request.system)).collect();
    assert_eq!(prompts.iter().map(|prompt| prompt.contains("two")).collect::<Vec<_>>(), [false, false, true, true]);
}

#[tokio::test]
async fn a_release_with_lower_limits_ends_at_the_limit() {
    let world = World::default();
    let first = Agent::builder().model(model(&world)).tools([world.tool("old")]);
    let second = first.clone().limits(Limits::new().turns(1));
    let result = execute(LocalRunner::new(), released(first, second), "go").await;
    assert_eq!(succeeded(&result).response.stop_reason, "limit_turns");
    assert_eq!((world.count("model"), world.count("tool")), (2, 1));
}

#[tokio::test]
async fn a_release_with_other_steps_ends_the_execution_and_repeats_nothing() {
    let world = World::default();
    let starts = Arc::new(AtomicUsize::new(0));
    let handler = {
        let world = world.clone();
        move |(), context: DurableContext| {
            let is_second = starts.fetch_add(1, Ordering::Relaxed) == 1;
            let template = Agent::builder().model(model(&world)).tools([world.tool("old"), world.tool("new")]);
            async move {
                let journal = LambdaJournal::start(context).await?;
                if is_second {
                    journal.record_time("a step of the second release").await?;
                }
                let response = template.build().await?.prompt("go").journal(&journal).await?;
                Ok::<_, BoxError>(response.text())
            }
        }
    };
    let result = LocalRunner::new().run(handler, ()).await;
    assert_eq!(result.error_type(), Some("NonDeterministicExecutionError"));
    let message = result.error_message().unwrap();
    assert!(message.contains("a step of the second release") && message.contains("model/1/1"), "{message}");
    assert_eq!((world.count("model"), world.count("tool"), result.invocation_count()), (2, 1, 2));
}
