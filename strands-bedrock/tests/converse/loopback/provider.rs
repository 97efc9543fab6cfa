//! Bedrock in the test suite that all providers share: its streams, bodies and errors.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use strands_bedrock::BedrockModelBuilder;
use strands_core::models::Model;
use strands_testkit::converse::ConverseStream;
use strands_testkit::eventstream::{self, Frame};
use strands_testkit::expectation::Expectation;
use strands_testkit::provider::{BrokenOff, Provider, Refusal, Secretive, StreamFormat, Structured, Tuned};
use strands_testkit::{Cut, bedrock};

/// Bedrock with one model.
pub(crate) struct Bedrock {
    name: &'static str,
    model_id: &'static str,
}

pub(crate) const CLAUDE: Bedrock = Bedrock { name: "bedrock", model_id: super::CLAUDE };
pub(crate) const NOVA: Bedrock = Bedrock { name: "bedrock_nova", model_id: super::NOVA };

impl Bedrock {
    fn builder(&self, server: &str) -> BedrockModelBuilder {
        super::builder(server).model_id(self.model_id)
    }
}

#[async_trait]
impl Provider for Bedrock {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model> {
        let mut builder = self.builder(server).streaming(!tuned.whole);
        if let Some(timeout) = tuned.connect {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(timeout) = tuned.idle {
            builder = builder.idle_timeout(timeout);
        }
        if let Some(timeout) = tuned.total {
            builder = builder.timeout(timeout);
        }
        if let Some(bytes) = tuned.max {
            builder = builder.max_response_bytes(bytes);
        }
        Arc::new(builder.build().await.unwrap())
    }

    async fn secretive(&self, server: &str) -> Secretive {
        let builder = self.builder(server).api_key("s3cret-key");
        let mut shown = format!("{builder:?}");
        let model = builder.build().await.unwrap();
        shown += &format!("{model:?}");
        Secretive { model: Arc::new(model), shown, sent: vec![("authorization", "Bearer s3cret-key")] }
    }

    fn path(&self) -> String {
        format!("/model/{}/converse-stream", self.model_id)
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
        // The suite checks only that there is a stop reason.
        let stop_reason = seen.stop_reason.as_ref().map(|_| "tool_use");
        Expectation { text: seen.text(), stop_reason, ..Expectation::default() }
    }

    /// An incomplete frame is detected, and so is a missing end of the response.
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

#[async_trait]
impl Structured for Bedrock {
    async fn following(&self, server: &str) -> Arc<dyn Model> {
        Arc::new(self.builder(server).structured_output(true).build().await.unwrap())
    }

    fn schema(&self, body: &Value) -> Option<Value> {
        let schema = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema")?;
        serde_json::from_str(schema.as_str()?).ok()
    }

    fn says(&self, pieces: &[&str]) -> Bytes {
        ConverseStream::new().text(pieces.iter().copied()).stop("end_turn").usage(10, 5).encode()
    }

    fn calls(&self, tool: &str, pieces: &[&str]) -> Bytes {
        ConverseStream::new().tool_use(tool, "t-1", pieces.iter().copied()).stop("tool_use").usage(10, 5).encode()
    }
}

/// Exceptions that end a stream: name, message, and kind of error.
pub(crate) const EXCEPTIONS: [(&str, &str, &str); 9] = [
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
