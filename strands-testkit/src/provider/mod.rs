//! One suite for every provider: what each has to survive, answer and send, told once.
//!
//! A provider says how its protocol words things ([`Provider`]), what its recordings mean ([`Recorded`]), and where its
//! bodies differ from those of the reference client ([`Referenced`]); `provider_tests!` makes a test of each promise. What
//! only one provider promises is tested beside its own code.

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
    answer, ask, calls_in, events, kind, order_of, reported_usage, text, thoughts, together, turn, weather_tools,
};
pub use recorded::{Recorded, Sent, SentCall, SentResult};
use serde_json::Value;
use strands_core::models::Model;
pub use structured::Structured;
pub use wire::{Capture, Difference, Referenced};

use crate::expectation::Expectation;
use crate::fault::Cut;
use crate::response::Response;

/// How a provider speaks, as far as faults are concerned.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What the provider is called in messages of failing tests, such as `anthropic`.
    fn name(&self) -> &'static str;

    /// A model whose server is at this URL (`http://127.0.0.1:<port>`, without a path), with the key `test-key`.
    async fn model(&self, server: &str, tuned: Tuned) -> Arc<dyn Model>;

    /// A model whose key is `s3cret-key`, and whose other options that may hold secrets (headers, query) have values that
    /// contain `s3cret` too.
    async fn secretive(&self, server: &str) -> Secretive;

    /// Where a streamed request goes, query excluded.
    fn path(&self) -> String;

    /// How the stream is framed.
    fn format(&self) -> StreamFormat;

    /// A whole stream that says `fine.`.
    fn fine(&self) -> Bytes;

    /// The answer `fine.` in one document, as it comes where streaming is off.
    fn fine_document(&self) -> Value;

    /// A whole stream with every kind of piece that a real one has, in this order: the thought `hm` where the protocol
    /// has thoughts; the text `It is süß 🍯.` in two pieces or more, one of which ends after `It is `; a call of
    /// `get_weather` with `{"city":"Oslo"}`, in pieces where arguments come in pieces; a usage of 10 tokens in, 5 out.
    fn small_stream(&self) -> Bytes;

    /// The beginning of a stream: whole events that say the text `half`, and no end.
    fn half(&self) -> Bytes;

    /// One event (and what has to precede it in each case) of which this long text is the content: text, or arguments.
    fn content(&self, text: &str) -> Bytes;

    /// What the whole events at the beginning of a stream mean. The bytes may end anywhere, inside a letter too.
    fn meaning(&self, stream: &[u8]) -> Expectation;

    /// True if a client may take this much of a stream for a whole answer, the cut being what it is.
    ///
    /// The default: once the stop reason was seen, where the protocol has a mark for its end or the response ends properly.
    fn is_whole(&self, stream: &[u8], cut: Cut) -> bool {
        (self.has_end_mark() || cut == Cut::Clean) && self.meaning(stream).stop_reason.is_some()
    }

    /// True if a stream says by itself that it is at its end, so that the end of the response need not be waited for.
    fn has_end_mark(&self) -> bool {
        true
    }

    /// How refusals are worded: at least one each of the kinds `throttled` (429), `overloaded` (with 503 among them),
    /// `authentication`, `invalid request`, `context overflow`.
    fn refusals(&self) -> Vec<Refusal>;

    /// Streams that say `half` (see [`half`](Self::half)) and then break off with an error of the provider's own. Empty
    /// where the protocol has no such thing.
    fn broken_off(&self) -> Vec<BrokenOff>;

    /// Documents with status 200 that are errors, and the kind of each.
    fn refusing_documents(&self) -> Vec<(Value, &'static str)> {
        Vec::new()
    }

    /// The header that carries the id of a request.
    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    /// What stands before the data of an event, such as `event: content_block_delta\n`.
    fn event_head(&self) -> &'static str {
        ""
    }

    /// A streamed response of these bytes.
    fn response(&self, body: Bytes) -> Response {
        match self.format() {
            StreamFormat::ServerSentEvents => Response::sse(body),
            StreamFormat::JsonLines => Response::json_lines(body),
            StreamFormat::EventStream => Response::eventstream(body),
        }
    }
}

