//! Lines of streamed bytes, in place: only a line that is split over two chunks is copied.

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr2};

/// Characters that end a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnds {
    /// A line feed. A carriage return before it is white space of the line.
    LineFeed,
    /// A line feed, a carriage return, or both.
    Any,
}

/// Splits chunks into lines.
#[derive(Debug)]
pub(super) struct LineSplitter {
    ends: LineEnds,
    chunk: Bytes,
    /// Position of the next line in the chunk.
    next: usize,
    /// Start of a line that ends in a later chunk, and then this line.
    split: Vec<u8>,
    /// True while `split` is the line that was returned last.
    is_whole: bool,
    /// True after a carriage return at the end of a chunk. A line feed after it belongs to the same line end.
    skips_line_feed: bool,
}

/// Position of a line without its end.
#[derive(Debug)]
pub(super) enum Line {
    /// In the current chunk.
    InChunk(Range<usize>),
    /// Joined from several chunks.
    Split,
}

impl LineSplitter {
    pub(super) fn new(ends: LineEnds) -> Self {
        let (chunk, split) = (Bytes::new(), Vec::new());
        Self { ends, chunk, next: 0, split, is_whole: false, skips_line_feed: false }
    }

    /// Sets the next chunk. All lines of the one before must have been taken.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
        self.next = 0;
    }

    /// Drops the chunk after all of its lines have been taken: the connection can use its buffer again, and a stream that waits
    /// holds one buffer less.
    pub(super) fn release(&mut self) {
        self.push(Bytes::new());
    }

    /// Takes the next line, or returns `None` if another chunk is needed.
    pub(super) fn take(&mut self) -> Option<Line> {
        if std::mem::take(&mut self.is_whole) {
            self.split.clear();
        }
        let mut rest = self.chunk.get(self.next..).unwrap_or_default();
        if self.skips_line_feed
            && let Some(first) = rest.first()
        {
            self.skips_line_feed = false;
            if *first == b'\n' {
                self.next += 1;
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        let end = match (rest.first(), self.ends) {
            // The blank line after an event, and the end of a chunk after it.
            (Some(b'\n'), _) => Some(0),
            (None, _) => None,
            (_, LineEnds::LineFeed) => memchr(b'\n', rest),
            (_, LineEnds::Any) => memchr2(b'\n', b'\r', rest),
        };
        let Some(length) = end else {
            self.split.extend_from_slice(rest);
            self.next = self.chunk.len();
            return None;
        };
        let (begin, end) = (self.next, self.next + length);
        self.next = end + 1;
        if rest.get(length) == Some(&b'\r') {
            match rest.get(length + 1) {
                Some(b'\n') => self.next += 1,
                Some(_) => {}
                None => self.skips_line_feed = true,
            }
        }
        if self.split.is_empty() {
            return Some(Line::InChunk(begin..end));
        }
        self.split.extend_from_slice(rest.get(..length).unwrap_or_default());
        self.is_whole = true;
        Some(Line::Split)
    }

    /// Returns the bytes of a line. It must be the last one that was taken, or one of the current chunk.
    pub(super) fn line(&self, line: &Line) -> &[u8] {
        match line {
            Line::InChunk(range) => self.chunk(range.clone()),
            Line::Split => &self.split,
        }
    }

    /// Returns bytes of the current chunk.
    pub(super) fn chunk(&self, range: Range<usize>) -> &[u8] {
        self.chunk.get(range).unwrap_or_default()
    }

    /// Returns the length of the line whose end has not arrived, in bytes.
    pub(super) fn incomplete(&self) -> usize {
        if self.is_whole { 0 } else { self.split.len() }
    }

    /// Takes the last line, which lacks its end.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.is_whole) {
            self.split.clear();
        }
        std::mem::take(&mut self.split)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str, chunk: usize, ends: LineEnds) -> Vec<String> {
        let mut splitter = LineSplitter::new(ends);
        let mut lines = Vec::new();
        for chunk in text.as_bytes().chunks(chunk) {
            splitter.push(Bytes::copy_from_slice(chunk));
            while let Some(line) = splitter.take() {
                lines.push(String::from_utf8(splitter.line(&line).to_vec()).unwrap());
            }
        }
        lines.push(String::from_utf8(splitter.take_rest()).unwrap());
        lines
    }

    proptest! {
        #[test]
        fn splits_lines_alike_in_any_chunks(text in "[a\r\nü]{0,24}", chunk in 1..9_usize) {
            let expected: Vec<String> = text.replace("\r\n", "\n").split(['\n', '\r']).map(str::to_owned).collect();
            prop_assert_eq!(lines(&text, chunk, LineEnds::Any), expected);
            let expected: Vec<String> = text.split('\n').map(str::to_owned).collect();
            prop_assert_eq!(lines(&text, chunk, LineEnds::LineFeed), expected);
        }
    }

    #[test]
    fn copies_only_split_lines() {
        let mut splitter = LineSplitter::new(LineEnds::Any);
        splitter.push(Bytes::from_static(b"one\ntw"));
        assert!(matches!(splitter.take(), Some(Line::InChunk(range)) if range == (0..3)));
        assert!(splitter.take().is_none());
        assert_eq!(splitter.incomplete(), 2);
        splitter.push(Bytes::from_static(b"o\nthree\n"));
        assert!(matches!(splitter.take(), Some(Line::Split)));
        assert_eq!(splitter.incomplete(), 0);
        assert!(matches!(splitter.take(), Some(Line::InChunk(range)) if range == (2..7)));
    }
}
