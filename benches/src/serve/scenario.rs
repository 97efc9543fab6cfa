//! Prepared responses, by name. The measured process and its server create them from the same code.

use std::time::Duration;

use crate::{bedrock, openai};

/// The responses on one port: those to the requests of one prompt, and then again from the first.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) responses: Vec<Response>,
    pub(crate) pace: Pace,
}

/// One response, before it is sent.
pub(crate) struct Response {
    /// Status line and headers, with `transfer-encoding: chunked`.
    pub(crate) head: &'static str,
    /// Events of the body. Each becomes an HTTP chunk, or is gathered with others.
    pub(crate) events: Vec<Vec<u8>>,
}

/// Time between the events of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// All at once, each event in its own chunk, as a provider sends them while the model generates.
    EventByEvent,
    /// All at once, with as many events in a chunk as fit into 16 KiB, as a buffering proxy sends them.
    Gathered,
    /// Head and first event at once. After this number of requests has arrived, one event of each response in every interval.
    Concurrent { requests: usize, interval: Duration },
}

impl Scenario {
    pub(crate) fn new(name: impl Into<String>, pace: Pace, responses: Vec<Response>) -> Self {
        Self { name: name.into(), responses, pace }
    }
}

/// Returns all scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    [openai::scenarios(), bedrock::scenarios()].into_iter().flatten().collect()
}
