//! Server-sent events of a response, with a limit of the size of one event.
//!
//! The decoder is our own, because published ones copy each event into strings, which takes as long as the rest of decoding.

use std::ops::Range;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use memchr::memchr;
use serde::de::IgnoredAny;
use strands_core::models::ModelError;

use super::body::Body;
use super::framing::{RawEvent, most_event_bytes, too_large};
use super::line_splitter::{Line, LineEnds, LineSplitter};

/// Server-sent events of a response.
pub(super) struct EventStream {
    body: Body,
    decoder: Decoder,
    limit: usize,
    ended: bool,
}

impl EventStream {
    /// Creates events of up to `limit` bytes of content each.
    pub(super) fn new(body: Body, limit: usize) -> Self {
        Self { body, decoder: Decoder::new(), limit, ended: false }
    }

    /// Reads the next event that has data, which [`event`](Self::event) returns; `None` at the end. An incomplete event at the end is
    /// dropped, unless only the blank line after it is missing.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), ModelError>>> {
        loop {
            let is_complete = self.decoder.next();
            if self.decoder.size() > most_event_bytes(self.limit) {
                return Poll::Ready(Some(Err(too_large(self.limit))));
            }
            if is_complete {
                if self.ended && !is_whole(self.decoder.event().data) {
                    continue;
                }
                return Poll::Ready(Some(Ok(())));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(self.body.poll_bytes(context)) {
                Some(Ok(bytes)) => self.decoder.push(bytes),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    // The blank line that the last event may lack.
                    self.ended = true;
                    self.decoder.push(Bytes::from_static(b"\n\n"));
                }
            }
        }
    }

    /// Returns the event that was read last.
    pub(super) fn event(&self) -> RawEvent<'_> {
        self.decoder.event()
    }
}

/// Returns true if the data of an event is complete JSON, or the end mark.
fn is_whole(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data == b"[DONE]" || data.starts_with(b"{") && is_json(data) || data.starts_with(b"[") && is_json(data)
}

fn is_json(data: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(data).is_ok()
}

/// Decoder of `text/event-stream`: <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.
/// Ids and reconnection times are ignored.
struct Decoder {
    lines: LineSplitter,
    name: Vec<u8>,
    data: Data,
    /// True while `name` and `data` are those of the event that was returned last.
    is_complete: bool,
}

/// Data of an event.
enum Data {
    Missing,
    /// One line, in the current chunk.
    InChunk(Range<usize>),
    /// Several lines, or one that is not in the current chunk.
    Joined(Vec<u8>),
}

impl Decoder {
    fn new() -> Self {
        let lines = LineSplitter::new(LineEnds::Any);
        Self { lines, name: Vec::new(), data: Data::Missing, is_complete: false }
    }

    /// Sets the next chunk, after all events of the one before.
    fn push(&mut self, chunk: Bytes) {
        self.lines.push(chunk);
    }

    /// Reads up to the end of an event with data. Returns false if another chunk is needed.
    fn next(&mut self) -> bool {
        if std::mem::take(&mut self.is_complete) {
            self.name.clear();
            self.data = Data::Missing;
        }
        while let Some(line) = self.lines.take() {
            let bytes = self.lines.line(&line);
            if let Some(value) = bytes.strip_prefix(b"data:") {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                let skipped = bytes.len() - value.len();
                self.data(&line, skipped);
            } else if bytes.is_empty() {
                if matches!(self.data, Data::Missing) {
                    // An event without data is none.
                    self.name.clear();
                    continue;
                }
                self.is_complete = true;
                return true;
            } else if bytes == b"data" {
                let skipped = bytes.len();
                self.data(&line, skipped);
            } else if let Some((b"event", value)) = bytes.split_at_checked(memchr(b':', bytes).unwrap_or(bytes.len())) {
                let value = value.strip_prefix(b":").unwrap_or(value);
                self.name.clear();
                self.name.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            }
        }
        if let Data::InChunk(range) = &self.data {
            self.data = Data::Joined(self.lines.chunk(range.clone()).to_vec());
        }
        self.lines.release();
        false
    }

    /// Adds a line of data, without the bytes of its field name.
    fn data(&mut self, line: &Line, skipped: usize) {
        if let (Data::Missing, Line::InChunk(range)) = (&self.data, line) {
            self.data = Data::InChunk(range.start + skipped..range.end);
            return;
        }
        let mut joined = match std::mem::replace(&mut self.data, Data::Missing) {
            Data::Missing => Vec::new(),
            Data::InChunk(range) => [self.lines.chunk(range), b"\n"].concat(),
            Data::Joined(mut joined) => {
                joined.push(b'\n');
                joined
            }
        };
        joined.extend_from_slice(self.lines.line(line).get(skipped..).unwrap_or_default());
        self.data = Data::Joined(joined);
    }

    /// Returns the number of bytes of the event so far.
    fn size(&self) -> usize {
        let data = match &self.data {
            Data::Missing => 0,
            Data::InChunk(range) => range.len(),
            Data::Joined(joined) => joined.len(),
        };
        self.name.len() + data + self.lines.incomplete()
    }

