//! One conversation between an agent and an observed manager.

use std::sync::Arc;

use fastrand::Rng;

use super::super::sample::words;
use super::super::violation::{ContractViolation, Promise, ensure, shown};
use super::model::{LimitedModel, Lookup};
use super::observed_manager::{Observations, ObservedManager};
use crate::agent::Agent;
use crate::conversation::ConversationManager;
use crate::message::{ContentBlock, Message, Role};
use crate::outcome::AgentError;
use crate::testing::InMemorySessionManager;

/// Number of prompts in a conversation.
const PROMPTS: u32 = 14;

/// The parts of each agent.
struct Fixture<'a, F> {
    make: &'a F,
    model: LimitedModel,
    observations: Arc<Observations>,
    session: InMemorySessionManager,
    seed: u64,
}

impl<M: ConversationManager + 'static, F: Fn() -> M> Fixture<'_, F> {
    async fn agent(&self) -> Result<Agent, ContractViolation> {
        let builder = Agent::builder()
            .model(self.model.clone())
            .tool(Lookup::new(self.seed))
            .conversation_manager(ObservedManager::new((self.make)(), &self.observations))
            .session_manager(self.session.clone());
        let failed = |error| ContractViolation::error(Promise::ConversationRestored, "an agent to be built", error);
        builder.build().await.map_err(failed)
    }
}

pub(super) async fn conversation<M: ConversationManager + 'static>(
    seed: u64,
    make: &impl Fn() -> M,
) -> Result<(), ContractViolation> {
    let observations = Arc::new(Observations::default());
    let model = LimitedModel::new(seed, &observations);
    let fixture = Fixture { make, model, observations, session: InMemorySessionManager::new("contract"), seed };
    let mut rng = Rng::with_seed(seed);
    let mut agent = fixture.agent().await?;
    for turn in 0..PROMPTS {
        fixture.model.next_prompt();
        let message = Message::user(format!("Prompt {turn}: {}", words(&mut rng, 60)));
        let message = if rng.u8(0..8) == 0 { message.pinned() } else { message };
        let outcome = agent.prompt(message).await;
        fixture.observations.first_violation.outcome()?;
        match outcome {
            Ok(_) => {}
            Err(AgentError::ContextOverflow { .. }) if fixture.observations.gave_up() => {
                fixture.model.accept_everything();
                continue;
            }
            Err(error) => {
                let expected = format!("a response to prompt {turn} of conversation {seed}");
                return Err(ContractViolation::error(Promise::ConversationReductionEnds, expected, error));
            }
        }
        let restored = fixture.agent().await?;
        same(agent.messages(), restored.messages())?;
        if rng.bool() {
            agent = restored;
        }
    }
    Ok(())
}

/// Checks that a restored agent has the same messages as the agent that wrote the session.
fn same(before: &[Arc<Message>], restored: &[Arc<Message>]) -> Result<(), ContractViolation> {
    let seen = |message: &Arc<Message>| -> (Role, Vec<ContentBlock>) { (message.role, message.content.clone()) };
    let equal = before.iter().map(seen).eq(restored.iter().map(seen));
    ensure(equal, Promise::ConversationRestored, shown(before), || shown(restored))
}
