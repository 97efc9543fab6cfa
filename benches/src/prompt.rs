//! One prompt of a conversation, with an agent and with a hand-written loop.

use std::future::Future;
use std::sync::Arc;

use strands::message::Message;
use strands::{Agent, AgentBuilder};

use crate::script::{ANSWER, PROMPT};
use crate::streams;
use crate::work::{Outcome, Side, Work, awaited, block_on, streamed};

/// A provider with a hand-written loop.
pub(crate) trait HandWritten {
    /// A conversation.
    type Chat: Send + 'static;

    /// Begins a conversation with this many previous turns, on the connection of the one before it.
    fn begin(&self, turns: usize, before: Option<Self::Chat>) -> Self::Chat;

    /// Sends the prompt and runs tools until the model ends its turn.
    fn prompt(chat: &mut Self::Chat) -> impl Future<Output = Outcome> + Send;
}

/// One prompt of a conversation.
pub(crate) struct Prompt<H: HandWritten> {
    provider: H,
    template: AgentBuilder,
    history: Vec<Arc<Message>>,
    next: bool,
    prepared: Option<Conversation<H::Chat>>,
    /// The last hand-written conversation, while an agent's is prepared.
    before: Option<H::Chat>,
}

enum Conversation<C> {
    HandWritten(C),
    Agent(Box<Agent>, Side),
}

impl<H: HandWritten + 'static> Prompt<H> {
    /// The first prompt of a new conversation.
    pub(crate) fn new(provider: H, template: AgentBuilder) -> Self {
        Self { provider, template, history: Vec::new(), next: false, prepared: None, before: None }
    }

    /// The first prompt of a process after this many turns that were loaded from elsewhere, such as a session.
    pub(crate) fn after(mut self, turns: usize) -> Self {
        let turn = || [Message::user(PROMPT), Message::assistant(ANSWER)];
        self.history = (0..turns).flat_map(|_| turn()).map(Arc::new).collect();
        self
    }

    /// The prompt after that one.
    pub(crate) fn next(mut self) -> Self {
        self.next = true;
        self
    }

    pub(crate) fn boxed(self) -> Box<dyn Work> {
        Box::new(self)
    }
}

impl<H: HandWritten> Work for Prompt<H> {
    fn prepare(&mut self, side: Side) {
        if let Some(Conversation::HandWritten(chat)) = self.prepared.take() {
            self.before = Some(chat);
        }
        self.prepared = Some(match side {
            Side::HandWritten => {
                Conversation::HandWritten(self.provider.begin(self.history.len() / 2, self.before.take()))
            }
            Side::Awaited | Side::Streamed => {
                let template = self.template.clone().messages(self.history.iter().cloned());
                Conversation::Agent(Box::new(block_on(template.build()).unwrap()), side)
            }
        });
        if self.next {
            self.run();
        }
    }

    fn run(&mut self) -> Outcome {
        match self.prepared.as_mut().unwrap() {
            Conversation::HandWritten(chat) => block_on(H::prompt(chat)),
            Conversation::Agent(agent, Side::Streamed) => block_on(streamed(agent, PROMPT)).into(),
            Conversation::Agent(agent, _) => block_on(awaited(agent, PROMPT)).into(),
        }
    }
}

/// Prompts that many conversations at the same time.
pub(crate) async fn prompt_many<H: HandWritten>(
    provider: impl FnOnce() -> H,
    template: impl AsyncFnOnce() -> AgentBuilder,
    side: Side,
    count: usize,
) {
    if side == Side::HandWritten {
        let provider = provider();
        let prompt = |mut chat: H::Chat| async move { H::prompt(&mut chat).await };
        streams::join((0..count).map(|_| prompt(provider.begin(0, None)))).await;
    } else {
        let template = template().await;
        streams::join((0..count).map(|_| streams::prompt_clone(template.clone(), side))).await;
    }
}