    fn event(&self) -> RawEvent<'_> {
        let data = match &self.data {
            Data::Missing => &[],
            Data::InChunk(range) => self.lines.chunk(range.clone()),
            Data::Joined(joined) => joined,
        };
        RawEvent { name: &self.name, data }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns names and data of the events of bytes in these chunks.
    fn read(bytes: &[u8], chunk: usize) -> Vec<(String, String)> {
        let mut decoder = Decoder::new();
        let mut events = Vec::new();
        for chunk in bytes.chunks(chunk) {
            decoder.push(Bytes::copy_from_slice(chunk));
            while decoder.next() {
                let RawEvent { name, data } = decoder.event();
                events.push([name, data].map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).into());
            }
        }
        events
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn reads_events_as_the_standard_requires() {
        for (text, expected) in [
            ("data: a\n\ndata:b\n\n", vec![event("", "a"), event("", "b")]),
            ("event: e\ndata: a\n\ndata: b\n\n", vec![event("e", "a"), event("", "b")]),
            ("data: a\nevent:e\nevent: f\ndata: b\nid: 1\nretry: 9\nother: x\nx\n\n", vec![event("f", "a\nb")]),
            ("data\n\ndata:\ndata\n\n", vec![event("", ""), event("", "\n")]),
            ("data:  a \n\n", vec![event("", " a ")]),
            (": comment\ndata: a\n: comment\n\n\n\n: comment\n\n", vec![event("", "a")]),
            ("event: e\nevent\ndata: a\n\n", vec![event("", "a")]),
            ("event: ping\n\nid: 1\n\ndata: a\n\n", vec![event("", "a")]),
            ("data: a\r\rdata: b\r\n\r\ndata: c\n\r\n", vec![event("", "a"), event("", "b"), event("", "c")]),
            ("data: a\n\ndata: b\n", vec![event("", "a")]),
            ("database: a\n datum: b\nevents: c\n\n", vec![]),
        ] {
            for chunk in 1..=text.len() {
                assert_eq!(read(text.as_bytes(), chunk), expected, "{text:?} in chunks of {chunk}");
            }
        }
    }

    /// Returns the events of a complete text, word for word as the standard interprets its lines.
    fn interpreted(text: &str) -> Vec<(String, String)> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let (mut events, mut name, mut data) = (Vec::new(), String::new(), String::new());
        // What follows the last line end is no line.
        for line in text.rsplit_once('\n').map_or("", |(lines, _)| lines).split('\n') {
            if line.is_empty() {
                if let Some(data) = data.strip_suffix('\n') {
                    events.push((name.clone(), data.to_owned()));
                }
                name.clear();
                data.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut name),
                "data" => data.extend([value, "\n"]),
                _ => {}
            }
        }
        events
    }

    proptest! {
        #[test]
        fn reads_events_as_a_literal_implementation_does(
            lines in prop::collection::vec("(data|event|id|:|x|dat|data:|event:)?(:)?( )?[aü: ]{0,3}(\n|\r|\r\n|\n\n)?", 0..16),
            chunk in 1..9_usize,
        ) {
            let text = lines.concat();
            prop_assert_eq!(read(text.as_bytes(), chunk), interpreted(&text));
        }

        #[test]
        fn reads_events_alike_in_any_chunks(
            lines in prop::collection::vec("(data|event|id|:|x)?(:)?( )?[aü ]{0,3}(\n|\r|\r\n)?", 0..12), chunk in 1..9_usize
        ) {
            let text = lines.concat();
            prop_assert_eq!(read(text.as_bytes(), chunk), read(text.as_bytes(), text.len().max(1)));
        }
    }

    #[test]
    fn copies_no_event_that_is_in_one_chunk() {
        let mut decoder = Decoder::new();
        decoder.push(Bytes::from_static(b"event: e\ndata: {}\n\ndata: {"));
        assert!(decoder.next() && matches!(&decoder.data, Data::InChunk(range) if *range == (15..17)));
        assert!(!decoder.next());
        decoder.push(Bytes::from_static(b"}\n\ndata: {}\n\n"));
        assert!(decoder.next() && matches!(&decoder.data, Data::Joined(data) if data == b"{}"));
        assert!(decoder.next() && matches!(decoder.data, Data::InChunk(_)));
        assert!(!decoder.next());
    }

    #[test]
    fn only_whole_data_ends_a_stream_without_its_blank_line() {
        for (data, whole) in [("[DONE]", true), (" {\"a\":1} ", true), ("[]", true), ("{\"a\":", false), ("1", false)] {
            assert_eq!(is_whole(data.as_bytes()), whole, "{data}");
        }
    }

    /// A connection that still sees its buffer in use allocates another one.
    #[test]
    fn releases_a_chunk_before_the_next() {
        for text in ["data: 1\n\n", "data: 1\n\ndata: 2\n", "data: 1\n\nda"] {
            let chunk = Bytes::from(text.as_bytes().to_vec());
            let mut decoder = Decoder::new();
            decoder.push(chunk.clone());
            assert!(decoder.next() && !chunk.is_unique(), "{text}");
            assert!(!decoder.next() && chunk.is_unique(), "{text}");
        }
    }
}
