//! Faults of the server and of the connection. Each is a typed error, reported in time, and never a panic.

use crate::loopback::provider::{CLAUDE, EXCEPTIONS};
use crate::loopback::{answer, ask, builder, events, kind, model, text};
use serde_json::json;
use strands_core::models::{ModelError, ModelRequest};
use strands_testkit::converse::ConverseStream;
use strands_testkit::eventstream::{Damage, Frame};
use strands_testkit::provider::faults::cut_everywhere;
use strands_testkit::{Cut, Response, Server, recordings};

strands_testkit::fault_tests!(CLAUDE =>
    reports_connection_failures,
    timeouts_report_their_duration,
    dropping_a_stalled_call_ends_the_request,
    reads_retry_after,
    classifies_error_responses,
    bounds_error_bodies,
    does_not_follow_redirects,
    redacts_secrets,
    reports_errors_in_the_stream,
    detects_a_cut_at_every_byte,
    reads_single_byte_chunks_with_either_line_ending,
    completes_at_the_end_mark_without_waiting_for_the_connection,
    reuses_connections,
    bounds_response_size,
    recovers_after_a_failed_call,
);

#[tokio::test]
async fn errors_have_the_names_of_exceptions_in_the_stream() {
    for (exception, message, _) in EXCEPTIONS {
        let server = Server::repeat(ConverseStream::new().exception(exception, message).response()).await;
        let error = answer(&model(&server.url()).await, "hi").await.unwrap_err();
        assert!(error.details().code().unwrap().eq_ignore_ascii_case(exception), "{error:?}");
    }
}

#[tokio::test]
async fn reports_a_recorded_stream_cut_at_any_byte() {
    let Some(recordings) = recordings("bedrock") else {
        return;
    };
    let streamed = recordings
        .iter()
        .flat_map(|recording| recording.exchanges.iter().map(move |exchange| (&recording.name, exchange)))
        .filter(|(_, exchange)| exchange.response.content_type.contains("vnd.amazon.eventstream"))
        .min_by_key(|(_, exchange)| exchange.response.body.len());
    let (_, exchange) = streamed.expect("a recorded stream");
    let stream = &exchange.response.body;
    cut_everywhere(&CLAUDE, stream, Cut::Clean, 0..stream.len()).await;
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
async fn limits_the_size_of_a_frame() {
    const MIB: usize = 1024 * 1024;
    let too_large = |error: ModelError, limit: usize| {
        assert!(matches!(error, ModelError::ResponseTooLarge { limit: Some(l), .. } if l == limit), "{error:?}");
    };
    // A single large frame exceeds the limit.
    let input = "x".repeat(64 * MIB);
    let stream = ConverseStream::new().tool_use("t", "1", [input.as_str()]).stop("tool_use");
    let server = Server::repeat(stream.response()).await;
    let small = builder(&server.url()).max_response_bytes(MIB).build().await.unwrap();
    too_large(answer(&small, "hi").await.unwrap_err(), MIB);

    // A frame with a declared length of four gigabytes is rejected by its prelude.
    let mut bytes = ConverseStream::new().encode().to_vec();
    let prelude = Frame::event("contentBlockDelta", &json!({})).encode_damaged(Damage::Length(u32::MAX));
    bytes.extend_from_slice(&prelude);
    let server = Server::repeat(Response::eventstream(bytes)).await;
    too_large(answer(&model(&server.url()).await, "hi").await.unwrap_err(), 16 * MIB);
}
