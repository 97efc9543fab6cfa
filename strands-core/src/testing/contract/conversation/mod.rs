//! The contract of conversation managers: agents whose model refuses long conversations.

mod drive;
mod model;
mod watch;

use super::violation::ContractViolation;
use crate::conversation::ConversationManager;

/// The number of conversations, each with its own seed.
const CONVERSATIONS: u64 = 8;

/// Checks the contract of a [`ConversationManager`].
///
/// Agents have random conversations, with fixed seeds: prompts, tool calls and results of all sizes, with a model that
/// refuses requests that are too long and that says how long they may be. Their sessions are in memory; after an
/// invocation, the agent is built again with another manager that `make` returns. `make` must return managers that are
/// configured the same way, and that need no model but the agent's.
///
/// Checked is each call of the manager, before the agent repairs what is left, and what the model is sent. A manager that
/// can't reduce a conversation says [`Reduction::Impossible`](crate::conversation::Reduction::Impossible), and the agent's
/// error is not held against it: from there on, the model takes requests of any length. So a manager that never reduces
/// is checked for everything else.
///
/// # Errors
///
/// Returns the first promise that is broken. An error of the manager is a violation, too.
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
        drive::conversation(seed, &make).await?;
    }
    Ok(())
}
