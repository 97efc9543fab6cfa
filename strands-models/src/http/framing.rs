//! Framing of the events in a response.

use std::borrow::Cow;
use std::task::{Context, Poll, ready};

use memchr::memchr;
use strands_core::lenient_json::replace_lone_surrogates;
use strands_core::models::ModelError;

use super::body::Body;
use super::event::Event;
use super::lines::LineStream;
use super::split_pairs::{ends_in_half, join};
use super::sse::EventStream;

/// Maximum size of an event beyond its content: names of fields, ids and padding.
const EVENT_OVERHEAD: usize = 128 * 1024;

/// Returns the maximum size of an event whose content has up to `limit` bytes.
pub(super) fn most_event_bytes(limit: usize) -> usize {
    limit.saturating_add(EVENT_OVERHEAD)
}

/// Returns the error of an event with more than the maximum size.
pub(super) fn too_large(limit: usize) -> ModelError {
    ModelError::ResponseTooLarge { limit: Some(limit), details: Box::default() }
}

/// Framing of a provider's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `text/event-stream`.
    ServerSentEvents,
    /// `application/x-ndjson`: a JSON document on each line, returned as the data of an event without a name.
    JsonLines,
}

/// An event as it was sent.
pub(super) struct RawEvent<'a> {
    /// Empty if the event has none.
    pub(super) name: &'a [u8],
    pub(super) data: &'a [u8],
}

/// Events of a response.
pub(super) struct Events {
    framed: Framed,
    /// Event that ends in half a character, until the next one arrives.
    held: Option<OwnEvent>,
    /// Event that was read with the one before it, and follows it.
    next: Option<Option<Result<OwnEvent, ModelError>>>,
    /// Event that is not returned as it was sent.
    repaired: Option<OwnEvent>,
}

/// A copy of an event, which only broken, divided or escaped characters need.
struct OwnEvent {
    name: String,
    data: String,
}

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
        Self { framed, held: None, next: None, repaired: None }
    }

    /// Reads the next event, which [`event`](Self::event) returns; `None` at the end. An incomplete event at the end is dropped.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), ModelError>>> {
        self.repaired = None;
        loop {
            let read = match self.next.take() {
                Some(read) => read,
                None => match ready!(self.framed.poll_next(context)) {
                    Some(Ok(())) if self.held.is_none() && !has_escape(self.framed.event().data) => {
                        return Poll::Ready(Some(Ok(())));
                    }
                    read => read.map(|read| read.map(|()| self.framed.event().to_own())),
                },
            };
            if let Some(mut held) = self.held.take() {
                self.next = Some(read.map(|read| {
                    read.map(|mut event| {
                        join(&mut held.data, &mut event.data);
                        event
                    })
                }));
                self.repaired = Some(held.repaired());
                return Poll::Ready(Some(Ok(())));
            }
            match read {
                Some(Ok(event)) if ends_in_half(&event.data) => self.held = Some(event),
                read => {
                    return Poll::Ready(read.map(|read| read.map(|event| self.repaired = Some(event.repaired()))));
                }
            }
        }
    }

    /// Returns the event that was read last, with U+FFFD in place of broken characters.
    pub(super) fn event(&mut self) -> Event<'_> {
        if self.repaired.is_none() {
            let RawEvent { name, data } = self.framed.event();
            if let (Ok(name), Ok(data)) = (str::from_utf8(name), str::from_utf8(data)) {
                return Event { name: Some(name).filter(|name| !name.is_empty()), data };
            }
            self.repaired = Some(self.framed.event().to_own());
        }
        self.repaired.as_ref().map_or(Event::default(), |OwnEvent { name, data }| Event {
            name: Some(name.as_str()).filter(|name| !name.is_empty()),
            data,
        })
    }
}

impl RawEvent<'_> {
    fn to_own(&self) -> OwnEvent {
        let [name, data] = [self.name, self.data].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        OwnEvent { name, data }
    }
}

impl OwnEvent {
    fn repaired(mut self) -> Self {
        if let Cow::Owned(repaired) = replace_lone_surrogates(&self.data) {
            self.data = repaired;
        }
        self
    }
}

/// Returns true if JSON has a character as the escape of its code unit, which may be half of a pair.
fn has_escape(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = memchr(b'\\', rest) {
        match rest.get(at + 1) {
            Some(b'u') => return true,
            _ => rest = rest.get(at + 2..).unwrap_or_default(),
        }
    }
    false
}

