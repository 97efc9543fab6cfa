//! Framing of the events in a response.

use std::borrow::Cow;
use std::task::{Context, Poll, ready};

use sse_stream::Sse;
use strands_core::lenient_json::replace_lone_surrogates;
use strands_core::models::ModelError;

use super::body::Body;
use super::lines::LineStream;
use super::split_pairs::{ends_in_half, join};
use super::sse::EventStream;

/// Maximum size of an event beyond its content: names of fields, ids and padding.
pub(super) const EVENT_OVERHEAD: usize = 128 * 1024;

/// Framing of a provider's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `text/event-stream`.
    ServerSentEvents,
    /// `application/x-ndjson`: a JSON document on each line, returned as the data of an event without a name.
    JsonLines,
}

/// Events of a response.
pub(super) struct Events {
    framed: Framed,
    /// Event that ends in half a character, until the next one arrives.
    held: Option<Sse>,
    /// Event that was read and is returned next.
    next: Option<Event>,
}

/// Next event; `None` at the end.
type Event = Option<Result<Sse, ModelError>>;

enum Framed {
    ServerSent(EventStream),
    Lines(LineStream),
}

impl Events {
    /// Creates events of up to `limit` bytes of content each.
    pub(super) fn new(framing: Framing, body: Body, limit: usize) -> Self {
        let framed = match framing {
            Framing::ServerSentEvents => Framed::ServerSent(EventStream::new(body, limit)),
            Framing::JsonLines => Framed::Lines(LineStream::new(body, limit)),
        };
        Self { framed, held: None, next: None }
    }

    /// Returns the next event, or `None` at the end. An incomplete event at the end is dropped, and half characters in its JSON
    /// become U+FFFD.
    pub(super) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        loop {
            let mut event = match self.next.take() {
                Some(event) => event,
                None => ready!(self.framed.poll(context)),
            };
            if let Some(mut held) = self.held.take() {
                if let Some(Ok(event)) = &mut event {
                    join(&mut held, event);
                }
                self.next = Some(event);
                return Poll::Ready(Some(Ok(repaired(held))));
            }
            match event {
                Some(Ok(event)) if ends_in_half(&event) => self.held = Some(event),
                event => return Poll::Ready(event.map(|event| event.map(repaired))),
            }
        }
    }
}

impl Framed {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        match self {
            Self::ServerSent(events) => events.poll_event(context),
            Self::Lines(lines) => lines.poll_line(context),
        }
    }
}

fn repaired(mut event: Sse) -> Sse {
    if let Some(data) = &mut event.data
        && let Cow::Owned(repaired) = replace_lone_surrogates(data)
    {
        *data = repaired;
    }
    event
}
