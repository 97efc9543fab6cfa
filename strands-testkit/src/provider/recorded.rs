//! Recorded responses over loopback, in random chunks, compared with their expected content, and recorded conversations
//! repeated by an agent.
//!
//! `STRANDS_SHARED` names the folder with the recordings; without it nothing is checked here, and a provider's own tests
//! cover the same ground with generated responses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the calling test")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolResultStatus};
use strands_core::models::{Model, ModelRequest, StreamEvent};
use strands_core::{Agent, Limits, Tool, ToolContext, ToolError, ToolOutput, ToolSpec};

use super::{Provider, ask, calls_in, events, kind, order_of, reasoning_text, reported_usage, text, together};
use crate::expectation::{Arguments, Call, ErrorBody, Expectation};
use crate::fault::Splits;
use crate::recording::{Exchange, Recording, recordings};
use crate::response::Response;
use crate::server::Server;

/// A provider with recordings.
#[async_trait]
pub trait Recorded: Provider {
    /// Returns the folders below `recordings`, with the minimum number of responses of this provider, and of
    /// conversations that an agent can repeat.
    fn folders(&self) -> Vec<Folder>;

    /// True if the exchange is with this provider, for folders that hold others too.
    fn speaks(&self, _exchange: &Exchange) -> bool {
        true
    }

    /// Returns a model that sends the recorded kind of request: same path, same model, streaming or not.
    async fn asking(&self, folder: &str, exchange: &Exchange, server: &str) -> Arc<dyn Model>;

    /// Returns the expected content of the recorded response.
    fn expectation(&self, exchange: &Exchange) -> Expectation;

    /// Reads the calls, their results and the content kept for the provider from a request's body.
    fn sent(&self, body: &Value) -> Sent;

    /// Returns the part of [`kept`](Expectation::kept) that the next request carries, as [`sent`](Self::sent) reads it.
    /// The default: all.
    fn wanted_back(&self, _folder: &str, _exchange: &Exchange, expected: &Expectation) -> Vec<Value> {
        expected.kept.clone()
    }

    /// Returns the expected [`kind`] of a recorded error response. The default goes by its status.
    fn kind_of(&self, error: &ErrorBody) -> &'static str {
        match error.status {
            429 => "throttled",
            401 | 403 => "authentication",
            500.. => "overloaded",
            _ => "invalid request",
        }
    }
}

/// A folder of recordings.
#[derive(Clone, Copy, Debug)]
pub struct Folder {
    /// Its name below `recordings`.
    pub name: &'static str,
    /// Minimum number of responses.
    pub answers: usize,
    /// Minimum number of agent runs with tools.
    pub runs: usize,
    /// Minimum number of conversations without tools.
    pub chats: usize,
}

/// Content of a request's body, in order, over the whole history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    /// The tool calls of the model.
    pub calls: Vec<SentCall>,
    /// The tool results.
    pub results: Vec<SentResult>,
    /// Content kept for the provider, in the form of [`Expectation::kept`].
    pub kept: Vec<Value>,
}

/// A call in a request's body.
#[derive(Clone, Debug, PartialEq)]
pub struct SentCall {
    /// Call id, if the provider has ids.
    pub id: Option<String>,
    /// The tool.
    pub name: String,
    /// The arguments as JSON.
    pub input: Value,
}

/// A tool's result in a request's body.
#[derive(Clone, Debug, PartialEq)]
pub struct SentResult {
    /// Call id, if the provider has ids.
    pub id: Option<String>,
    /// Text of the result, without the wrapping of the protocol. JSON may be formatted either way.
    pub text: String,
}

