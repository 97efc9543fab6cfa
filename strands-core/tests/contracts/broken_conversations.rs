//! Conversation managers that violate their contract.

use std::error::Error as StdError;

use strands_core::async_trait;
use strands_core::conversation::{
    Conversation, ConversationManager, NullConversationManager, Reduction, SummarizingConversationManager,
};
use strands_core::message::Role;
use strands_core::testing::contract::{Promise, check_conversation_manager};

type Outcome<T> = Result<T, Box<dyn StdError + Send + Sync>>;

/// A manager that reduces with a function.
struct With(fn(&mut Conversation<'_>) -> Reduction);

#[async_trait]
impl ConversationManager for With {
    fn name(&self) -> &'static str {
        "With"
    }

    async fn apply(&self, _: &mut Conversation<'_>) -> Outcome<()> {
        Ok(())
    }

    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Outcome<Reduction> {
        Ok((self.0)(conversation))
    }
}

fn reduced() -> Reduction {
    Reduction::Reduced("removed messages".to_owned())
}

async fn broken<M: ConversationManager + 'static>(make: impl Fn() -> M) -> Promise {
    check_conversation_manager(make).await.unwrap_err().promise
}

#[tokio::test]
async fn detects_removal_of_the_newest_user_message() {
    let make = || {
        With(|conversation| {
            conversation.remove(conversation.messages().len() - 1..conversation.messages().len());
            reduced()
        })
    };
    let violation = check_conversation_manager(make).await.unwrap_err();
    assert_eq!(violation.promise, Promise::ConversationKeepsNewest);
    assert!(violation.to_string().contains("`Prompt"), "{violation}");
}

#[tokio::test]
async fn detects_reductions_without_an_effect() {
    assert_eq!(broken(|| With(|_| reduced())).await, Promise::ConversationReductionEnds);
}

#[tokio::test]
async fn detects_results_without_their_calls() {
    let make = || {
        With(|conversation| {
            let call = conversation.messages().iter().position(|message| message.tool_uses().next().is_some());
            match call {
                Some(at) => drop(conversation.remove(at..at + 1)),
                None => return Reduction::Impossible("no calls".to_owned()),
            }
            reduced()
        })
    };
    assert_eq!(broken(make).await, Promise::ConversationValidInput);
}

#[tokio::test]
async fn detects_removal_of_pinned_messages() {
    // The newest prompt and the messages after it are kept.
    let make = || {
        With(|conversation| {
            let opens = |at: &usize| {
                let message = &conversation.messages()[*at];
                message.role == Role::User
                    && message.tool_results().next().is_none()
                    && conversation.number(*at).is_some()
            };
            match (1..conversation.messages().len()).rev().find(opens) {
                Some(at) => drop(conversation.remove(0..at)),
                None => return Reduction::Impossible("one prompt".to_owned()),
            }
            reduced()
        })
    };
    assert_eq!(broken(make).await, Promise::ConversationKeepsPinned);
}

/// A summarizing manager that does not restore its summary.
struct Forgetful(SummarizingConversationManager);

#[async_trait]
impl ConversationManager for Forgetful {
    fn name(&self) -> &'static str {
        "Forgetful"
    }

    async fn apply(&self, conversation: &mut Conversation<'_>) -> Outcome<()> {
        self.0.apply(conversation).await
    }

    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Outcome<Reduction> {
        self.0.reduce(conversation).await
    }
}

#[tokio::test]
async fn detects_summaries_that_are_not_restored() {
    assert_eq!(broken(|| Forgetful(SummarizingConversationManager::new())).await, Promise::ConversationRestored);
}

/// A manager that fails.
struct Failing;

#[async_trait]
impl ConversationManager for Failing {
    fn name(&self) -> &'static str {
        "Failing"
    }

    async fn apply(&self, conversation: &mut Conversation<'_>) -> Outcome<()> {
        NullConversationManager::new().apply(conversation).await
    }

    async fn reduce(&self, _: &mut Conversation<'_>) -> Outcome<Reduction> {
        Err("nothing left to remove".into())
    }
}

#[tokio::test]
async fn reports_the_error_of_a_failing_manager() {
    let violation = check_conversation_manager(|| Failing).await.unwrap_err();
    assert!(format!("{violation:?}").contains("nothing left to remove"), "{violation:?}");
}
