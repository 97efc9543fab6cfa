//! Test suite for all providers: faults, recordings and requests on the wire.
//!
//! A provider implements its protocol's format ([`Provider`]), the meaning of its recordings ([`Recorded`]), and the
//! differences of its bodies from those of the reference client ([`Referenced`]); `provider_tests!` generates a test
//! for each guarantee. Guarantees of a single provider are tested next to its own code.

pub mod agents;
mod builders;
pub mod chats;
pub mod contract;
mod conversation;
pub mod faults;
pub mod recorded;
pub mod recorded_output;
pub mod structured;
pub mod support;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use conversation::{
    answer, ask, calls_in, events, kind, order_of, reasoning_text, reported_usage, text, together, turn, weather_tools,
};
pub use recorded::{Recorded, Sent, SentCall, SentResult};
use serde_json::Value;
use strands_core::models::Model;
pub use structured::Structured;
pub use wire::{Capture, Difference, Referenced};

use crate::expectation::Expectation;
use crate::fault::Cut;
use crate::response::Response;

/// Format of a provider's protocol, as far as the fault tests need it.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Returns the provider's name in messages of failing tests, such as `anthropic`.
    fn name(&self) -> &'static str;

    /// Returns a model whose server has this URL (`http://127.0.0.1:<port>`, without a path), with the key `test-key`.
    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model>;

    /// Returns a model whose key is `s3cret-key`, and whose other options that may hold secrets (headers, query) have
    /// values that contain `s3cret` too.
    async fn secretive(&self, server: &str) -> Secretive;

    /// Returns the path of a streamed request, query excluded.
    fn path(&self) -> String;

    /// Returns the framing of the stream.
    fn format(&self) -> StreamFormat;

    /// Returns a complete stream with the text `fine.`.
    fn fine(&self) -> Bytes;

    /// Returns the response `fine.` in one document, as sent if streaming is off.
    fn fine_document(&self) -> Value;

    /// Returns a complete stream with every kind of delta, in this order: the reasoning `hm` if the protocol has
    /// reasoning; the text `It is süß 🍯.` in two deltas or more, one of which ends after `It is `; a call of
    /// `get_weather` with `{"city":"Oslo"}`, in several deltas if the protocol streams arguments; a usage of 10 input
    /// and 5 output tokens.
    fn small_stream(&self) -> Bytes;

    /// Returns the beginning of a stream: complete events with the text `half`, and no end.
    fn half(&self) -> Bytes;

    /// Returns one event, and its required predecessors, with this long text as content: text, or arguments.
    fn content(&self, text: &str) -> Bytes;

    /// Reads the complete events at the beginning of a stream. The bytes may end anywhere, also inside a character.
    fn meaning(&self, stream: &[u8]) -> Expectation;

    /// True if a client may take this much of a stream for a complete response, given this kind of cut.
    ///
    /// The default: once the stop reason was received, if the protocol has an end mark or the response ends properly.
    fn is_whole(&self, stream: &[u8], cut: Cut) -> bool {
        (self.has_end_mark() || cut == Cut::Clean) && self.meaning(stream).stop_reason.is_some()
    }

    /// True if a stream has an end mark, so that the client need not wait for the end of the response.
    fn has_end_mark(&self) -> bool {
        true
    }

    /// Returns error responses: at least one each of the kinds `throttled` (429), `overloaded` (with 503 among them),
    /// `authentication`, `invalid request`, `context overflow`.
    fn refusals(&self) -> Vec<Refusal>;

    /// Returns streams with the text `half` (see [`half`](Self::half)) that end with an error of the provider. Empty if
    /// the protocol has no such error.
    fn broken_off(&self) -> Vec<BrokenOff>;

    /// Returns documents with status 200 that are errors, and the kind of each.
    fn refusing_documents(&self) -> Vec<(Value, &'static str)> {
        Vec::new()
    }

    /// Returns the header that carries the request id.
    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    /// Returns the text before the data of an event, such as `event: content_block_delta\n`.
    fn event_head(&self) -> &'static str {
        ""
    }

    /// Returns a streamed response with these bytes.
    fn response(&self, body: Bytes) -> Response {
        match self.format() {
            StreamFormat::ServerSentEvents => Response::sse(body),
            StreamFormat::JsonLines => Response::json_lines(body),
            StreamFormat::EventStream => Response::eventstream(body),
        }
    }
}

/// Framing of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFormat {
    /// Server-sent events.
    ServerSentEvents,
    /// JSON documents, one on each line.
    JsonLines,
    /// Amazon's binary frames.
    EventStream,
}