impl Framed {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), ModelError>>> {
        match self {
            Self::ServerSent(events) => events.poll_next(context),
            Self::Lines(lines) => lines.poll_next(context),
        }
    }

    fn event(&self) -> RawEvent<'_> {
        match self {
            Self::ServerSent(events) => events.event(),
            Self::Lines(lines) => lines.event(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use proptest::prelude::*;

    use super::super::body::BodyTimeouts;
    use super::super::endpoint::Hints;
    use super::super::error::CallContext;
    use super::super::sent_secrets::SentSecrets;
    use super::*;

    const LIMIT: usize = 64;

    /// Returns the data of the events in a body, and its error.
    async fn read(framing: Framing, body: impl Into<reqwest::Body>) -> (Vec<String>, Option<ModelError>) {
        let context = CallContext {
            model_id: "m".to_owned(),
            url: "http://host/".to_owned(),
            hints: Hints::default(),
            secrets: SentSecrets::default(),
        };
        let body = Body::new(body.into(), context, BodyTimeouts::default(), None);
        let mut events = Events::new(framing, body, LIMIT);
        let mut read = Vec::new();
        loop {
            match poll_fn(|context| events.poll_next(context)).await {
                Some(Ok(())) => read.push(events.event().data.to_owned()),
                Some(Err(error)) => return (read, Some(error)),
                None => return (read, None),
            }
        }
    }

    #[tokio::test]
    async fn limits_the_size_of_an_event() {
        let json = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size - 8));
        let most = most_event_bytes(LIMIT);
        for (framing, begin, end) in [(Framing::ServerSentEvents, "data: ", "\n\n"), (Framing::JsonLines, "", "\n")] {
            for (size, end, fits) in [(most, end, true), (most + 1, end, false), (most + 100, "", false)] {
                let (events, error) = read(framing, [begin, &json(size), end].concat()).await;
                assert_eq!((events.len(), error.is_none()), (usize::from(fits), fits), "{framing:?} {size} {error:?}");
                if let Some(error) = error {
                    assert!(matches!(error, ModelError::ResponseTooLarge { limit: Some(LIMIT), .. }), "{error:?}");
                }
            }
        }
        let lines = format!("data: {}\n", "x".repeat(1_000)).repeat(most / 1_000 + 1);
        assert!(read(Framing::ServerSentEvents, lines).await.1.is_some());
        let comments = format!(": {}\n\n", "x".repeat(1_000)).repeat(most / 1_000 + 1);
        assert!(read(Framing::ServerSentEvents, comments).await.1.is_none(), "comments are not part of an event");
    }

    /// A body of these chunks.
    struct Chunks(std::vec::IntoIter<Vec<u8>>);

    impl http_body::Body for Chunks {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
            Poll::Ready(self.0.next().map(|chunk| Ok(http_body::Frame::data(chunk.into()))))
        }
    }

    fn in_chunks(bytes: &[u8], size: usize) -> reqwest::Body {
        reqwest::Body::wrap(Chunks(bytes.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter()))
    }

    #[tokio::test]
    async fn limits_lines_without_an_end() {
        let most = most_event_bytes(LIMIT);
        for start in [": ", "", "x", "data: ", "event: ", "data: a\n: ", "data: a\nevent: e\n"] {
            let endless = [start, &"x".repeat(2 * most)].concat();
            for framing in [Framing::ServerSentEvents, Framing::JsonLines] {
                for chunk in [1_000, 2 * most, 4 * most] {
                    let (events, error) = read(framing, in_chunks(endless.as_bytes(), chunk)).await;
                    assert!(
                        matches!(error, Some(ModelError::ResponseTooLarge { .. })),
                        "{framing:?} {start:?} in chunks of {chunk}: {error:?}"
                    );
                    let first = if framing == Framing::JsonLines && start.contains('\n') { 1 } else { 0 };
                    assert!(events.len() <= first + 1, "{}", events.len());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn reads_bytes_alike_in_any_chunks(
            has_mark in any::<bool>(),
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    &b"data: {\"a\":\""[..], b"data:", b"event: e", b"\"}", b"\n\n", b"\n", b"\r", b"\r\n", b"\xff", b"\xc3", b"\xc3\xbc",
                    "😀".as_bytes(), "\u{feff}".as_bytes(), b"\\ud83d", b"\\ude00", b"\\", b": c", b"[DONE]", b"\xf0\x9f",
                    b"data: \"\\ud83d\"\n\ndata: \"\\ude00\"\n\n", b"data: \"x\\ud83d\"\n\n", b"{}\n", b"\"\\ud83d\"\n\"\\ude00\"\n",
                ]),
                0..16,
            ),
            chunk in 1..9_usize,
        ) {
            let bytes = [if has_mark { "\u{feff}".as_bytes() } else { b"" }, &parts.concat()].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            for framing in [Framing::ServerSentEvents, Framing::JsonLines] {
                let [whole, divided] = [bytes.len().max(1), chunk].map(|size| {
                    let (events, error) = runtime.block_on(read(framing, in_chunks(&bytes, size)));
                    (events, error.map(|error| error.to_string()))
                });
                prop_assert_eq!(&whole, &divided, "{:?} {}", framing, bytes.escape_ascii());
            }
        }
    }

    #[tokio::test]
    async fn repairs_broken_characters() {
        let half = |text: &str| [text.as_bytes(), b"\xff\""].concat();
        for (body, expected) in [
            (half("\"a"), vec!["\"a\u{fffd}\""]),
            (b"\"\\ud83d x\"".to_vec(), vec!["\"\\ufffd x\""]),
            (b"\"a\\ud83d\"\n\"\\ude00b\"".to_vec(), vec!["\"a\"", "\"\\ud83d\\ude00b\""]),
            (b"\"a\\ud83d\"\n\"b\"".to_vec(), vec!["\"a\\ufffd\"", "\"b\""]),
            (b"\"a\\ud83d\"".to_vec(), vec!["\"a\\ufffd\""]),
            (b"\"\\\\ud83d\"".to_vec(), vec!["\"\\\\ud83d\""]),
        ] {
            let (events, error) = read(Framing::JsonLines, [&body[..], b"\n"].concat()).await;
            assert!(error.is_none(), "{error:?}");
            assert_eq!(events, expected, "{}", body.escape_ascii());
        }
    }
}
