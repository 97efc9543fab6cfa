//! Agents with a failing server: no fault loses or repeats an entry of the history, and the next prompt works.

use std::time::{Duration, Instant};

use crate::loopback::builder;
use futures_util::StreamExt;
use serde_json::{Value, json};

use strands_core::message::Role;
use strands_core::models::{ModelError, StopReason};
use strands_core::{Agent, AgentError, AgentEvent, CancellationToken, RetryPolicy};
use strands_testkit::converse::ConverseStream;
use strands_testkit::eventstream::{Damage, Frame, frame_ends};
use strands_testkit::provider::agents::GetWeather;
use strands_testkit::{Cut, Response, Server};

async fn agent(server: &Server) -> Agent {
    let model = builder(&server.url())
        .max_response_bytes(1024 * 1024)
        .idle_timeout(Duration::from_secs(30))
        .build()
        .await
        .unwrap();
    let retry = RetryPolicy::new().max_attempts(3).initial_delay(Duration::from_millis(1));
    Agent::builder().model(model).tool(GetWeather::new()).retry(retry).build().await.unwrap()
}

fn fine() -> Response {
    ConverseStream::text_turn("fine").response()
}

fn calls_tool() -> ConverseStream {
    ConverseStream::new()
        .text(["Let me look."])
        .tool_use("get_weather", "t-1", [r#"{"city": "#, r#""Oslo"}"#])
        .stop("tool_use")
        .usage(10, 5)
}

/// Asserts that roles alternate, that each tool call has one result in the same order, and that no message is repeated.
fn assert_valid(conversation: &Value, name: &str) {
    let turns = conversation.as_array().unwrap();
    for (at, turn) in turns.iter().enumerate() {
        let expected = if at % 2 == 0 { "user" } else { "assistant" };
        assert_eq!(turn["role"], expected, "{name}: {conversation}");
        let ids = |turn: &Value, kind: &str| -> Vec<Value> {
            let blocks = turn["content"].as_array().unwrap().iter();
            blocks.filter_map(|block| block.get(kind)).map(|block| block["toolUseId"].clone()).collect()
        };
        if turn["role"] == "assistant" {
            let results = turns.get(at + 1).map_or(Vec::new(), |next| ids(next, "toolResult"));
            assert_eq!(ids(turn, "toolUse"), results, "{name}: {conversation}");
        }
    }
    let prompts: Vec<_> = turns.iter().filter(|turn| turn["role"] == "user").collect();
    for (at, prompt) in prompts.iter().enumerate() {
        assert!(!prompts[at + 1..].contains(prompt), "{name}: twice in {conversation}");
    }
}

fn assert_all_valid(server: &Server, agent: &Agent, name: &str) {
    for request in server.requests() {
        assert_valid(&request.json()["messages"], name);
    }
    assert_valid(&serde_json::to_value(agent.messages()).unwrap(), name);
}

#[tokio::test]
async fn runs_a_turn_with_a_tool() {
    let server = Server::sequence([calls_tool().response(), fine()]).await;
    let mut agent = agent(&server).await;
    let response = agent.prompt("Weather in Oslo?").await.unwrap();
    assert_eq!(response.text(), "fine");
    assert_eq!(response.stop_reason, StopReason::EndTurn);
    let roles: Vec<_> = agent.messages().iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::Assistant]);
    let usage = response.metrics.accumulated_usage();
    assert_eq!((usage.input_tokens, usage.output_tokens), (20, 10));
    let sent = server.requests()[1].json();
    assert_eq!(
        sent["messages"][2]["content"][0]["toolResult"],
        json!({"toolUseId": "t-1", "status": "success", "content": [{"text": "\"Oslo\" is sunny"}]})
    );
    assert_all_valid(&server, &agent, "tool turn");
}

/// Faults after which the same request is sent again.
fn transient_faults() -> Vec<(&'static str, Response)> {
    let half = || ConverseStream::new().text(["half a ", "response"]);
    let stream = calls_tool().encode();
    let status = |status| Response::json(status, &json!({"message": "later"}));
    vec![
        ("429", status(429)),
        ("429 with Retry-After", status(429).header("retry-after", "0")),
        ("503", status(503).header("retry-after", "0")),
        ("500", status(500)),
        ("throttled in the stream", half().exception("throttlingException", "slow down").response()),
        ("failed in the stream", half().exception("modelStreamErrorException", "oops").response()),
        ("reset", Response::eventstream(stream.clone()).cut_at(300, Cut::Reset)),
        ("closed", Response::eventstream(stream.clone()).cut_at(stream.len() - 1, Cut::Close)),
        ("ended", half().response()),
    ]
}

#[tokio::test]
async fn retries_transient_faults_without_changing_the_history() {
    for (name, fault) in transient_faults() {
        let server = Server::sequence([fault.clone(), calls_tool().response(), fault, fine()]).await;
        let mut agent = agent(&server).await;
        let response = agent.prompt("Weather?").await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(response.text(), "fine", "{name}");
        assert_eq!(agent.messages().len(), 4, "{name}");
        assert_eq!(server.requests().len(), 4, "{name}");
        assert_all_valid(&server, &agent, name);
    }
}

