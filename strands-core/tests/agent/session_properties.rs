//! The same random scenarios with a session, dropped during its writes too: a reopened session has a valid
//! conversation, and the same one as the agent if the invocation was completed.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use strands_core::Agent;
use strands_core::conversation::SlidingWindowConversationManager;
use strands_core::testing::InMemorySessionManager;

use crate::properties::{Reply, Scenario, invoke, model, paused, reply_to, scenario, shape, tools};
use crate::support::template;
use crate::valid_history::flaw;

/// A session with slow writes, which wait before and after they are done.
fn slow_sessions() -> InMemorySessionManager {
    let sessions = InMemorySessionManager::new("memory");
    sessions.set_latency(Some(Duration::from_millis(1)));
    sessions
}

async fn open(
    scenario: &Scenario,
    store: &InMemorySessionManager,
    model: &strands_core::testing::ScriptedModel,
) -> Agent {
    let manager = SlidingWindowConversationManager::new(scenario.window);
    let builder = template(model, tools()).tool_concurrency(scenario.concurrency).conversation_manager(manager);
    builder.session_manager(store.clone()).build().await.unwrap()
}

async fn play(scenario: &Scenario) -> Result<(), TestCaseError> {
    let (store, model) = (slow_sessions(), model(&scenario.turns));
    let mut agent = open(scenario, &store, &model).await;
    for (at, (mode, reply)) in scenario.prompts.iter().enumerate() {
        let ended;
        if agent.interrupts().is_empty() {
            let dropped = invoke(&mut agent, format!("prompt {at}").into(), *mode).await.is_none();
            ended = !dropped;
        } else {
            reply_to(&mut agent, *reply).await?;
            // Discarded interrupts are removed from the session by the next invocation.
            ended = !matches!(reply, Reply::Discard);
        }
        let elsewhere = open(scenario, &store, &model).await;
        let messages = elsewhere.messages();
        let open = messages.last().is_some_and(|last| last.tool_uses().next().is_some());
        prop_assert_eq!(flaw(messages, open), None, "{:#?}", messages);
        if ended {
            prop_assert_eq!(shape(messages), shape(agent.messages()));
            let ids = |agent: &Agent| agent.interrupts().into_iter().map(|each| each.id).collect::<Vec<_>>();
            prop_assert_eq!(ids(&elsewhere), ids(&agent));
        }
        // Every other time another worker continues.
        if at % 2 == 1 {
            agent = elsewhere;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reopened_session_has_a_valid_conversation(scenario in scenario()) {
        paused(play(&scenario))?;
    }
}