/// Replays every recorded response, each with its own random splits.
pub async fn reads_recorded_responses(provider: &dyn Recorded) {
    for folder in provider.folders() {
        let Some(recordings) = recordings(folder.name) else {
            return;
        };
        let mut answers = 0;
        for (seed, recording) in recordings.iter().enumerate() {
            let splits = Splits::Random { seed: seed as u64, max: 97 };
            let exchanges: Vec<_> =
                recording.exchanges.iter().enumerate().filter(|(_, exchange)| provider.speaks(exchange)).collect();
            let pieces = exchanges.iter().map(|(_, exchange)| Response::from(*exchange).splits(splits.clone()));
            let server = Server::sequence(pieces).await;
            for (at, exchange) in exchanges {
                let name = format!("{}, exchange {at}", recording.name);
                let model = provider.asking(folder.name, exchange, &server.url()).await;
                let (events, error) = events(&*model, ModelRequest::new(&ask("hello"))).await;
                assert_eq!(server.requests().last().unwrap().path, exchange.request.path, "{name}");
                let expected = provider.expectation(exchange);
                match (error, &expected.error) {
                    (None, None) => {
                        check(&name, &events, &expected);
                        follow_up(provider, folder.name, &name, exchange, &events, &expected).await;
                    }
                    (Some(error), Some(refusal)) => {
                        assert_eq!(error.details().status(), Some(refusal.status), "{name}");
                        assert_eq!(error.details().code(), refusal.code.as_deref(), "{name}");
                        assert!(error.details().body().unwrap_or_default().contains(&refusal.message), "{name}");
                        assert_eq!(kind(&error), provider.kind_of(refusal), "{name}: {error:?}");
                    }
                    (error, expected) => panic!("{name}: {error:?} instead of {expected:?}"),
                }
                answers += 1;
            }
        }
        assert!(answers >= folder.answers, "{}: only {answers} responses in {}", provider.name(), folder.name);
    }
}

/// Compares the events of a response with the expected content.
fn check(name: &str, events: &[StreamEvent], expected: &Expectation) {
    assert_eq!(text(events), expected.text, "{name}");
    assert_eq!(reasoning_text(events), expected.reasoning, "{name}");
    let calls = calls_in(events);
    assert_eq!(calls.len(), expected.calls.len(), "{name}: {calls:?} instead of {:?}", expected.calls);
    for ((tool, id, arguments), call) in calls.iter().zip(&expected.calls) {
        assert_eq!(tool, &call.name, "{name}");
        if let Some(expected) = &call.id {
            assert_eq!(id, expected, "{name}");
        }
        match &call.arguments {
            Arguments::Text(text) => assert_eq!(arguments, text, "{name}"),
            Arguments::Json(json) => {
                let ours: Value = serde_json::from_str(arguments).unwrap_or_default();
                assert_eq!(&ours, json, "{name}: {arguments}");
            }
        }
    }
    let turn = together(events).unwrap();
    assert_eq!(Some(turn.stop_reason.as_str()), expected.stop_reason, "{name}");
    if turn.stop_reason.as_str() == "tool_use" {
        let inputs: Vec<_> = turn.message.tool_uses().map(|call| call.input.clone()).collect();
        assert_eq!(inputs, expected.calls.iter().map(Call::input).collect::<Vec<_>>(), "{name}");
    }
    // Calls that were cut off become a note.
    let cut = turn.message.tool_uses().count() != expected.calls.len();
    if let Some(order) = expected.order.as_ref().filter(|_| !cut) {
        assert_eq!(&order_of(&turn.message), order, "{name}");
    }
    let expected = expected.usage.clone().unwrap_or_default();
    assert_eq!(reported_usage(events), expected.raw, "{name}");
    let usage = turn.usage;
    let cache = [usage.cache_read_input_tokens, usage.cache_write_input_tokens].map(Option::unwrap_or_default);
    let ours = (usage.input_tokens, usage.output_tokens, usage.total_tokens, cache);
    let theirs = (expected.input, expected.output, expected.total, [expected.cache_read, expected.cache_write]);
    assert_eq!(ours, theirs, "{name}: input, output, total, [read, written]");
}

