//! Output of the system: its own lines, and those of its processes with their names.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Lines that wait to be written. If the terminal, or the reader of a pipe, does not take more, lines are lost: no process waits.
const QUEUE: usize = 4096;

/// Longest line, in bytes. Longer ones are broken.
const MAX_LINE: usize = 8 * 1024;

/// Number of last lines of a process that an error shows.
const LAST_LINES: usize = 20;

/// Time to write the rest at the end.
const FINISH: Duration = Duration::from_secs(1);

enum Line {
    Out(String),
    Err(String),
}

/// Writer of lines to stdout and stderr. Clones share it.
#[derive(Clone)]
pub(super) struct Output {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
    finished: Arc<Mutex<Receiver<()>>>,
}

impl Output {
    pub(super) fn start() -> Self {
        let (lines, received) = sync_channel(QUEUE);
        let (finish, finished) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let writer_lost = Arc::clone(&lost);
        // A thread of its own: writing to a terminal or a pipe can wait for ever.
        thread::spawn(move || {
            write_lines(&received, &writer_lost);
            let _ = finish.send(());
        });
        Self { lines, lost, finished: Arc::new(Mutex::new(finished)) }
    }

    /// Writes to stdout.
    pub(super) fn print(&self, text: &str) {
        self.send(Line::Out(text.to_owned()));
    }

    /// Writes a line of the system itself to stderr.
    pub(super) fn note(&self, line: &str) {
        self.send(Line::Err(format!("up | {line}")));
    }

    fn send(&self, line: Line) {
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes a line of a process to stderr, and all further ones, until its output ends.
    pub(super) async fn forward(self, name: String, mut output: impl AsyncBufRead + Unpin, last: LastLines) {
        let mut line = Vec::new();
        loop {
            let (used, is_whole) = match output.fill_buf().await {
                Ok([]) | Err(_) => break,
                Ok(bytes) => {
                    let room = MAX_LINE.saturating_sub(line.len());
                    let bytes = bytes.get(..room.min(bytes.len())).unwrap_or_default();
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
                    line.extend_from_slice(part);
                    (part.len() + usize::from(end.is_some()), end.is_some() || line.len() >= MAX_LINE)
                }
            };
            output.consume(used);
            if is_whole {
                self.forward_line(&name, &line, &last);
                line.clear();
            }
        }
        if !line.is_empty() {
            self.forward_line(&name, &line, &last);
        }
    }

    fn forward_line(&self, name: &str, line: &[u8], last: &LastLines) {
        // Logs may quote texts of users and models: they must not control the terminal.
        let line: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control() || *c == '\t').collect();
        self.send(Line::Err(format!("{name} | {line}")));
        last.push(line);
    }

    /// Writes the lines that wait.
    pub(super) fn finish(self) {
        let Self { lines, finished, .. } = self;
        drop(lines);
        let finished = finished.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = finished.recv_timeout(FINISH);
    }
}

fn write_lines(lines: &Receiver<Line>, lost: &AtomicU64) {
    while let Ok(line) = lines.recv() {
        // If nothing reads, the system goes on.
        let _ = match line {
            Line::Out(text) => writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()),
            Line::Err(line) => writeln!(io::stderr(), "{line}"),
        };
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => drop(writeln!(io::stderr(), "up | {lost} lines were lost")),
        }
    }
}

/// Last lines of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn take(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn forwarded(bytes: &[u8]) -> Vec<String> {
        let last = LastLines::default();
        Output::start().forward("serve".to_owned(), bytes, last.clone()).await;
        last.take()
    }

    #[tokio::test]
    async fn splits_lines_and_removes_control_characters() {
        assert_eq!(forwarded(b"one\n\x1b[2Jtwo\r\n\nthree").await, ["one", "[2Jtwo", "", "three"]);
        assert_eq!(forwarded(b"\xff\n").await, ["\u{fffd}"]);
        assert!(forwarded(b"").await.is_empty());
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let lines = forwarded(&vec![b'a'; 100 * MAX_LINE]).await;
        assert_eq!(lines.len(), LAST_LINES);
        assert!(lines.iter().all(|line| line.len() == MAX_LINE));
    }
}
