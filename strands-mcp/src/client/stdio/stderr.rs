//! Last lines that a child wrote to its stderr.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use tokio::process::ChildStderr;

use super::line_reader::{LineRead, LineReader};

const MAX_LINES: usize = 20;
const MAX_LINE: usize = 512;

/// The stderr of a child: each line becomes a `tracing` event, and the last ones are remembered for errors.
#[derive(Debug)]
pub(super) struct Stderr {
    reader: Option<LineReader<ChildStderr>>,
    tail: VecDeque<String>,
}

impl Stderr {
    pub(super) fn new(stderr: Option<ChildStderr>) -> Self {
        let reader = stderr.map(|stderr| LineReader::new(stderr, MAX_LINE));
        Self { reader, tail: VecDeque::new() }
    }

    /// Reads what is there. Ready at the end of the pipe.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, server: &str) -> Poll<()> {
        while let Some(reader) = &mut self.reader {
            match reader.poll_line(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(LineRead::Line | LineRead::TooLong)) => {
                    let line = printable(reader.line());
                    tracing::debug!(server, line, "MCP server wrote to stderr");
                    if self.tail.len() == MAX_LINES {
                        self.tail.pop_front();
                    }
                    self.tail.push_back(line);
                }
                Poll::Ready(Ok(LineRead::End) | Err(_)) => self.reader = None,
            }
        }
        Poll::Ready(())
    }

    pub(super) fn tail(&self) -> String {
        let lines: Vec<&str> = self.tail.iter().map(String::as_str).collect();
        lines.join("\n").trim().to_owned()
    }
}

/// The text of a line, without the characters that control a terminal.
pub(super) fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim_end().chars().map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
