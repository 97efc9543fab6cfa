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

use async_trait::async_trait;
use bytes::Bytes;
use loopback::{answer, ask, builder, events, kind, model, text};
use serde_json::{Value, json};
use strands_core::model::{Model, ModelError, ModelRequest};
use strands_testkit::converse::ConverseStream;
use strands_testkit::eventstream::{self, Damage, Frame};
use strands_testkit::expectation::Expectation;
use strands_testkit::provider::faults::cut_everywhere;
use strands_testkit::provider::{BrokenOff, Provider, Refusal, Secretive, StreamFormat, Tuned};
use strands_testkit::{Cut, Response, Server, bedrock, recordings};

/// Bedrock, for the suite that all providers share.
struct Bedrock;

strands_testkit::fault_tests!(Bedrock =>
    connections_that_fail,
    timeouts_say_how_long_was_waited,
    a_stalled_call_ends_when_it_is_dropped,
    refusals_with_and_without_retry_after,
    refusals_are_sorted_by_what_the_caller_can_do,
    an_error_body_is_bounded_and_kept,
    a_key_is_not_carried_to_where_a_redirect_points,
    no_secret_is_shown,
    errors_in_the_stream,
    a_stream_cut_at_every_byte,
    a_stream_in_pieces_of_a_byte_with_either_line_end,
    an_answer_that_is_complete_does_not_need_the_connection_any_more,
    one_connection_carries_one_answer_after_the_other,
    what_an_answer_may_hold_is_bounded,
    a_failed_call_leaves_the_next_one_alone,
);

#[async_trait]
impl Provider for Bedrock {
    fn name(&self) -> &'static str {
        "bedrock"
    }

    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        let mut builder = builder(server).streaming(!tuned.whole);
        if let Some(timeout) = tuned.connect {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(timeout) = tuned.idle {
            builder = builder.idle_timeout(timeout);
        }
        if let Some(bytes) = tuned.max {
            builder = builder.max_response_bytes(bytes);
        }
        Arc::new(builder.build().await.unwrap())
    }

    async fn secretive(&self, server: &str) -> Secretive {
        let builder = builder(server).api_key("s3cret-key");
        let mut shown = format!("{builder:?}");
        let model = builder.build().await.unwrap();
        shown += &format!("{model:?}");
        Secretive { model: Arc::new(model), shown, sent: vec![("authorization", "Bearer s3cret-key")] }
    }

    fn path(&self) -> String {
        format!("/model/{}/converse-stream", loopback::CLAUDE)
    }

    fn format(&self) -> StreamFormat {
        StreamFormat::EventStream
    }

    fn fine(&self) -> Bytes {
        ConverseStream::text_turn("fine.").encode()
    }

    fn fine_document(&self) -> Value {
        let message = json!({"role": "assistant", "content": [{"text": "fine."}]});
        json!({"output": {"message": message}, "stopReason": "end_turn"})
    }

    fn small_stream(&self) -> Bytes {
        ConverseStream::new()
            .reasoning(["hm"], "sig")
            .text(["It is ", "süß 🍯."])
            .tool_use("get_weather", "t-1", ["{\"city\":", "\"Oslo\"}"])
            .stop("tool_use")
            .usage(10, 5)
            .encode()
    }

    fn half(&self) -> Bytes {
        ConverseStream::new().text(["half"]).encode()
    }

    fn content(&self, text: &str) -> Bytes {
        let delta = json!({"contentBlockIndex": 0, "delta": {"text": text}});
        eventstream::encode(&[Frame::event("contentBlockDelta", &delta)])
    }

    fn meaning(&self, stream: &[u8]) -> Expectation {
        let seen = bedrock::Expectation::of_prefix(stream);
        // The suite asks whether there is one, not which.
        let stop_reason = seen.stop_reason.as_ref().map(|_| "tool_use");
        Expectation { text: seen.text(), stop_reason, ..Expectation::default() }
    }

    /// A frame that has begun is missed, and so is the end of the response.
    fn is_whole(&self, stream: &[u8], cut: Cut) -> bool {
        cut == Cut::Clean && self.meaning(stream).stop_reason.is_some() && eventstream::decode(stream).is_ok()
    }

    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |kind, status, code: &'static str, message: &str| {
            Refusal::new(kind, status, Some(code), json!({"message": message})).header("x-amzn-errortype", code)
        };
        vec![
            Refusal::new("throttled", 429, None, json!({"message": "slow down"})),
            Refusal::new("overloaded", 503, None, json!({"message": "busy"})),
            refusal("throttled", 429, "ThrottlingException", "slow down"),
            refusal("overloaded", 500, "InternalServerException", "oops"),
            refusal("overloaded", 503, "ServiceUnavailableException", "busy"),
            refusal("authentication", 403, "AccessDeniedException", "no"),
            refusal("authentication", 403, "ExpiredTokenException", "no"),
            refusal("invalid request", 400, "ValidationException", "bad"),
            refusal("invalid request", 404, "ResourceNotFoundException", "no such model"),
            refusal("context overflow", 400, "ValidationException", "prompt is too long: 2 > 1"),
        ]
    }

    fn broken_off(&self) -> Vec<BrokenOff> {
        let exceptions = EXCEPTIONS.map(|(exception, says, kind)| {
            let stream = ConverseStream::new().text(["half"]).exception(exception, says).text(["never"]);
            BrokenOff { kind, says, stream: stream.encode() }
        });
        let error = ConverseStream::new().text(["half"]).frame(Frame::error("InternalFailure", "sorry"));
        let error = BrokenOff { kind: "overloaded", says: "sorry", stream: error.encode() };
        exceptions.into_iter().chain([error]).collect()
    }

    fn request_id_header(&self) -> &'static str {
        "x-amzn-requestid"
    }
}

