//! Contract of conversation managers: agents whose model rejects long conversations.

mod model;
mod observed_manager;
mod run;

use super::violation::ContractViolation;
use crate::conversation::ConversationManager;

/// Number of conversations, each with its own seed.
const CONVERSATIONS: u64 = 8;

/// Checks the contract of a [`ConversationManager`].
///
/// Agents have random conversations with fixed seeds: prompts, tool calls and results of all sizes, with a model that
/// reports its context window and rejects longer requests. Their sessions are in memory; after an invocation, the agent is
/// built again with another manager that `make` returns. `make` must return managers with the same configuration, which use
/// no other model than the agent's.
///
/// The suite checks each call of the manager before the agent repairs the result, and the requests to the model. If a
/// manager returns [`Reduction::Impossible`](crate::conversation::Reduction::Impossible), the agent's error is not a
/// violation, and from then on the model accepts requests of any length. So a manager that never reduces is checked for
/// everything else.
///
/// # Errors
///
/// Returns the first broken promise. An error of the manager is a violation, too.
///
/// # Examples
///
/// ```
/// use strands::conversation::SlidingWindowConversationManager;
/// use strands::testing::contract::check_conversation_manager;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// check_conversation_manager(|| SlidingWindowConversationManager::new(20)).await?;
/// # Ok::<(), strands::testing::contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_conversation_manager<M: ConversationManager + 'static>(
    make: impl Fn() -> M,
) -> Result<(), ContractViolation> {
    for seed in 0..CONVERSATIONS {
        run::conversation(seed, &make).await?;
    }
    Ok(())
}