#[tokio::test]
async fn retry_events_tell_if_output_is_discarded() {
    let half = ConverseStream::new().text(["half"]).exception("throttlingException", "slow down");
    let server = Server::sequence([half.response(), fine()]).await;
    let mut agent = agent(&server).await;
    let mut stream = agent.prompt("hi").stream();
    let mut retries = Vec::new();
    while let Some(event) = stream.next().await {
        if let AgentEvent::Retry { attempt, discards_output, .. } = event.unwrap() {
            retries.push((attempt, discards_output));
        }
    }
    assert_eq!(retries, [(1, true)]);
}

#[tokio::test]
async fn the_conversation_continues_after_permanent_faults() {
    let mut bad_crc = ConverseStream::new().text(["half"]).encode().to_vec();
    let frame = Frame::event("contentBlockDelta", &json!({"delta": {"text": "x"}}));
    bad_crc.extend_from_slice(&frame.encode_damaged(Damage::MessageCrc));
    let input = "x".repeat(64 * 1024 * 1024);
    let huge = ConverseStream::new().tool_use("get_weather", "t-1", [input.as_str()]).stop("tool_use");
    let invalid = Response::json(400, &json!({"message": "no"})).header("x-amzn-errortype", "ValidationException");
    for (name, fault, is_expected) in [
        (
            "bad CRC",
            Response::eventstream(bad_crc),
            (|error| matches!(error, ModelError::Protocol { .. })) as fn(&ModelError) -> bool,
        ),
        ("64 MiB of tool input", huge.response(), |error| matches!(error, ModelError::ResponseTooLarge { .. })),
        ("invalid", invalid, |error| matches!(error, ModelError::InvalidRequest { .. })),
    ] {
        // In the first response, and in the response after a tool call.
        for before in [vec![], vec![calls_tool().response()]] {
            let mut script = before.clone();
            script.extend([fault.clone(), fine()]);
            let server = Server::sequence(script).await;
            let mut agent = agent(&server).await;
            match agent.prompt("first").await {
                Err(AgentError::Model { source, .. }) => assert!(is_expected(&source), "{name}: {source:?}"),
                other => panic!("{name}: {other:?}"),
            }
            assert_eq!(server.requests().len(), before.len() + 1, "{name}: the request is not repeated");
            let response = agent.prompt("second").await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(response.text(), "fine", "{name}");
            assert_all_valid(&server, &agent, name);
        }
    }
}

#[tokio::test]
async fn the_history_stays_valid_after_a_cut_at_any_frame() {
    let stream = calls_tool().encode();
    for end in frame_ends(&stream) {
        let broken = Response::eventstream(stream.clone()).cut_at(end, Cut::Clean);
        let server = Server::handler(move |request| {
            // A complete tool call has run; then the model continues.
            let called = String::from_utf8_lossy(&request.body).contains("toolResult");
            if request.index < 3 && !called { broken.clone() } else { fine() }
        })
        .await;
        let mut agent = agent(&server).await;
        // Fails, or continues with the tool if the stop event was received.
        let _ = agent.prompt("first").await;
        assert_eq!(agent.prompt("second").await.unwrap().text(), "fine", "cut at {end}");
        assert_all_valid(&server, &agent, &format!("cut at {end}"));
    }
}

#[tokio::test]
async fn cancels_a_stalled_response_immediately() {
    let stalls = |at| Response::eventstream(calls_tool().encode()).stall_at(at);
    for stall in [stalls(0), stalls(200), stalls(500), Response::new(200).stall_head()] {
        let server = Server::sequence([stall, fine()]).await;
        let mut agent = agent(&server).await;
        let token = CancellationToken::new();
        let cancelled = async {
            server.stalled().await;
            token.cancel();
            Instant::now()
        };
        let prompt = agent.prompt("first").cancel_with(token.clone());
        let (response, since) = tokio::join!(async { (prompt.await.unwrap(), Instant::now()) }, cancelled);
        let (response, ended) = response;
        assert!(ended.duration_since(since) < Duration::from_millis(50));
        assert_eq!(response.stop_reason, StopReason::Cancelled);
        assert_eq!(agent.prompt("second").await.unwrap().text(), "fine");
        assert_all_valid(&server, &agent, "cancelled");
    }
}

#[tokio::test]
async fn the_history_stays_valid_after_a_dropped_turn() {
    let stalls = |at| Response::eventstream(calls_tool().encode()).stall_at(at);
    for at in [0, 200, 500] {
        let server = Server::sequence([calls_tool().response(), stalls(at), fine()]).await;
        let mut agent = agent(&server).await;
        tokio::select! {
            outcome = agent.prompt("first") => panic!("{outcome:?}"),
            () = server.stalled() => {}
        }
        server.client_gone().await;
        assert_eq!(agent.prompt("second").await.unwrap().text(), "fine");
        assert_all_valid(&server, &agent, "dropped");
    }
}
