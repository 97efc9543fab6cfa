//! Everything that can go wrong between Bedrock and us: each fault is a typed error, seen in time, and never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "what fails here fails the test"
)]

mod loopback;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use loopback::{answer, ask, builder, events, kind, model};
use serde_json::json;
use strands_core::model::{Model, ModelError, ModelRequest, StreamEvent};
use strands_testkit::bedrock::Expectation;
use strands_testkit::converse::ConverseStream;
use strands_testkit::eventstream::{self, Damage, Frame};
use strands_testkit::ports::{RefusedPort, SilentPort, UnansweredPort, UntrustedTls};
use strands_testkit::{Cut, Response, Server, recordings};

const SHORT: Duration = Duration::from_millis(200);

/// A stream with every kind of frame that a real one has.
fn small_stream() -> bytes::Bytes {
    ConverseStream::new()
        .reasoning(["hm"], "sig")
        .text(["It is ", "sunny."])
        .tool_use("get_weather", "t-1", ["{\"city\":", "\"Oslo\"}"])
        .stop("tool_use")
        .usage(10, 5)
        .encode()
}

#[tokio::test]
async fn connections_that_fail() {
    let refused = RefusedPort::bind();
    let error = answer(&model(&refused.url()).await, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "transport", "{error:?}");

    let untrusted = UntrustedTls::start().await;
    let error = answer(&model(&untrusted.url()).await, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "transport", "{error:?}");
    untrusted.rejected().await;
    assert_eq!(untrusted.trusted(), 0);

    let plain = Server::repeat(Response::new(200)).await;
    let error = answer(&model(&plain.https_url()).await, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "transport", "{error:?}");

    let garbage = Server::repeat(Response::garbage("SMTP ready\r\n\r\n")).await;
    let error = answer(&model(&garbage.url()).await, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "transport", "{error:?}");
}

#[tokio::test]
async fn timeouts_say_how_long_was_waited() {
    let unanswered = UnansweredPort::bind().await;
    let slow = builder(&unanswered.url()).connect_timeout(SHORT).build().await.unwrap();
    let error = answer(&slow, "hi").await.unwrap_err();
    assert!(matches!(error, ModelError::Timeout { after, .. } if after == SHORT), "{error:?}");

    let silent = SilentPort::bind();
    let slow = builder(&silent.url()).idle_timeout(SHORT).build().await.unwrap();
    let error = answer(&slow, "hi").await.unwrap_err();
    assert!(matches!(error, ModelError::Timeout { after, .. } if after == SHORT), "{error:?}");

    // Silence inside the stream, after something was said.
    let server = Server::repeat(Response::eventstream(small_stream()).stall_at(300)).await;
    let slow = builder(&server.url()).idle_timeout(SHORT).build().await.unwrap();
    let messages = ask("hi");
    let (events, error) = events(&slow, ModelRequest::new(&messages)).await;
    assert!(!events.is_empty());
    let error = error.unwrap();
    assert!(matches!(error, ModelError::Timeout { after, .. } if after == SHORT), "{error:?}");
    assert!(error.is_retryable());

    // And in an answer that comes in one piece, or is an error.
    for status in [200, 400] {
        let body = Response::json(status, &json!({"message": "a long enough body"})).stall_at(5);
        let server = Server::repeat(body).await;
        let slow = builder(&server.url()).idle_timeout(SHORT).streaming(false).build().await.unwrap();
        let error = answer(&slow, "hi").await.unwrap_err();
        let expected = if status == 200 { "timeout" } else { "invalid request" };
        assert_eq!(kind(&error), expected, "{error:?}");
    }
}

#[tokio::test]
async fn a_stalled_call_ends_when_it_is_dropped() {
    // While the head is awaited.
    let server = Server::repeat(Response::new(200).stall_head()).await;
    let (waiting, messages) = (model(&server.url()).await, ask("hi"));
    let call = tokio::spawn(async move { waiting.stream(ModelRequest::new(&messages)).await.map(drop) });
    server.stalled().await;
    let dropped = Instant::now();
    call.abort();
    server.client_gone().await;
    assert!(dropped.elapsed() < Duration::from_millis(50), "{:?}", dropped.elapsed());

    // In the middle of the stream.
    let server = Server::repeat(Response::eventstream(small_stream()).stall_at(200)).await;
    let (stalled, messages) = (model(&server.url()).await, ask("hi"));
    let mut stream = stalled.stream(ModelRequest::new(&messages)).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    server.stalled().await;
    let dropped = Instant::now();
    drop(stream);
    server.client_gone().await;
    assert!(dropped.elapsed() < Duration::from_millis(50), "{:?}", dropped.elapsed());
}

