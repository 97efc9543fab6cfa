//! The contract of promptables, with the limit of nesting.

use strands::models::{ErrorDetails, ModelError};
use strands::multiagent::Swarm;
use strands::testing::contract::check_promptable;
use strands::testing::{InMemorySessionManager, ScriptedTurn};
use strands::{AgentError, PromptRequest, Promptable};

use crate::support::{member, to};

fn team() -> Swarm {
    let first = member("a", |_| to("b", "go"));
    let second = member("b", |_| ScriptedTurn::text("one two three"));
    Swarm::builder("team").description("A team.").member(first).member(second).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_swarm_keeps_the_contract() {
    check_promptable(&team(), || PromptRequest::new("x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nesting_has_a_limit_with_a_typed_error() {
    let mut nested: Box<dyn Promptable> = Box::new(team());
    for level in 0..200 {
        nested = Box::new(Swarm::builder(format!("level-{level}")).member(nested).build().unwrap());
    }
    let error = Swarm::builder("outer").member(nested).build().unwrap().run("x").await.unwrap_err();
    assert!(matches!(error, AgentError::NestedTooDeep { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_passes_all_levels_with_a_short_text() {
    let failing =
        member("leaf", |_| ScriptedTurn::error(ModelError::InvalidRequest { details: ErrorDetails::new().boxed() }));
    let mut nested: Box<dyn Promptable> = Box::new(failing);
    for level in 0..8 {
        nested = Box::new(Swarm::builder(format!("level-{level}")).member(nested).build().unwrap());
    }
    let error = Swarm::builder("outer").member(nested).build().unwrap().run("x").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the node `leaf` failed: the model call failed") && text.len() <= 4096, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_member_with_a_session_of_its_own_is_a_build_error() {
    let stored = member("a", |_| ScriptedTurn::text("x")).session_manager(InMemorySessionManager::new("s"));
    let error = Swarm::builder("team").member(stored).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the member `a` has a session manager: remove it from the agent, and set one for the swarm"
    );
}