/// Checks that the next request carries the calls as the provider made them, their results in order, and the content it
/// wants sent back.
async fn follow_up(
    provider: &dyn Recorded,
    folder: &str,
    name: &str,
    exchange: &Exchange,
    events: &[StreamEvent],
    expected: &Expectation,
) {
    let turn = together(events).unwrap();
    if turn.stop_reason.as_str() != "tool_use" {
        return;
    }
    let results: Vec<ContentBlock> = turn
        .message
        .tool_uses()
        .map(|call| ToolResult::new(&call.tool_use_id, ToolResultStatus::Success, ["done"]).into())
        .collect();
    let history = [Message::user("hello"), turn.message, Message::new(Role::User, results)].map(Arc::new);
    let server = Server::repeat(Response::new(500)).await;
    let model = provider.asking(folder, exchange, &server.url()).await;
    assert!(model.stream(ModelRequest::new(&history)).await.is_err());
    let sent = provider.sent(&server.requests()[0].json());
    let calls: Vec<_> = sent.calls.iter().map(|call| (call.name.clone(), call.input.clone())).collect();
    // Arguments that were cut off are not JSON, and no server accepts them.
    let input = |call: &Call| if call.input().is_object() { call.input() } else { json!({}) };
    let expected_calls: Vec<_> = expected.calls.iter().map(|call| (call.name.clone(), input(call))).collect();
    assert_eq!(calls, expected_calls, "{name}");
    assert!(sent.results.iter().all(|result| result.text == "done"), "{name}: {sent:?}");
    assert_eq!(sent.results.len(), sent.calls.len(), "{name}");
    for ((call, result), expected) in sent.calls.iter().zip(&sent.results).zip(&expected.calls) {
        assert_eq!(call.id, result.id, "{name}");
        if expected.id.is_some() {
            assert_eq!(call.id, expected.id, "{name}");
        }
    }
    assert_eq!(sent.kept, provider.wanted_back(folder, exchange, expected), "{name}");
}

/// Repeats every recorded conversation with tool results: an agent gets the same responses and results, and its requests
/// are compared with the recorded ones.
pub async fn repeats_recorded_conversations(provider: &dyn Recorded) {
    for folder in provider.folders() {
        let Some(recordings) = recordings(folder.name) else {
            return;
        };
        let mut runs = 0;
        for recording in &recordings {
            for run in tool_runs(provider, recording) {
                run_again(provider, folder.name, &recording.name, &run).await;
                runs += 1;
            }
        }
        assert!(runs >= folder.runs, "{}: only {runs} runs in {}", provider.name(), folder.name);
    }
}

/// Exchanges that follow each other because a tool was called.
struct Run<'a> {
    exchanges: Vec<&'a Exchange>,
    expected: Vec<Expectation>,
    /// The tool results, in the order of the calls.
    results: VecDeque<String>,
}

fn tool_runs<'a>(provider: &dyn Recorded, recording: &'a Recording) -> Vec<Run<'a>> {
    let mut runs = Vec::new();
    let mut run: Option<Run<'a>> = None;
    let answered = |exchange: &Exchange| provider.speaks(exchange) && exchange.response.status < 400;
    for exchange in recording.exchanges.iter().filter(|exchange| answered(exchange)) {
        let expected = provider.expectation(exchange);
        if let Some(current) = &mut run
            && let Some(results) = results_of(provider, current, exchange)
        {
            current.results.extend(results);
            current.exchanges.push(exchange);
            current.expected.push(expected);
            continue;
        }
        let next = Run { exchanges: vec![exchange], expected: vec![expected], results: VecDeque::new() };
        runs.extend(run.replace(next));
    }
    runs.extend(run);
    runs.retain(|run| run.exchanges.len() > 1);
    runs
}

/// Returns the results for the calls of the run's last response, if this exchange sends them to the model.
fn results_of(provider: &dyn Recorded, run: &Run<'_>, next: &Exchange) -> Option<Vec<String>> {
    let (last, expected) = (run.exchanges.last()?, run.expected.last()?);
    let same = last.request.path == next.request.path
        && last.request.body["stream"] == next.request.body["stream"]
        && last.request.body["model"] == next.request.body["model"];
    if !same || expected.stop_reason != Some("tool_use") || !expected.calls.iter().all(|call| call.input().is_object())
    {
        return None;
    }
    let sent = provider.sent(&next.request.body);
    let calls = last_of(&sent.calls, expected.calls.len())?;
    let results = last_of(&sent.results, expected.calls.len())?;
    let made =
        calls.iter().zip(&expected.calls).all(|(sent, made)| sent.name == made.name && sent.input == made.input());
    // Some clients send the results in the order in which they arrived, and some leave out the ids.
    let named = have_ids(results);
    let answer = |at: usize, call: &Call| match &call.id {
        Some(id) if named => results.iter().find(|result| result.id.as_ref() == Some(id)),
        _ => results.get(at),
    };
    let texts = expected.calls.iter().enumerate().map(|(at, call)| Some(answer(at, call)?.text.clone()));
    made.then(|| texts.collect())?
}

