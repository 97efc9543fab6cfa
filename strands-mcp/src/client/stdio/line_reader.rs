//! Bounded lines of a pipe.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, BufReader};

/// Capacity that the buffer of a line keeps after a long line.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Reader of lines of at most `limit` bytes. Polls that are dropped lose nothing.
#[derive(Debug)]
pub(super) struct LineReader<R> {
    source: BufReader<R>,
    line: Vec<u8>,
    limit: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a line, or before its first byte.
    Reading,
    /// The line in the buffer was returned.
    Returned,
    /// The line in the buffer was returned, and the rest of it is to be discarded.
    ReturnedTooLong,
    Discarding,
}

/// Outcome of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineRead {
    /// A line without its end is in [`LineReader::line`].
    Line,
    /// The line is longer than the limit: its first bytes are in [`LineReader::line`], the rest will be discarded.
    TooLong,
    /// The source has ended. A last line without a newline was returned before.
    End,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(super) fn new(source: R, limit: usize) -> Self {
        Self { source: BufReader::new(source), line: Vec::new(), limit, state: State::Reading }
    }

    /// The line that was read last.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    pub(super) fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<LineRead>> {
        match self.state {
            State::Reading | State::Discarding => {}
            State::Returned => self.start_line(State::Reading),
            State::ReturnedTooLong => self.start_line(State::Discarding),
        }
        loop {
            let available = ready!(Pin::new(&mut self.source).poll_fill_buf(cx))?;
            if available.is_empty() {
                let last = !self.line.is_empty();
                self.state = State::Returned;
                return Poll::Ready(Ok(if last { LineRead::Line } else { LineRead::End }));
            }
            let mut parts = available.splitn(2, |byte| *byte == b'\n');
            let part = parts.next().unwrap_or_default();
            let ended = parts.next().is_some();
            let consumed = part.len() + usize::from(ended);
            let discarding = self.state == State::Discarding;
            let mut too_long = false;
            if !discarding {
                let room = self.limit.saturating_sub(self.line.len());
                too_long = part.len() > room;
                self.line.extend_from_slice(part.get(..room).unwrap_or(part));
            }
            Pin::new(&mut self.source).consume(consumed);
            match (too_long, ended) {
                (true, ended) => {
                    self.state = if ended { State::Returned } else { State::ReturnedTooLong };
                    return Poll::Ready(Ok(LineRead::TooLong));
                }
                (false, true) if discarding => self.state = State::Reading,
                (false, true) => {
                    self.state = State::Returned;
                    return Poll::Ready(Ok(LineRead::Line));
                }
                (false, false) => {}
            }
        }
    }

    fn start_line(&mut self, state: State) {
        self.line.clear();
        self.line.shrink_to(KEPT_CAPACITY);
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn lines(source: &[u8], limit: usize) -> Vec<(LineRead, String)> {
        let mut reader = LineReader::new(source, limit);
        let mut lines = Vec::new();
        loop {
            let read = poll_fn(|cx| reader.poll_line(cx)).await.unwrap();
            if read == LineRead::End {
                return lines;
            }
            lines.push((read, String::from_utf8_lossy(reader.line()).into_owned()));
        }
    }

    #[tokio::test]
    async fn returns_lines_and_the_start_of_long_ones() {
        use LineRead::{Line, TooLong};
        let expected = [(Line, "ab"), (Line, ""), (TooLong, "0123"), (Line, "abcd"), (TooLong, "efgh"), (Line, "z")];
        let expected = expected.map(|(read, line)| (read, line.to_owned()));
        assert_eq!(lines(b"ab\n\n0123456789\nabcd\nefghi\nz", 4).await, expected);
    }

    #[tokio::test]
    async fn discards_a_long_line_that_spans_reads() {
        let mut source = vec![b'x'; 100_000];
        source.extend_from_slice(b"\nnext\n");
        let lines = lines(&source, 20_000).await;
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].0, lines[0].1.len()), (LineRead::TooLong, 20_000));
        assert_eq!(lines[1], (LineRead::Line, "next".to_owned()));
    }
}
