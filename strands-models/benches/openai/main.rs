//! Cost of an agent over HTTP, compared with a hand-written loop that does the same work in the same process. See
//! `../README.md` for how to read it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failing benchmark stops, and a benchmark prints its results"
)]

mod hand_written;
mod measure;
mod script;
mod server;
mod tools;

use std::future::Future;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::StreamExt;
use rustls::crypto::ring;
use serde_json::{Value, json};
use strands_core::conversation::NullConversationManager;
use strands_core::message::Message;
use strands_core::{Agent, AgentBuilder, AgentEvent, AgentResponse, Limits, Tool};
use strands_models::OpenAiModel;
use tokio::runtime::{Builder, Runtime};

use crate::hand_written::{Chat, Provider};
use crate::measure::{Table, interleaved, timed};
use crate::script::{Framing, Responses};
use crate::server::Server;

const DELTAS: u32 = 2_000;

fn main() {
    ring::default_provider().install_default().unwrap();
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let bench = Bench::new();
    bench.same_work();
    let table = Table::begin();
    let measure = |work: &str, rounds, items, turns, responses: Responses| {
        if work.contains(&filter) {
            table.row(work, items, &bench.measure(rounds, turns, responses));
        }
    };
    for cycles in [50, 200_u32] {
        let responses = script::tool_cycles(cycles as usize);
        measure(&format!("tool cycle, {cycles} in one prompt"), 4_000 / cycles as usize, cycles, 0, responses);
    }
    for (work, framing) in [("event by event", Framing::EventByEvent), ("gathered", Framing::Gathered)] {
        let responses = script::text_deltas(DELTAS as usize, framing);
        measure(&format!("streamed delta, {work}"), 100, DELTAS, 0, responses);
    }
    measure("turn 200, the first of this process", 300, 1, 199, script::turn());
    if "turn 200, after others".contains(&filter) {
        table.row("turn 200, after others", 1, &bench.measure_next(300, 198, script::turn()));
    }
}

/// Runs a future to completion on this thread, together with the tasks of its connections.
fn block_on<F: Future>(work: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
    RUNTIME.block_on(work)
}

/// The server, and both sides of the comparison.
struct Bench {
    server: Server,
    provider: Provider,
    agent: AgentBuilder,
}

impl Bench {
    fn new() -> Self {
        let server = Server::start();
        let model =
            OpenAiModel::builder().base_url(server.base_url.as_str()).api_key("test-key").model_id("gpt-4o").build();
        let agent = Agent::builder()
            .limits(Limits::unlimited())
            .model(model.unwrap())
            .system_prompt(script::SYSTEM_PROMPT)
            .tool(tools::Forecast);
        let spec = tools::Forecast.spec();
        let function = json!({"name": spec.name, "description": spec.description, "parameters": spec.input_schema});
        let provider = Provider::new(&server.base_url, vec![json!({"type": "function", "function": function})]);
        Self { server, provider, agent: agent.conversation_manager(NullConversationManager::new()) }
    }

    /// Creates an agent with this many previous turns.
    fn agent(&self, turns: usize) -> Agent {
        let turn = || [Message::user(script::PROMPT), Message::assistant(script::ANSWER)];
        let messages = (0..turns).flat_map(|_| turn()).map(Arc::new).collect::<Vec<_>>();
        block_on(self.agent.clone().messages(messages).build()).unwrap()
    }

    /// Asserts that both sides send the same bytes and return the same text; otherwise comparing them is meaningless.
    fn same_work(&self) {
        for (turns, responses) in [(0, script::tool_cycles(3)), (2, script::text_deltas(9, Framing::Gathered))] {
            let responses = Arc::new(responses);
            self.server.play(&responses);
            let mut chat = Chat::with_turns(&self.provider, turns);
            let said = block_on(chat.prompt(|_| {}));
            let by_hand = self.server.bodies();
            for by_agent in [false, true].map(|stream| {
                self.server.play(&responses);
                let mut agent = self.agent(turns);
                let response = if stream { streamed(&mut agent) } else { awaited(&mut agent) };
                assert_eq!(response.text(), said);
                let usage = response.usage;
                assert_eq!((usage.input_tokens, usage.output_tokens), chat.usage);
                self.server.bodies()
            }) {
                let read = |bodies: &[Vec<u8>]| -> Vec<Value> {
                    bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
                };
                assert_eq!(read(&by_agent), read(&by_hand));
                assert_eq!(by_agent, by_hand);
            }
        }
    }

    /// Measures the prompt after that one, on sides that have sent a prompt before.
    fn measure_next(&self, rounds: usize, turns: usize, responses: Responses) -> [measure::Times; 3] {
        let responses = Arc::new(responses);
        let by_agent = |run: fn(&mut Agent) -> AgentResponse| {
            self.server.play(&responses);
            let mut agent = self.agent(turns);
            run(&mut agent);
            self.server.play(&responses);
            timed(|| run(&mut agent))
        };
        let by_hand = || -> Duration {
            self.server.play(&responses);
            let mut chat = Chat::with_turns(&self.provider, turns);
            block_on(chat.prompt(|piece| _ = std::hint::black_box(piece)));
            self.server.play(&responses);
            timed(|| block_on(chat.prompt(|piece| _ = std::hint::black_box(piece))))
        };
        interleaved(rounds, [&mut { by_hand }, &mut || by_agent(awaited), &mut || by_agent(streamed)])
    }

    /// Measures one prompt after this many turns: the hand-written loop, an awaited agent, and a streamed agent.
    fn measure(&self, rounds: usize, turns: usize, responses: Responses) -> [measure::Times; 3] {
        let responses = Arc::new(responses);
        let by_agent = |run: fn(&mut Agent) -> AgentResponse| {
            self.server.play(&responses);
            let mut agent = self.agent(turns);
            timed(|| run(&mut agent))
        };
        let by_hand = || -> Duration {
            self.server.play(&responses);
            let mut chat = Chat::with_turns(&self.provider, turns);
            timed(|| block_on(chat.prompt(|piece| _ = std::hint::black_box(piece))))
        };
        interleaved(rounds, [&mut { by_hand }, &mut || by_agent(awaited), &mut || by_agent(streamed)])
    }
}

fn awaited(agent: &mut Agent) -> AgentResponse {
    block_on(async { agent.prompt(script::PROMPT).await }).unwrap()
}

/// Reads every event; each is dropped before the next is created.
fn streamed(agent: &mut Agent) -> AgentResponse {
    block_on(async {
        let mut events = agent.prompt(script::PROMPT).stream();
        let mut response = None;
        while let Some(event) = events.next().await {
            if let AgentEvent::Result { response: last } = std::hint::black_box(event.unwrap()) {
                response = Some(*last);
            }
        }
        response.unwrap()
    })
}