fn last_of<T>(list: &[T], count: usize) -> Option<&[T]> {
    list.get(list.len().checked_sub(count)?..)
}

/// A tool that returns its recorded results.
struct Replayed {
    spec: ToolSpec,
    results: Arc<Mutex<VecDeque<String>>>,
}

#[async_trait]
impl Tool for Replayed {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        let result = self.results.lock().unwrap().pop_front();
        Ok(ToolOutput::text(result.unwrap()))
    }
}

async fn run_again(provider: &dyn Recorded, folder: &str, name: &str, run: &Run<'_>) {
    let server = Server::sequence(run.exchanges.iter().map(|exchange| Response::from(*exchange))).await;
    let results = Arc::new(Mutex::new(run.results.clone()));
    let mut names: Vec<&str> =
        run.expected.iter().flat_map(|expected| &expected.calls).map(|call| call.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let tools = names.into_iter().map(|tool| Replayed {
        spec: ToolSpec::new(tool, "As recorded.", json!({"type": "object"})),
        results: Arc::clone(&results),
    });
    let model = provider.asking(folder, run.exchanges[0], &server.url()).await;
    let limits = Limits::new().turns(u32::try_from(run.exchanges.len()).unwrap());
    let builder = Agent::builder().model(model).tools(tools.collect::<Vec<_>>()).tool_concurrency(1).limits(limits);
    let response = builder.build().await.unwrap().prompt("hello").await;
    let response = response.unwrap_or_else(|error| panic!("{name}: {error:?}"));

    let requests = server.requests();
    assert_eq!(requests.len(), run.exchanges.len(), "{name}");
    let mut kept = Vec::new();
    for (at, exchange) in run.exchanges.iter().enumerate().skip(1) {
        let name = format!("{name}, request {at} of a run");
        let (ours, theirs) = (provider.sent(&requests[at].json()), provider.sent(&exchange.request.body));
        let recorded = last_of(&theirs.calls, ours.calls.len()).unwrap_or_default();
        assert_eq!(without_ids(&ours.calls), without_ids(recorded), "{name}");
        let recorded = last_of(&theirs.results, ours.results.len()).unwrap_or_default();
        let named = have_ids(recorded);
        let comparable = |result: &SentResult| (result.id.clone().filter(|_| named), as_json(&result.text));
        let mut told: Vec<_> = ours.results.iter().map(comparable).collect();
        let mut recorded: Vec<_> = recorded.iter().map(comparable).collect();
        if named {
            told.sort();
            recorded.sort();
        }
        assert_eq!(told, recorded, "{name}");
        kept.extend(provider.wanted_back(folder, run.exchanges[at - 1], &run.expected[at - 1]));
        assert_eq!(ours.kept, kept, "{name}");
    }
    let last = run.expected.last().unwrap();
    if last.calls.is_empty() {
        assert_eq!(response.text(), last.text, "{name}");
        assert_eq!(Some(response.stop_reason.as_str()), last.stop_reason, "{name}");
    }
    let total: u64 = run.expected.iter().flat_map(|expected| &expected.usage).map(|usage| usage.total).sum();
    assert_eq!(response.usage.total_tokens, total, "{name}");
}

fn without_ids(calls: &[SentCall]) -> Vec<(String, Value)> {
    calls.iter().map(|call| (call.name.clone(), call.input.clone())).collect()
}

fn have_ids(results: &[SentResult]) -> bool {
    results.iter().all(|result| result.id.is_some())
}

/// Normalizes JSON, so that formatting does not matter.
fn as_json(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |json| json.to_string())
}
