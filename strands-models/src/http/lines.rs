//! JSON documents, one on each line of a response, with a limit of the size of one document.

use std::task::{Context, Poll, ready};

use serde::de::IgnoredAny;
use strands_core::models::ModelError;

use super::body::Body;
use super::framing::{RawEvent, most_event_bytes, too_large};
use super::line_splitter::{Line, LineEnds, LineSplitter};

/// Lines of a response.
pub(super) struct LineStream {
    body: Body,
    lines: Lines,
    limit: usize,
    /// True after the end of the body.
    ended: bool,
}

impl LineStream {
    /// Creates lines of up to `limit` bytes of content each.
    pub(super) fn new(body: Body, limit: usize) -> Self {
        Self { body, lines: Lines::new(), limit, ended: false }
    }

    /// Reads the next line that is not blank, which [`event`](Self::event) returns; `None` at the end.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), ModelError>>> {
        loop {
            let is_complete = self.lines.next();
            if self.lines.size() > most_event_bytes(self.limit) {
                return Poll::Ready(Some(Err(too_large(self.limit))));
            }
            if is_complete || self.ended && self.lines.end() {
                return Poll::Ready(Some(Ok(())));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(self.body.poll_bytes(context)) {
                Some(Ok(bytes)) => self.lines.splitter.push(bytes),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.ended = true,
            }
        }
    }

    /// Returns the line that was read last, as the data of an event without a name.
    pub(super) fn event(&self) -> RawEvent<'_> {
        RawEvent { name: &[], data: self.lines.line() }
    }
}

/// Splits bytes into lines that are not blank.
struct Lines {
    splitter: LineSplitter,
    line: Line,
    /// Line without an end, at the end of the body.
    rest: Option<Vec<u8>>,
}

impl Lines {
    fn new() -> Self {
        Self { splitter: LineSplitter::new(LineEnds::LineFeed), line: Line::InChunk(0..0), rest: None }
    }

    /// Reads up to the end of a line that is not blank. Returns false if another chunk is needed.
    fn next(&mut self) -> bool {
        self.rest = None;
        while let Some(line) = self.splitter.take() {
            if !self.splitter.line(&line).trim_ascii().is_empty() {
                self.line = line;
                return true;
            }
        }
        self.line = Line::InChunk(0..0);
        self.splitter.release();
        false
    }

    /// Reads the rest at the end. The last line may lack its line break; one that was cut is dropped.
    fn end(&mut self) -> bool {
        let rest = self.splitter.take_rest();
        let is_whole = serde_json::from_slice::<IgnoredAny>(&rest).is_ok();
        self.rest = is_whole.then_some(rest);
        is_whole
    }

    fn line(&self) -> &[u8] {
        self.rest.as_deref().unwrap_or_else(|| self.splitter.line(&self.line))
    }

    /// Returns the number of bytes of the line so far.
    fn size(&self) -> usize {
        self.line().len() + self.splitter.incomplete()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    /// Returns the lines of bytes in these chunks.
    fn read(bytes: &[u8], chunk: usize) -> Vec<String> {
        let mut lines = Lines::new();
        let mut read = Vec::new();
        let text = |lines: &Lines| String::from_utf8(lines.line().trim_ascii().to_vec()).unwrap();
        for chunk in bytes.chunks(chunk) {
            lines.splitter.push(Bytes::copy_from_slice(chunk));
            while lines.next() {
                read.push(text(&lines));
            }
        }
        if lines.end() {
            read.push(text(&lines));
        }
        assert!(!lines.end());
        read
    }

    proptest! {
        #[test]
        fn reads_lines_alike_in_any_chunks(
            words in prop::collection::vec("[a-z ü\\\\]{0,6}", 0..6), chunk in 1..9_usize, crlf in any::<bool>(), whole in any::<bool>()
        ) {
            let written: Vec<String> = words.iter().map(|word| serde_json::json!({"word": word}).to_string()).collect();
            let mut bytes = written.join(if crlf { "\r\n" } else { "\n\n" });
            if whole {
                bytes.push('\n');
            }
            prop_assert_eq!(read(bytes.as_bytes(), chunk), written);
        }
    }

    #[test]
    fn drops_a_last_line_that_was_cut() {
        assert_eq!(read(b"{\"a\":1}\n{\"a\":", 3), ["{\"a\":1}"]);
    }

    /// A connection that still sees its buffer in use allocates another one.
    #[test]
    fn releases_a_chunk_before_the_next() {
        let chunk = Bytes::from(b"1\n2".to_vec());
        let mut lines = Lines::new();
        lines.splitter.push(chunk.clone());
        assert!(lines.next() && !chunk.is_unique());
        assert!(!lines.next() && chunk.is_unique());
    }
}
