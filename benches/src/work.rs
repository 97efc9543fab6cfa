//! Sides and rows of the comparison.

use std::future::Future;
use std::sync::LazyLock;

use futures_util::StreamExt as _;
use strands::{Agent, AgentEvent, AgentResponse};
use tokio::runtime::{Builder, Runtime};

use crate::serve::Servers;

/// An implementation of the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// A loop written for one provider and one tool.
    HandWritten,
    /// `agent.prompt(..).await`
    Awaited,
    /// `agent.prompt(..).stream()`, with every event read.
    Streamed,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::HandWritten, Self::Awaited, Self::Streamed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HandWritten => "hand-written",
            Self::Awaited => "awaited",
            Self::Streamed => "streamed",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.name() == name)
    }
}

/// Result of one run, equal on all sides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) text: String,
    /// Input and output tokens of the prompt.
    pub(crate) usage: (u64, u64),
}

impl From<AgentResponse> for Outcome {
    fn from(response: AgentResponse) -> Self {
        Self { text: response.text(), usage: (response.usage.input_tokens, response.usage.output_tokens) }
    }
}

/// The work of a row.
pub(crate) trait Work {
    /// Prepares the next run of a side. Not measured.
    fn prepare(&mut self, side: Side);

    /// Does the work that was prepared.
    fn run(&mut self) -> Outcome;
}

/// The time that a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Processor time of the thread that does the work: waiting does not count, system calls do.
    Thread,
    /// Elapsed time, for work that waits for a disk.
    Wall,
}

impl Clock {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Wall => "wall",
        }
    }
}

/// One row of the table.
pub(crate) struct Row {
    /// Name in the table, in `accepted.toml` and on the command line.
    pub(crate) name: &'static str,
    pub(crate) clock: Clock,
    /// Number of items in one run: times are those of one item.
    pub(crate) items: u32,
    /// Number of measured runs.
    pub(crate) rounds: usize,
    pub(crate) work: fn(&Servers) -> Box<dyn Work>,
}

impl Row {
    /// A row that measures processor time.
    pub(crate) fn new(name: &'static str, items: u32, rounds: usize, work: fn(&Servers) -> Box<dyn Work>) -> Self {
        Self { name, clock: Clock::Thread, items, rounds, work }
    }

    /// A row of work that waits for a disk.
    pub(crate) fn waiting(name: &'static str, rounds: usize, work: fn(&Servers) -> Box<dyn Work>) -> Self {
        Self { name, clock: Clock::Wall, items: 1, rounds, work }
    }
}

/// Runs a future to completion on this thread, together with the tasks of its connections.
pub(crate) fn block_on<F: Future>(work: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
    RUNTIME.block_on(work)
}

/// Prompts an agent and awaits the response.
pub(crate) async fn awaited(agent: &mut Agent, prompt: &str) -> AgentResponse {
    agent.prompt(prompt).await.unwrap()
}

/// Prompts an agent and reads every event; each is dropped before the next is created.
pub(crate) async fn streamed(agent: &mut Agent, prompt: &str) -> AgentResponse {
    let mut events = agent.prompt(prompt).stream();
    let mut response = None;
    while let Some(event) = events.next().await {
        if let AgentEvent::Result { response: last } = std::hint::black_box(event.unwrap()) {
            response = Some(*last);
        }
    }
    response.unwrap()
}
