//! Conversations in files: an agent with a file session beside a loop that writes one file for each message.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use reqwest::Client;
use strands::conversation::SlidingWindowConversationManager;
use strands::session::FileSessionManager;
use strands::{Agent, AgentBuilder};
use tempfile::TempDir;

use super::hand_written::{Chat, Provider};
use crate::measure::timed;
use crate::script::PROMPT;
use crate::serve::Servers;
use crate::work::{Clock, Outcome, Side, Work, awaited, block_on, streamed};

/// The window of the default conversation manager.
const WINDOW: usize = 40;
/// Number of measured turns at each size.
const TURNS: usize = 15;

/// The messages of a conversation that are sent to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    All,
    Window,
}

impl Kept {
    pub(crate) const ALL: [Self; 2] = [Self::All, Self::Window];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all messages",
            Self::Window => "a window",
        }
    }
}

/// Three conversations, one for each side. Each run is the next turn of one of them.
pub(crate) struct Stored {
    kept: Kept,
    turns: usize,
    provider: Provider,
    template: AgentBuilder,
    /// In the order of [`Side::ALL`].
    conversations: [Option<(Conversation, TempDir)>; 3],
    prepared: Side,
}

enum Conversation {
    HandWritten(StoredChat),
    Agent(Box<Agent>),
}

impl Stored {
    /// Conversations that start with this many turns.
    pub(crate) fn after(servers: &Servers, kept: Kept, turns: usize) -> Self {
        let address = servers.address("openai-turn");
        let template = super::template(&address, 0);
        let template = match kept {
            Kept::All => template,
            Kept::Window => template.conversation_manager(SlidingWindowConversationManager::new(WINDOW)),
        };
        let provider = super::provider(&address, Some(Client::new()), 0);
        Self { kept, turns, provider, template, conversations: [None, None, None], prepared: Side::HandWritten }
    }

    pub(crate) fn boxed(self) -> Box<dyn Work> {
        Box::new(self)
    }

    fn conversation(&self, side: Side) -> (Conversation, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        if side == Side::HandWritten {
            let chat = Chat::new(&self.provider, self.provider.transport());
            return (Conversation::HandWritten(StoredChat { chat, kept: self.kept, next: 0 }), folder);
        }
        let sessions = block_on(FileSessionManager::builder("compared").dir(folder.path()).build()).unwrap();
        let agent = block_on(self.template.clone().session_manager(sessions).build()).unwrap();
        (Conversation::Agent(Box::new(agent)), folder)
    }
}

impl Work for Stored {
    fn prepare(&mut self, side: Side) {
        self.prepared = side;
        if self.conversations[side as usize].is_none() {
            self.conversations[side as usize] = Some(self.conversation(side));
            for _ in 0..self.turns {
                self.run();
            }
        }
    }

    fn run(&mut self) -> Outcome {
        let (conversation, folder) = self.conversations[self.prepared as usize].as_mut().unwrap();
        match conversation {
            Conversation::HandWritten(stored) => block_on(stored.prompt(folder)),
            Conversation::Agent(agent) if self.prepared == Side::Streamed => block_on(streamed(agent, PROMPT)).into(),
            Conversation::Agent(agent) => block_on(awaited(agent, PROMPT)).into(),
        }
    }
}

/// A hand-written conversation that writes each message to a file of its own: the file and the folder are on the disk at the
/// end of a turn.
struct StoredChat {
    chat: Chat,
    kept: Kept,
    /// Number of the next file.
    next: usize,
}

impl StoredChat {
    async fn prompt(&mut self, folder: &TempDir) -> Outcome {
        let (before, usage) = (self.chat.messages.len(), self.chat.usage);
        let text = self.chat.prompt(|piece| _ = std::hint::black_box(piece)).await;
        for message in &self.chat.messages[before..] {
            let mut file = File::create_new(folder.path().join(format!("message_{}.json", self.next))).unwrap();
            file.write_all(&serde_json::to_vec_pretty(message).unwrap()).unwrap();
            file.sync_all().unwrap();
            self.next += 1;
        }
        File::open(folder.path()).unwrap().sync_all().unwrap();
        if self.kept == Kept::Window {
            // The first message is the system prompt.
            let surplus = (self.chat.messages.len() - 1).saturating_sub(WINDOW);
            self.chat.messages.drain(1..=surplus);
        }
        Outcome { text, usage: (self.chat.usage.0 - usage.0, self.chat.usage.1 - usage.1) }
    }
}

/// A conversation that grows while its turns are measured.
pub(crate) struct Growing {
    stored: Stored,
    turns: usize,
}

impl Growing {
    pub(crate) fn new(servers: &Servers, kept: Kept, side: Side) -> Self {
        let mut stored = Stored::after(servers, kept, 0);
        stored.prepare(side);
        Self { stored, turns: 0 }
    }

    /// Returns the median time of a turn after this many.
    pub(crate) fn turn_after(&mut self, turns: usize) -> Duration {
        while self.turns < turns {
            self.stored.run();
            self.turns += 1;
        }
        let mut times: Vec<Duration> = (0..TURNS).map(|_| timed(Clock::Wall, &mut self.stored)).collect();
        self.turns += TURNS;
        times.sort();
        times[TURNS / 2]
    }
}
