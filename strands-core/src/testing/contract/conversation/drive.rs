//! One conversation of an agent with a manager under observation.

use std::sync::Arc;

use fastrand::Rng;

use super::super::sample::words;
use super::super::violation::{ContractViolation, Promise, ensure, shown};
use super::model::{Look, Strict};
use super::watch::{Watch, Watched};
use crate::agent::Agent;
use crate::conversation::ConversationManager;
use crate::message::{ContentBlock, Message, Role};
use crate::outcome::AgentError;
use crate::testing::InMemorySessionManager;

/// The number of prompts in a conversation.
const PROMPTS: u32 = 14;

/// The parts that agents are built from.
struct Stage<'a, F> {
    make: &'a F,
    model: Strict,
    watch: Arc<Watch>,
    session: InMemorySessionManager,
    seed: u64,
}

impl<M: ConversationManager + 'static, F: Fn() -> M> Stage<'_, F> {
    async fn agent(&self) -> Result<Agent, ContractViolation> {
        let builder = Agent::builder()
            .model(self.model.clone())
            .tool(Look::new(self.seed))
            .conversation_manager(Watched::new((self.make)(), &self.watch))
            .session_manager(self.session.clone());
        let failed = |error| ContractViolation::error(Promise::ConversationRestored, "an agent to be built", error);
        builder.build().await.map_err(failed)
    }
}

pub(super) async fn conversation<M: ConversationManager + 'static>(
    seed: u64,
    make: &impl Fn() -> M,
) -> Result<(), ContractViolation> {
    let watch = Arc::new(Watch::default());
    let model = Strict::new(seed, &watch);
    let stage = Stage { make, model, watch, session: InMemorySessionManager::new("contract"), seed };
    let mut rng = Rng::with_seed(seed);
    let mut agent = stage.agent().await?;
    for turn in 0..PROMPTS {
        stage.model.next_prompt();
        let message = Message::user(format!("Prompt {turn}: {}", words(&mut rng, 60)));
        let message = if rng.u8(0..8) == 0 { message.pinned() } else { message };
        let outcome = agent.prompt(message).await;
        stage.watch.noted.outcome()?;
        match outcome {
            Ok(_) => {}
            Err(AgentError::ContextOverflow { .. }) if stage.watch.gave_up() => {
                stage.model.take_everything();
                continue;
            }
            Err(error) => {
                let expected = format!("prompt {turn} of conversation {seed} to be answered");
                return Err(ContractViolation::error(Promise::ConversationReductionEnds, expected, error));
            }
        }
        let restored = stage.agent().await?;
        same(agent.messages(), restored.messages())?;
        if rng.bool() {
            agent = restored;
        }
    }
    Ok(())
}

/// Checks that a restored agent sees what the agent saw that has written the session.
fn same(before: &[Arc<Message>], restored: &[Arc<Message>]) -> Result<(), ContractViolation> {
    let seen = |message: &Arc<Message>| -> (Role, Vec<ContentBlock>) { (message.role, message.content.clone()) };
    let equal = before.iter().map(seen).eq(restored.iter().map(seen));
    ensure(equal, Promise::ConversationRestored, shown(before), || shown(restored))
}