/// What may break a stream off, what it says, and what it means.
const EXCEPTIONS: [(&str, &str, &str); 9] = [
    ("throttlingException", "slow down", "throttled"),
    ("serviceUnavailableException", "busy", "overloaded"),
    ("internalServerException", "oops", "overloaded"),
    ("modelStreamErrorException", "oops", "transport"),
    ("modelTimeoutException", "oops", "overloaded"),
    ("validationException", "bad", "invalid request"),
    ("validationException", "prompt is too long: 2 > 1", "context overflow"),
    ("accessDeniedException", "no", "authentication"),
    ("somethingNewException", "what", "transport"),
];

#[tokio::test]
async fn exceptions_in_the_stream_keep_their_names() {
    for (exception, message, _) in EXCEPTIONS {
        let server = Server::repeat(ConverseStream::new().exception(exception, message).response()).await;
        let error = answer(&model(&server.url()).await, "hi").await.unwrap_err();
        assert!(error.details().code().unwrap().eq_ignore_ascii_case(exception), "{error:?}");
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
    let (_, exchange) = streamed.expect("a recorded stream");
    let stream = &exchange.response.body;
    cut_everywhere(&Bedrock, stream, Cut::Clean, 0..stream.len()).await;
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
async fn what_a_frame_may_hold_is_bounded() {
    const MIB: usize = 1024 * 1024;
    let too_large = |error: ModelError, limit: usize| {
        assert!(matches!(error, ModelError::ResponseTooLarge { limit: l, .. } if l == limit), "{error:?}");
    };
    // Its length alone is enough.
    let one = "x".repeat(64 * MIB);
    let stream = ConverseStream::new().tool_use("t", "1", [one.as_str()]).stop("tool_use");
    let server = Server::repeat(stream.response()).await;
    let small = builder(&server.url()).max_response_bytes(MIB).build().await.unwrap();
    too_large(answer(&small, "hi").await.unwrap_err(), MIB);

    // A frame that promises four gigabytes is not waited for.
    let mut bytes = ConverseStream::new().encode().to_vec();
    let promise = Frame::event("contentBlockDelta", &json!({})).encode_damaged(Damage::Length(u32::MAX));
    bytes.extend_from_slice(&promise);
    let server = Server::repeat(Response::eventstream(bytes)).await;
    too_large(answer(&model(&server.url()).await, "hi").await.unwrap_err(), 16 * MIB);
}
