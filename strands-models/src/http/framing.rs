//! How the events of an answer are told apart in its bytes.

use std::borrow::Cow;
use std::task::{Context, Poll, ready};

use sse_stream::Sse;
use strands_core::lenient_json::replace_lone_surrogates;
use strands_core::model::ModelError;

use super::body::Body;
use super::lines::LineStream;
use super::sse::EventStream;

/// What an event may be longer than its content: names of fields, ids and padding.
pub(super) const EVENT_OVERHEAD: usize = 128 * 1024;

/// How a provider streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `text/event-stream`.
    ServerSentEvents,
    /// `application/x-ndjson`: a JSON document on each line. It comes as the data of an event without a name.
    JsonLines,
}

/// The events of a response.
pub(super) enum Events {
    ServerSent(EventStream),
    Lines(LineStream),
}

impl Events {
    /// No event may have more than `limit` bytes of content.
    pub(super) fn new(framing: Framing, body: Body, limit: usize) -> Self {
        match framing {
            Framing::ServerSentEvents => Self::ServerSent(EventStream::new(body, limit)),
            Framing::JsonLines => Self::Lines(LineStream::new(body, limit)),
        }
    }

    /// The next event, or `None` at the end. An event that the end has cut is none, and half characters in its JSON are
    /// U+FFFD.
    pub(super) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Sse, ModelError>>> {
        let event = ready!(match self {
            Self::ServerSent(events) => events.poll_event(context),
            Self::Lines(lines) => lines.poll_line(context),
        });
        Poll::Ready(event.map(|event| {
            event.map(|mut event| {
                if let Some(data) = &mut event.data
                    && let Cow::Owned(repaired) = replace_lone_surrogates(data)
                {
                    *data = repaired;
                }
                event
            })
        }))
    }
}
