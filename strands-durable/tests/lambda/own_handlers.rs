//! Handlers of a program's own, with the journal.

use std::sync::Arc;
use std::time::Duration;

use strands::durable::lambda::sdk::test_util::{LocalRunner, TestResult};
use strands::durable::lambda::sdk::{BoxError, DurableContext};
use strands::durable::lambda::{LambdaJournal, RecordTooLarge};
use strands::serde_json::{Value, json};
use strands::{
    Agent, AgentError, CancellationToken, Journal, JournalStep, Tool, ToolContext, ToolError, ToolOutput, ToolSpec,
    async_trait,
};

use crate::support::{World, calls, done, names};

/// A tool that cancels the invocation and never ends.
struct Cancels(ToolSpec, World, CancellationToken);

#[async_trait]
impl Tool for Cancels {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        self.1.begin("tool cancels");
        self.2.cancel();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_cancelled_turn_stays_cancelled() {
    let world = World::default();
    let handler = {
        let world = world.clone();
        move |(), context: DurableContext| {
            let world = world.clone();
            async move {
                let journal = LambdaJournal::start(context.clone()).await?;
                let token = CancellationToken::new();
                let model = world.model(|request, number| match request.messages.len() {
                    1 => calls(number, ["quick", "cancels"]),
                    _ => done(number),
                });
                let spec = ToolSpec::new("cancels", "A tool.", json!({"type": "object"}));
                let cancels = Cancels(spec, world.clone(), token.clone());
                let template = Agent::builder().model(model).tools([world.tool("quick")]).tool(cancels);
                let mut agent = template.build().await?;
                let response = agent.prompt("go").cancel_with(token).journal(&journal).await?;
                context.wait(Duration::from_secs(1)).name("afterwards").await?;
                Ok::<_, BoxError>((
                    response.stop_reason.to_string(),
                    agent.snapshot()?.data.messages.map(|all| all.len()),
                ))
            }
        }
    };
    let result = LocalRunner::new().run(handler, ()).await;
    assert_eq!(result.output(), Some(&("cancelled".to_owned(), Some(3))), "{:?}", result.error_message());
    assert_eq!(result.invocation_count(), 2);
    assert_eq!((world.count("model"), world.count("tool quick"), world.count("tool cancels")), (1, 1, 1));
}

/// Runs a handler that asks the journal for numbers, waits, and asks again in a second invocation.
async fn numbers() -> TestResult<Vec<u64>> {
    let handler = |(), context: DurableContext| async move {
        let journal = LambdaJournal::start(context.clone()).await?;
        let mut numbers = vec![journal.random(), journal.random()];
        let began = journal.now();
        journal.sleep("none", Duration::ZERO).await?;
        journal.sleep("some", Duration::from_millis(1)).await?;
        numbers.push((journal.now() - began).as_millis().try_into()?);
        journal.record_time("time").await?;
        numbers.extend([journal.random(), u64::from(journal.is_replaying() == Some(true))]);
        numbers.push(began.as_millis().try_into()?);
        Ok::<_, BoxError>(numbers)
    };
    LocalRunner::new().run(handler, ()).await
}

#[tokio::test]
async fn numbers_and_times_are_those_of_the_execution() {
    let result = numbers().await;
    let first = result.output().unwrap();
    assert_eq!(names(&result), ["start", "some", "time"]);
    assert_eq!(result.invocation_count(), 2);
    assert_eq!(first[2], 1000, "rounded up to whole seconds");
    assert_eq!(first[4], 0, "no operation is left to replay");
    assert!(first[5] > 1_700_000_000_000, "milliseconds since 1970");
    let second = numbers().await;
    assert_ne!(first[..2], second.output().unwrap()[..2], "another execution has other numbers");
}

#[tokio::test]
async fn a_record_that_is_too_large_is_the_source_of_the_error() {
    let world = World::default();
    let handler = move |(), context: DurableContext| {
        let world = world.clone();
        async move {
            let journal = LambdaJournal::start(context).await?;
            let model = world.model(|_, number| calls(number, ["large"]));
            let large = world.tool("large").text("a".repeat(5 * 1024 * 1024));
            let mut agent = Agent::builder().model(model).tools([large]).build().await?;
            let error = agent.prompt("go").journal(&journal).await.unwrap_err();
            assert!(matches!(error, AgentError::Journal(_)), "{error:?}");
            let sources =
                std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |error| error.source());
            Ok::<_, BoxError>(
                sources
                    .filter_map(|source| source.downcast_ref::<RecordTooLarge>())
                    .map(|large| large.limit)
                    .collect::<Vec<_>>(),
            )
        }
    };
    let result = LocalRunner::new().run(handler, ()).await;
    assert_eq!(result.output(), Some(&vec![4 * 1024 * 1024]), "{:?}", result.error_message());
}

#[tokio::test]
async fn an_effect_runs_in_the_task_of_the_handler_only() {
    let handler = |(), context: DurableContext| async move {
        let journal = Arc::new(LambdaJournal::start(context).await?);
        let other = Arc::clone(&journal);
        let step = tokio::spawn(async move {
            other
                .step(JournalStep::new("elsewhere"), Box::pin(async { Value::Null }))
                .await
                .map_err(|error| error.to_string())
        });
        Ok::<_, BoxError>(step.await?.unwrap_err())
    };
    let result = LocalRunner::new().run(handler, ()).await;
    let error = result.output().unwrap();
    assert!(error.contains("elsewhere") && error.contains("task"), "{error}");
}
