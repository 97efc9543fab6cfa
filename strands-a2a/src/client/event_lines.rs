//! The lines of server-sent events that have an effect: data, and the empty line at the end of an event.
//!
//! All others are left out, as the standard asks for those that it does not know (HTML, section 9.2.6): the decoder takes some of them
//! for errors. A task has no use for the names and ids of events.

use bytes::Bytes;

const DATA: &[u8] = b"data:";
/// The byte order mark that may be at the start of a stream.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Picks the lines out of the chunks of a stream, which may end anywhere.
#[derive(Default)]
pub(super) struct EventLines {
    line: Line,
    /// True after the first line.
    has_begun: bool,
    /// After a carriage return at the end of a chunk: true if its line was passed on. A line feed then belongs to the same end.
    after_return: Option<bool>,
}

/// The current line.
enum Line {
    /// Its first bytes, which do not say yet whether it has data.
    Begun(Vec<u8>),
    /// Its start was passed on.
    Passed,
    LeftOut,
}

impl Default for Line {
    fn default() -> Self {
        Self::Begun(Vec::new())
    }
}

impl EventLines {
    /// Returns the parts of a chunk that have an effect: of one line each.
    pub(super) fn of(&mut self, mut chunk: Bytes) -> Vec<Bytes> {
        let mut parts = Vec::new();
        if let Some(was_passed) = self.after_return
            && let Some(first) = chunk.first()
        {
            if *first == b'\n' {
                let feed = chunk.split_to(1);
                parts.extend(was_passed.then_some(feed));
            }
            self.after_return = None;
        }
        while !chunk.is_empty() {
            let end = chunk.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let is_return = end.is_some_and(|end| chunk.get(end) == Some(&b'\r'));
            let length = match end {
                Some(end) if is_return && chunk.get(end + 1) == Some(&b'\n') => end + 2,
                Some(end) => end + 1,
                None => chunk.len(),
            };
            let passed = self.piece(chunk.split_to(length), end);
            if is_return && chunk.is_empty() && end.is_some_and(|end| end + 1 == length) {
                self.after_return = Some(passed.is_some());
            }
            parts.extend(passed);
        }
        parts
    }

    /// Returns what has an effect of a piece of a line. `end` is the position of its end, if it has one.
    fn piece(&mut self, piece: Bytes, end: Option<usize>) -> Option<Bytes> {
        let passed = match &mut self.line {
            Line::Passed => Some(piece),
            Line::LeftOut => None,
            Line::Begun(begun) => {
                let text_end = begun.len() + end.unwrap_or(piece.len());
                begun.extend_from_slice(&piece);
                let text = begun.get(..text_end).unwrap_or_default();
                // The decoder takes the mark off.
                let unmarked = if self.has_begun { text } else { text.strip_prefix(MARK).unwrap_or(text) };
                let may_be_mark = !self.has_begun && MARK.starts_with(text);
                if unmarked.starts_with(DATA) || end.is_some() && unmarked.is_empty() {
                    let begun = Bytes::from(std::mem::take(begun));
                    self.line = Line::Passed;
                    Some(begun)
                } else {
                    if end.is_some() || !(DATA.starts_with(unmarked) || may_be_mark) {
                        self.line = Line::LeftOut;
                    }
                    None
                }
            }
        };
        if end.is_some() {
            self.has_begun = true;
            self.line = Line::default();
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that have an effect, for each size of chunks.
    fn picked(text: &str) -> String {
        let of_chunks = |size: usize| {
            let mut lines = EventLines::default();
            let parts: Vec<Bytes> =
                text.as_bytes().chunks(size).flat_map(|chunk| lines.of(Bytes::copy_from_slice(chunk))).collect();
            String::from_utf8(parts.concat()).unwrap()
        };
        let whole = of_chunks(text.len());
        for size in 1..text.len() {
            assert_eq!(of_chunks(size), whole, "{text:?} in chunks of {size}");
        }
        whole
    }

    #[test]
    fn data_and_empty_lines_are_passed_on_in_chunks_of_any_size() {
        for end in ["\n", "\r\n", "\r"] {
            let text = [
                ": comment",
                "event: a",
                "data: 1",
                "data:2",
                "",
                "id: 1",
                "id: 2",
                "data: 3",
                "retry: soon",
                "unknown",
                "database: x",
                "dat",
                "other: y",
                "",
                "data: 4",
                "",
            ];
            let expected = ["data: 1", "data:2", "", "data: 3", "", "data: 4", ""];
            let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}{end}")).collect::<String>();
            assert_eq!(picked(&joined(&text)), joined(&expected), "{end:?}");
        }
    }

    #[test]
    fn the_mark_at_the_start_of_a_stream_is_no_part_of_its_first_line() {
        assert_eq!(picked("\u{FEFF}data: 1\n\n"), "\u{FEFF}data: 1\n\n");
        assert_eq!(picked("\u{FEFF}: comment\n\u{FEFF}data: 1\n\n"), "\n");
    }

    #[test]
    fn a_line_without_an_end_is_passed_on_as_it_comes() {
        let mut lines = EventLines::default();
        assert_eq!(lines.of(Bytes::from_static(b"data: 1")), ["data: 1"]);
        assert_eq!(lines.of(Bytes::from_static(b"234")), ["234"]);
        assert_eq!(lines.of(Bytes::from_static(b"\n")), ["\n"]);
    }
}