/// How a stream is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFormat {
    /// Server-sent events.
    ServerSentEvents,
    /// A JSON document in each line.
    JsonLines,
    /// Amazon's binary frames.
    EventStream,
}

/// What every model's builder can be told.
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

/// A builder and its model with secrets in every place that takes one.
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

/// An error response in the words of a provider.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What [`kind`] makes of the error that it has to become.
    pub kind: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
    /// Headers that belong to it.
    pub headers: Vec<(&'static str, &'static str)>,
    /// What the details name as its code.
    pub code: Option<&'static str>,
}

impl Refusal {
    /// A refusal without headers.
    pub fn new(kind: &'static str, status: u16, code: Option<&'static str>, body: Value) -> Self {
        Self { kind, status, body, headers: Vec::new(), code }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The response.
    pub fn response(&self) -> Response {
        let response = Response::json(self.status, &self.body);
        self.headers.iter().fold(response, |response, (name, value)| response.header(name, value))
    }
}

/// A stream that says `half` and then ends with an error.
#[derive(Clone, Debug)]
pub struct BrokenOff {
    /// What [`kind`] makes of the error that it has to become.
    pub kind: &'static str,
    /// Words of the provider's that the details must hold.
    pub says: &'static str,
    /// All of it.
    pub stream: Bytes,
}

/// Makes a test of every promise that all providers share. Expects a provider that implements [`Provider`],
/// [`Recorded`], [`Referenced`] and [`Structured`]; use it in a module of its own for each provider, in a crate that has `tokio` with
/// macros among its development dependencies.
#[macro_export]
macro_rules! provider_tests {
    ($provider:expr) => {
        $crate::fault_tests!($provider);

        #[tokio::test]
        async fn keeps_the_contract() {
            $crate::provider::contract::keeps_the_contract(&$provider).await;
        }

        #[tokio::test]
        async fn recorded_answers_mean_what_they_say() {
            $crate::provider::recorded::answers_mean_what_they_say(&$provider).await;
        }

        #[tokio::test]
        async fn recorded_conversations_run_again() {
            $crate::provider::recorded::conversations_run_again(&$provider).await;
        }

        #[tokio::test]
        async fn recorded_conversations_without_tools_run_again() {
            $crate::provider::chats::conversations_without_tools_run_again(&$provider).await;
        }

        #[tokio::test]
        async fn is_sent_what_the_reference_sends() {
            $crate::provider::wire::is_sent_what_the_reference_sends(&$provider).await;
        }

        #[test]
        fn the_book_lists_the_same_differences() {
            $crate::provider::wire::the_book_lists_the_same_differences(&$provider);
        }

        #[tokio::test]
        async fn a_tool_turn_over_a_failing_server() {
            $crate::provider::agents::a_tool_turn_over_a_failing_server(&$provider).await;
        }

        #[tokio::test]
        async fn every_kind_of_structured_output() {
            $crate::provider::structured::every_kind_of_output(&$provider).await;
        }
    };
}

/// Makes a test of every fault that a provider has to survive, or of those that are named.
#[macro_export]
macro_rules! fault_tests {
    ($provider:expr) => {
        $crate::fault_tests!($provider =>
            connections_that_fail,
            timeouts_say_how_long_was_waited,
            a_stalled_call_ends_when_it_is_dropped,
            refusals_with_and_without_retry_after,
            refusals_are_sorted_by_what_the_caller_can_do,
            an_error_body_is_bounded_and_kept,
            a_key_is_not_carried_to_where_a_redirect_points,
            no_secret_is_shown,
            errors_in_the_stream,
            an_error_that_comes_as_an_answer,
            a_stream_cut_at_every_byte,
            a_stream_in_pieces_of_a_byte_with_either_line_end,
            an_answer_that_is_complete_does_not_need_the_connection_any_more,
            one_connection_carries_one_answer_after_the_other,
            damaged_streams_are_protocol_errors,
            what_an_answer_may_hold_is_bounded,
            a_failed_call_leaves_the_next_one_alone,
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