#[tokio::test]
async fn refusals_with_and_without_retry_after() {
    for (status, expected) in [(429, "throttled"), (503, "overloaded")] {
        for (header, wait) in [(None, None), (Some("7"), Some(Duration::from_secs(7))), (Some("soon"), None)] {
            let mut response =
                Response::json(status, &json!({"message": "slow down"})).header("x-amzn-requestid", "req-1");
            if let Some(header) = header {
                response = response.header("retry-after", header);
            }
            let server = Server::repeat(response).await;
            let error = answer(&model(&server.url()).await, "hi").await.unwrap_err();
            assert_eq!(kind(&error), expected, "{error:?}");
            assert_eq!(error.retry_after(), wait);
            assert!(error.is_retryable());
            assert_eq!(error.details().status(), Some(status));
            assert_eq!(error.details().request_id(), Some("req-1"));
            assert_eq!(server.requests().len(), 1, "retrying is the loop's business");
        }
    }
    let far = Response::json(429, &json!({})).header("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT");
    let server = Server::repeat(far).await;
    let error = answer(&model(&server.url()).await, "hi").await.unwrap_err();
    assert!(error.retry_after().unwrap() > Duration::from_secs(1_000_000));
}

#[tokio::test]
async fn an_error_body_is_bounded_and_kept() {
    let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(1024 * 1024));
    let server = Server::repeat(Response::new(400).header("x-amzn-errortype", "ValidationException").body(long)).await;
    let error = answer(&model(&server.url()).await, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "invalid request");
    assert_eq!(error.details().code(), Some("ValidationException"));
    assert_eq!(error.details().body().unwrap().len(), 4 * 1024);
}

#[tokio::test]
async fn exceptions_in_the_stream() {
    for (exception, message, expected, retryable) in [
        ("throttlingException", "slow down", "throttled", true),
        ("serviceUnavailableException", "busy", "overloaded", true),
        ("internalServerException", "oops", "overloaded", true),
        ("modelStreamErrorException", "oops", "transport", true),
        ("modelTimeoutException", "oops", "overloaded", true),
        ("validationException", "bad", "invalid request", false),
        ("validationException", "prompt is too long: 2 > 1", "context overflow", false),
        ("accessDeniedException", "no", "authentication", false),
        ("somethingNewException", "what", "transport", true),
    ] {
        let stream = ConverseStream::new().text(["half"]).exception(exception, message).text(["never"]);
        let response = stream.response().header("x-amzn-requestid", "req-1");
        let server = Server::repeat(response).await;
        let messages = ask("hi");
        let (events, error) = events(&model(&server.url()).await, ModelRequest::new(&messages)).await;
        assert_eq!(text(&events), "half");
        let error = error.unwrap();
        assert_eq!(kind(&error), expected, "{exception}: {error:?}");
        assert_eq!(error.is_retryable(), retryable, "{exception}");
        assert!(error.details().body().unwrap().contains(message));
        assert_eq!(error.details().request_id(), Some("req-1"));
        assert!(error.details().code().unwrap().eq_ignore_ascii_case(exception));
    }
    let stream = ConverseStream::new().frame(Frame::error("InternalFailure", "sorry"));
    let server = Server::repeat(stream.response()).await;
    let error = answer(&model(&server.url()).await, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "overloaded", "{error:?}");
    assert_eq!(error.details().body(), Some("sorry"));
}

