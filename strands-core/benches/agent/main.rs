//! Costs of the agent loop, compared with a hand-written loop that does the same work in the same process. See
//! `../README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that goes wrong is to stop"
)]

mod construction;
mod cycle;
mod delta;
mod hand_written;
mod history;
mod models;
mod script;
mod tools;
mod wire;

use std::future::Future;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use futures_util::StreamExt;
use strands_core::conversation::NullConversationManager;
use strands_core::models::{Model, ModelRequest};
use strands_core::{Agent, AgentBuilder, AgentEvent, AgentResponse, Limits};
use tokio::runtime::{Builder, Runtime};

use crate::hand_written::{Chat, Transport};

fn main() {
    same_work();
    divan::main();
}

/// Asserts that both sides send the same bytes after the same conversation, so that they are comparable.
fn same_work() {
    let mut chat = Chat::new();
    let said = block_on(chat.prompt(&hand_written::Wire::new(script::tool_cycles(3)), |_| {}));
    let mut agent = build(agent(models::WireModel::new(script::tool_cycles(3))));
    assert_eq!(awaited(&mut agent).text(), said);
    let request = ModelRequest::new(agent.messages()).with_tools(agent.tools().specs());
    let sent = models::body_of(request.with_system(&[script::SYSTEM_PROMPT.into()])).unwrap();
    assert_eq!(String::from_utf8(sent).unwrap(), String::from_utf8(chat.body()).unwrap());
}

/// Runs a future to completion on this thread.
fn block_on<F: Future>(work: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());
    RUNTIME.block_on(work)
}

/// An agent with the benchmarks' tool, and without truncation of the history.
fn agent(model: impl Model + 'static) -> AgentBuilder {
    let builder = Agent::builder()
        .limits(Limits::unlimited())
        .model(model)
        .system_prompt(script::SYSTEM_PROMPT)
        .tool(tools::Forecast);
    builder.conversation_manager(NullConversationManager::new())
}

fn build(builder: AgentBuilder) -> Agent {
    block_on(builder.build()).unwrap()
}

fn awaited(agent: &mut Agent) -> AgentResponse {
    block_on(async { agent.prompt(script::PROMPT).await }).unwrap()
}

/// Receives every event, and drops each before the next one.
fn streamed(agent: &mut Agent) -> AgentEvent {
    block_on(async {
        let mut events = agent.prompt(script::PROMPT).stream();
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(divan::black_box(event.unwrap()));
        }
        last.unwrap()
    })
}

/// Measures the hand-written loop with one prompt, per item.
fn by_hand(bencher: Bencher<'_, '_>, items: usize, model: &impl Transport) {
    let bencher = bencher.counter(ItemsCount::new(items)).with_inputs(Chat::new);
    bencher.bench_local_refs(|chat| block_on(chat.prompt(model, |piece| _ = divan::black_box(piece))));
}

/// Measures the agent with one prompt, per item.
fn by_agent<R>(bencher: Bencher<'_, '_>, items: usize, model: impl Model + 'static, run: fn(&mut Agent) -> R) {
    let template = agent(model);
    let bencher = bencher.counter(ItemsCount::new(items)).with_inputs(|| build(template.clone()));
    bencher.bench_local_refs(run);
}
