//! An observed conversation manager: each call is checked before the agent repairs the result.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::super::first_violation::FirstViolation;
use super::super::validity::check_pairs;
use super::super::violation::{ContractViolation, Promise, ensure, shown};
use crate::conversation::{Conversation, ConversationManager, Reduction};
use crate::message::{ContentBlock, Message, Role};

/// Observations of a manager's calls.
#[derive(Debug, Default)]
pub(super) struct Observations {
    pub(super) first_violation: FirstViolation,
    gave_up: AtomicBool,
}

impl Observations {
    /// Returns true if the manager has reported that it can't reduce the conversation.
    pub(super) fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::Relaxed)
    }
}

/// A wrapper that observes a manager.
pub(super) struct ObservedManager<M> {
    manager: M,
    observations: Arc<Observations>,
}

impl<M> ObservedManager<M> {
    pub(super) fn new(manager: M, observations: &Arc<Observations>) -> Self {
        Self { manager, observations: Arc::clone(observations) }
    }

    fn record<E>(&self, before: &Snapshot, conversation: &Conversation<'_>, outcome: &Result<Option<Reduction>, E>) {
        let after = Snapshot::of(conversation);
        self.observations.first_violation.note(before.check_kept(&after));
        if let Ok(Some(Reduction::Reduced(what))) = outcome {
            let smaller = after.size < before.size;
            let expected = format!("a conversation smaller than {} after `{what}`", before.size);
            let observed = || format!("one of {}", after.size);
            self.observations.first_violation.note(ensure(
                smaller,
                Promise::ConversationReductionEnds,
                expected,
                observed,
            ));
        }
    }
}

#[async_trait]
impl<M: ConversationManager> ConversationManager for ObservedManager<M> {
    fn name(&self) -> &'static str {
        self.manager.name()
    }

    async fn apply(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let before = Snapshot::of(conversation);
        let outcome = self.manager.apply(conversation).await.map(|()| None);
        self.record(&before, conversation, &outcome);
        outcome.map(|_| ())
    }

    async fn prepare(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        let before = Snapshot::of(conversation);
        let outcome = self.manager.prepare(conversation).await;
        let outcome = outcome.map(Some);
        self.record(&before, conversation, &outcome);
        outcome.map(|reduction| reduction.unwrap_or(Reduction::NotNeeded))
    }

    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        let before = Snapshot::of(conversation);
        let outcome = self.manager.reduce(conversation).await.map(Some);
        self.record(&before, conversation, &outcome);
        let reduction = outcome.map(|reduction| reduction.unwrap_or(Reduction::NotNeeded));
        if let Ok(Reduction::Impossible(_) | Reduction::NotNeeded) = reduction {
            self.observations.gave_up.store(true, Ordering::Relaxed);
        }
        reduction
    }

    fn restored(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self.manager.restored(conversation)
    }
}

/// A snapshot of a conversation.
struct Snapshot {
    messages: Vec<Arc<Message>>,
    numbers: Vec<Option<u64>>,
    /// The estimated size that the agent uses: the tokens of the content, and one for each message.
    size: u64,
}

impl Snapshot {
    fn of(conversation: &Conversation<'_>) -> Self {
        let messages = conversation.messages().to_vec();
        let tokens: u64 = (0..messages.len()).map(|at| conversation.estimated_tokens(at)).sum();
        Self {
            numbers: (0..messages.len()).map(|at| conversation.number(at)).collect(),
            size: tokens.saturating_add(messages.len() as u64),
            messages,
        }
    }

    /// Returns the messages that have a number, newest first.
    fn numbered(&self) -> impl Iterator<Item = (u64, &Arc<Message>)> {
        self.numbers.iter().zip(&self.messages).rev().filter_map(|(number, message)| Some(((*number)?, message)))
    }

    fn find(&self, number: u64) -> Option<&Arc<Message>> {
        self.numbered().find(|(at, _)| *at == number).map(|(_, message)| message)
    }

    /// Checks the messages that a manager must keep.
    fn check_kept(&self, after: &Self) -> Result<(), ContractViolation> {
        if let Some((number, newest)) = self.numbered().find(|(_, message)| message.role == Role::User) {
            let kept = after.find(number);
            let same = kept.is_some_and(|kept| words(kept).eq(words(newest)));
            let expected = format!("the newest user message, number {number}: {}", shown(std::slice::from_ref(newest)));
            ensure(same, Promise::ConversationKeepsNewest, expected, || match kept {
                Some(kept) => format!("another message in its place: {}", shown(std::slice::from_ref(kept))),
                None => format!("a conversation without it: {}", shown(&after.messages)),
            })?;
        }
        for (number, pinned) in self.numbered().filter(|(_, message)| message.is_pinned()) {
            let same = after.find(number).is_some_and(|kept| kept.content == pinned.content);
            let expected = format!("the pinned message {number}: {}", shown(std::slice::from_ref(pinned)));
            ensure(same, Promise::ConversationKeepsPinned, expected, || shown(&after.messages))?;
        }
        check_pairs(Promise::ConversationValidInput, &after.messages)
    }
}

/// Returns the content of a message without tool results, which the manager may truncate.
fn words(message: &Message) -> impl Iterator<Item = &ContentBlock> {
    message.content.iter().filter(|block| !matches!(block, ContentBlock::ToolResult(_)))
}