fn text(events: &[StreamEvent]) -> String {
    use strands_core::model::BlockDelta;
    let texts = events.iter().filter_map(|event| match event {
        StreamEvent::ContentBlockDelta { delta: BlockDelta::Text(text), .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Cuts a stream after each of its bytes: what was whole is seen, and nothing but a whole answer is `Ok`.
async fn cut_everywhere(name: &str, stream: &bytes::Bytes, cut: Cut) {
    cut_at(name, stream, cut, (0..stream.len()).collect()).await;
}

async fn cut_at(name: &str, stream: &bytes::Bytes, cut: Cut, lengths: Vec<usize>) {
    let ends = eventstream::frame_ends(stream);
    let (body, cuts) = (stream.clone(), lengths.clone());
    // Each request gets its own length of the body.
    let server =
        Server::handler(move |request| Response::eventstream(body.clone()).cut_at(cuts[request.index], cut)).await;
    let (model, messages) = (model(&server.url()).await, ask("hi"));
    for &length in &lengths {
        let (events, error) = events(&model, ModelRequest::new(&messages)).await;
        let at = format!("{name} cut at {length} ({cut:?})");
        let seen = Expectation::of_prefix(&stream[..length]);
        let whole = cut == Cut::Clean && seen.stop_reason.is_some() && ends.contains(&length);
        match error {
            None => assert!(whole, "{at}: half an answer passed for a whole one"),
            Some(error) => {
                assert!(!whole, "{at}: {error:?}");
                assert_eq!(kind(&error), "transport", "{at}: {error:?}");
                assert!(error.is_retryable(), "{at}");
            }
        }
        if cut == Cut::Clean {
            assert_eq!(text(&events), seen.text(), "{at}");
        }
    }
    assert_eq!(server.requests().len(), lengths.len(), "nothing is sent twice");
}

#[tokio::test]
async fn a_stream_cut_at_every_byte() {
    let short = ConverseStream::new().text(["Sunny."]).tool_use("now", "t", ["{}"]).stop("tool_use").usage(1, 2);
    let (name, stream) = ("our own stream", short.encode());
    cut_everywhere(name, &stream, Cut::Clean).await;
    cut_everywhere(name, &stream, Cut::Close).await;
    // A reset may swallow what was not read yet, so where exactly it happens matters less.
    let around_frames = eventstream::frame_ends(&stream)
        .into_iter()
        .flat_map(|end| [end - 1, end, end + 1])
        .filter(|length| *length < stream.len());
    cut_at(name, &stream, Cut::Reset, around_frames.collect()).await;
}

#[tokio::test]
async fn an_answer_that_is_complete_does_not_need_the_connection_any_more() {
    let stream = small_stream();
    let whole = || Response::eventstream(stream.clone());
    for response in [whole().cut_at(stream.len(), Cut::Close), whole().stall_at(stream.len())] {
        let server = Server::repeat(response).await;
        let model = builder(&server.url()).idle_timeout(SHORT).build().await.unwrap();
        assert_eq!(answer(&model, "hi").await.unwrap().message.text(), "It is sunny.");
    }
}

#[tokio::test]
async fn a_recorded_stream_cut_at_every_byte() {
    let Some(recordings) = recordings("bedrock") else {
        return;
    };
    let streamed = recordings
        .iter()
        .flat_map(|recording| recording.exchanges.iter().map(move |exchange| (&recording.name, exchange)))
        .filter(|(_, exchange)| exchange.response.content_type.contains("vnd.amazon.eventstream"))
        .min_by_key(|(_, exchange)| exchange.response.body.len());
    let (name, exchange) = streamed.expect("a recorded stream");
    cut_everywhere(name, &exchange.response.body, Cut::Clean).await;
}

#[tokio::test]
async fn damaged_frames_are_protocol_errors() {
    let whole = Frame::event("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "x"}}));
    for damage in [Damage::PreludeCrc, Damage::MessageCrc, Damage::Length(15), Damage::Length(17)] {
        let mut bytes = ConverseStream::new().text(["half"]).encode().to_vec();
        bytes.extend_from_slice(&whole.encode_damaged(damage));
        bytes.extend_from_slice(&ConverseStream::text_turn("never").encode());
        let server = Server::repeat(Response::eventstream(bytes)).await;
        let messages = ask("hi");
        let (events, error) = events(&model(&server.url()).await, ModelRequest::new(&messages)).await;
        assert_eq!(text(&events), "half", "{damage:?}");
        assert_eq!(kind(&error.unwrap()), "protocol", "{damage:?}");
    }
}

#[tokio::test]
async fn what_an_answer_may_hold_is_bounded() {
    const MIB: usize = 1024 * 1024;
    let too_large = |error: ModelError, limit: usize| {
        assert!(matches!(error, ModelError::ResponseTooLarge { limit: l, .. } if l == limit), "{error:?}");
    };
    // 64 MiB of tool input in pieces: the end of the stream is never read.
    let piece = "x".repeat(MIB);
    let pieces = ConverseStream::new().tool_use("t", "1", std::iter::repeat_n(piece.as_str(), 64));
    let server = Server::repeat(pieces.stop("tool_use").response()).await;
    too_large(answer(&model(&server.url()).await, "hi").await.unwrap_err(), 16 * MIB);

    // In one frame: its length alone is enough.
    let one = "x".repeat(64 * MIB);
    let stream = ConverseStream::new().tool_use("t", "1", [one.as_str()]).stop("tool_use");
    let server = Server::repeat(stream.response()).await;
    let small = builder(&server.url()).max_response_bytes(MIB).build().await.unwrap();
    too_large(answer(&small, "hi").await.unwrap_err(), MIB);

    // In one piece.
    let body = json!({"output": {"message": {"content": [{"text": one}]}}, "stopReason": "end_turn"});
    let server = Server::repeat(Response::json(200, &body)).await;
    let plain = builder(&server.url()).streaming(false).max_response_bytes(MIB).build().await.unwrap();
    too_large(answer(&plain, "hi").await.unwrap_err(), MIB);

    // A frame that promises four gigabytes is not waited for.
    let mut bytes = ConverseStream::new().encode().to_vec();
    let promise = Frame::event("contentBlockDelta", &json!({})).encode_damaged(Damage::Length(u32::MAX));
    bytes.extend_from_slice(&promise);
    let server = Server::repeat(Response::eventstream(bytes)).await;
    too_large(answer(&model(&server.url()).await, "hi").await.unwrap_err(), 16 * MIB);
}

#[tokio::test]
async fn a_failed_call_leaves_the_next_one_alone() {
    let server = Server::sequence([
        Response::eventstream(small_stream()).cut_at(150, Cut::Reset),
        ConverseStream::text_turn("fine").response(),
    ])
    .await;
    let model = Arc::new(model(&server.url()).await);
    assert!(answer(&model, "hi").await.is_err());
    assert_eq!(answer(&model, "hi").await.unwrap().message.text(), "fine");
}