/// Settings that every model builder has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuned {
    /// `streaming(false)`.
    pub whole: bool,
    /// `connect_timeout`.
    pub connect: Option<Duration>,
    /// `idle_timeout`.
    pub idle: Option<Duration>,
    /// `timeout`.
    pub total: Option<Duration>,
    /// `max_response_bytes`.
    pub max: Option<usize>,
}

/// A model with a secret in every option that takes one.
pub struct Secretive {
    /// The model.
    pub model: Arc<dyn Model>,
    /// The `Debug` output of the builder and of the model.
    pub shown: String,
    /// Headers or query parameters with the values that must arrive, such as `("authorization", "Bearer s3cret-key")`.
    pub sent: Vec<(&'static str, &'static str)>,
}

impl std::fmt::Debug for Secretive {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Secretive").field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// An error response in a provider's format.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Name of the expected error's [`kind`].
    pub kind: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
    /// Headers that belong to it.
    pub headers: Vec<(&'static str, &'static str)>,
    /// Expected error code in the details.
    pub code: Option<&'static str>,
}

impl Refusal {
    /// Creates an error response without headers.
    pub fn new(kind: &'static str, status: u16, code: Option<&'static str>, body: Value) -> Self {
        Self { kind, status, body, headers: Vec::new(), code }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns the response to send.
    pub fn response(&self) -> Response {
        let response = Response::json(self.status, &self.body);
        self.headers.iter().fold(response, |response, (name, value)| response.header(name, value))
    }
}

/// A stream with the text `half` that then ends with an error.
#[derive(Clone, Debug)]
pub struct BrokenOff {
    /// Name of the expected error's [`kind`].
    pub kind: &'static str,
    /// Text of the provider that the details must contain.
    pub says: &'static str,
    /// The complete stream.
    pub stream: Bytes,
}

/// Generates a test for each guarantee that all providers share. Expects a provider that implements [`Provider`],
/// [`Recorded`], [`Referenced`] and [`Structured`]. Use it in a separate module for each provider, in a crate whose
/// dev-dependencies include `tokio` with macros.
#[macro_export]
macro_rules! provider_tests {
    ($provider:expr) => {
        $crate::fault_tests!($provider);

        #[tokio::test]
        async fn keeps_the_contract() {
            $crate::provider::contract::keeps_the_contract(&$provider).await;
        }

        #[tokio::test]
        async fn reads_recorded_responses() {
            $crate::provider::recorded::reads_recorded_responses(&$provider).await;
        }

        #[tokio::test]
        async fn repeats_recorded_conversations() {
            $crate::provider::recorded::repeats_recorded_conversations(&$provider).await;
        }

        #[tokio::test]
        async fn repeats_recorded_conversations_without_tools() {
            $crate::provider::chats::repeats_recorded_conversations_without_tools(&$provider).await;
        }

        #[tokio::test]
        async fn sends_the_same_requests_as_the_reference() {
            $crate::provider::wire::is_sent_what_the_reference_sends(&$provider).await;
        }

        #[test]
        fn book_lists_the_same_differences() {
            $crate::provider::wire::the_book_lists_the_same_differences(&$provider);
        }

        #[tokio::test]
        async fn completes_a_tool_turn_over_a_failing_server() {
            $crate::provider::agents::completes_a_tool_turn_over_a_failing_server(&$provider).await;
        }

        #[tokio::test]
        async fn supports_structured_output_of_every_kind() {
            $crate::provider::structured::every_kind_of_output(&$provider).await;
        }
    };
}

/// Generates a test for each fault that a provider has to handle, or for the given ones.
#[macro_export]
macro_rules! fault_tests {
    ($provider:expr) => {
        $crate::fault_tests!($provider =>
            reports_connection_failures,
            timeouts_report_their_duration,
            dropping_a_stalled_call_ends_the_request,
            reads_retry_after,
            classifies_error_responses,
            bounds_error_bodies,
            does_not_follow_redirects,
            redacts_secrets,
            reports_errors_in_the_stream,
            reports_errors_with_status_200,
            detects_a_cut_at_every_byte,
            reads_single_byte_chunks_with_either_line_ending,
            completes_at_the_end_mark_without_waiting_for_the_connection,
            reuses_connections,
            damaged_streams_are_protocol_errors,
            bounds_response_size,
            recovers_after_a_failed_call,
        );
    };
    ($provider:expr => $($fault:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $fault() {
                $crate::provider::faults::$fault(&$provider).await;
            }
        )+
    };
}
