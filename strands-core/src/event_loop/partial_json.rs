//! Incremental reader of streamed JSON: returns the value so far at any point of the text.
//!
//! Each byte is read once, and the reader remembers the last position at which the text can be cut. A value is parsed from
//! the text up to there, with its open strings, arrays and objects closed, by the parser that reads the complete text.

use std::collections::HashSet;

use serde_json::Value;

use super::code_fence::{BYTE_ORDER_MARK, TAG, TICKS};
use super::json_char::CharState;
use crate::depth::MAX_DEPTH;

/// Length in bytes up to which every change of the value is reported. A longer text must grow by a
/// [share](GROWTH_SHARE) first, which keeps the work linear.
const SMALL: usize = 1024;

/// A longer text is parsed again once it has grown by this fraction (one part in 32).
const GROWTH_SHARE: usize = 32;

/// Reader of streamed JSON.
#[derive(Debug)]
pub(super) struct PartialJson {
    text: String,
    state: State,
    /// Position of the first byte of the value.
    begin: usize,
    /// Last position at which the text can be cut.
    cut: usize,
    /// Closing bytes of the open arrays and objects, outermost first.
    closers: Vec<u8>,
    /// Field names seen so far in each open object, outermost first.
    names: Vec<HashSet<String>>,
    char_state: CharState,
    wrapping: Wrapping,
    shape: Shape,
    /// True if the value has changed since the last report.
    has_changed: bool,
    reported: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// White space, or the backticks of a fence.
    Start {
        ticks: usize,
    },
    /// The tag of a fence, after this many of its letters.
    Tag {
        letters: usize,
    },
    Value,
    ItemOrEnd,
    KeyOrEnd,
    Key,
    InKey {
        begin: usize,
    },
    Colon,
    InString,
    InNumber,
    InLiteral {
        rest: &'static [u8],
    },
    CommaOrEnd,
    /// The value is complete.
    Complete,
    /// The text is not JSON, or nests too deep.
    Broken,
}

/// Wrapping of the value in the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// The root is the value.
    None,
    /// If the root is an object with this field, the field is the value; any other root is the value itself.
    Field(String),
    /// Undecidable before the root, if it is an object, is complete.
    Ambiguous,
}

/// Location of the value in the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The root is an object, and the wrapping field may still follow.
    Undecided,
    /// The root is the value.
    Bare,
    /// The value is a field of the root.
    Wrapped,
}

impl PartialJson {
    /// Creates a reader of tool arguments.
    pub(super) fn of_arguments(wrapping: Wrapping) -> Self {
        let shape = if wrapping == Wrapping::None { Shape::Bare } else { Shape::Undecided };
        Self {
            text: String::new(),
            state: State::Value,
            begin: 0,
            cut: 0,
            closers: Vec::new(),
            names: Vec::new(),
            char_state: CharState::Plain,
            wrapping,
            shape,
            has_changed: false,
            reported: 0,
        }
    }

    /// Creates a reader of a response's text, which may have a leading byte order mark and a surrounding fence.
    pub(super) fn of_text(wrapping: Wrapping) -> Self {
        Self { state: State::Start { ticks: 0 }, ..Self::of_arguments(wrapping) }
    }

    /// Returns true if the text is not JSON, or repeats a field, since the last of the two counts.
    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Reads a chunk. Returns the value so far if it has changed, and grown enough since the last report.
    pub(super) fn push(&mut self, chunk: &str) -> Option<Value> {
        if matches!(self.state, State::Complete | State::Broken) {
            return None;
        }
        let before = self.text.len();
        let is_first = before == 0 && matches!(self.state, State::Start { .. });
        let chunk = if is_first { chunk.strip_prefix(BYTE_ORDER_MARK).unwrap_or(chunk) } else { chunk };
        self.text.push_str(chunk);
        for (at, byte) in chunk.bytes().enumerate() {
            self.read(before + at, byte);
        }
        if self.state == State::Broken {
            self.set_broken();
            return None;
        }
        let is_due = self.state == State::Complete || self.cut <= SMALL || {
            self.cut.saturating_sub(self.reported) >= self.reported / GROWTH_SHARE
        };
        if !self.has_changed || !is_due {
            return None;
        }
        self.has_changed = false;
        self.reported = self.cut;
        let value = self.value();
        if value.is_none() {
            self.set_broken();
        }
        value
    }

    fn set_broken(&mut self) {
        self.state = State::Broken;
        self.text = String::new();
        self.names = Vec::new();
    }

    /// Parses the value so far.
    fn value(&self) -> Option<Value> {
        let mut text = self.text.get(self.begin..self.cut)?.to_owned();
        if self.state == State::InString {
            text.push('"');
        }
        text.extend(self.closers.iter().rev().map(|closer| char::from(*closer)));
        let root: Value = serde_json::from_str(&text).ok()?;
        match (self.shape, root, &self.wrapping) {
            (Shape::Wrapped, Value::Object(mut fields), Wrapping::Field(key)) => fields.shift_remove(key),
            (_, root, _) => Some(root),
        }
    }

    fn read(&mut self, at: usize, byte: u8) {
        match self.state {
            State::Start { ticks } => self.start(ticks, at, byte),
            State::Tag { letters } => self.tag(letters, at, byte),
            State::InKey { begin } => self.key_char(begin, at, byte),
            State::InString => self.string_char(at, byte),
            State::InNumber if matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') => {}
            State::InNumber => {
                self.end_value(at);
                self.read(at, byte);
            }
            State::InLiteral { rest } => match rest.split_first() {
                Some((first, [])) if *first == byte => self.end_value(at + 1),
                Some((first, rest)) if *first == byte => self.state = State::InLiteral { rest },
                _ => self.state = State::Broken,
            },
            _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => {}
            State::ItemOrEnd if byte == b']' => self.end_container(at, byte),
            State::Value | State::ItemOrEnd => self.begin_value(at, byte),
            State::KeyOrEnd if byte == b'}' => self.end_container(at, byte),
            State::KeyOrEnd | State::Key if byte == b'"' => self.state = State::InKey { begin: at },
            State::Colon if byte == b':' => self.state = State::Value,
            State::CommaOrEnd if byte == b',' => {
                self.state = if self.closers.last() == Some(&b'}') { State::Key } else { State::Value };
            }
            State::CommaOrEnd => self.end_container(at, byte),
            State::Complete => {}
            State::KeyOrEnd | State::Key | State::Colon | State::Broken => self.state = State::Broken,
        }
    }

    fn start(&mut self, ticks: usize, at: usize, byte: u8) {
        match byte {
            b'`' => self.state = State::Start { ticks: ticks + 1 },
            _ if ticks >= TICKS => self.tag(0, at, byte),
            _ if ticks > 0 => self.state = State::Broken,
            _ if byte.is_ascii_whitespace() => {}
            _ => self.begin_root(at, byte),
        }
    }

    fn tag(&mut self, letters: usize, at: usize, byte: u8) {
        let next = TAG.as_bytes().get(letters);
        let is_whole = letters == 0 || next.is_none();
        match next {
            Some(letter) if byte.eq_ignore_ascii_case(letter) => self.state = State::Tag { letters: letters + 1 },
            _ if !is_whole => self.state = State::Broken,
            _ if byte.is_ascii_whitespace() => self.state = State::Value,
            _ => self.begin_root(at, byte),
        }
    }

    fn begin_root(&mut self, at: usize, byte: u8) {
        self.state = State::Value;
        self.read(at, byte);
    }

    fn begin_value(&mut self, at: usize, byte: u8) {
        if self.closers.is_empty() {
            self.begin = at;
            if byte != b'{' {
                self.shape = Shape::Bare;
            }
        }
        match byte {
            b'{' => self.begin_container(at, b'}', State::KeyOrEnd),
            b'[' => self.begin_container(at, b']', State::ItemOrEnd),
            b'"' => {
                (self.state, self.char_state) = (State::InString, CharState::Plain);
                self.extend_cut(at + 1);
            }
            b't' => self.state = State::InLiteral { rest: b"rue" },
            b'f' => self.state = State::InLiteral { rest: b"alse" },
            b'n' => self.state = State::InLiteral { rest: b"ull" },
            b'-' | b'0'..=b'9' => self.state = State::InNumber,
            _ => self.state = State::Broken,
        }
    }

    fn begin_container(&mut self, at: usize, closer: u8, state: State) {
        if self.closers.len() == MAX_DEPTH {
            self.state = State::Broken;
            return;
        }
        self.closers.push(closer);
        if closer == b'}' {
            self.names.push(HashSet::new());
        }
        self.state = state;
        self.extend_cut(at + 1);
    }

    /// Extends the readable text up to `end`, which shows more of the value.
    fn extend_cut(&mut self, end: usize) {
        self.cut = end;
        self.has_changed = self.shape != Shape::Undecided;
    }

    fn end_container(&mut self, at: usize, byte: u8) {
        if self.closers.pop() != Some(byte) {
            self.state = State::Broken;
            return;
        }
        if byte == b'}' {
            self.names.pop();
        }
        // An object without the wrapping field is the value.
        if self.shape == Shape::Undecided && self.closers.is_empty() {
            self.shape = Shape::Bare;
            self.has_changed = true;
        }
        self.cut = at + 1;
        self.after_value();
    }

    /// Ends a number or a literal before `end`.
    fn end_value(&mut self, end: usize) {
        self.extend_cut(end);
        self.after_value();
    }

    fn after_value(&mut self) {
        let is_over = match self.shape {
            Shape::Wrapped => self.closers.len() <= 1,
            Shape::Bare | Shape::Undecided => self.closers.is_empty(),
        };
        self.state = if is_over { State::Complete } else { State::CommaOrEnd };
    }

    fn key_char(&mut self, begin: usize, at: usize, byte: u8) {
        match self.char_state {
            CharState::Plain if byte == b'"' => {
                let Some(name) = self.text.get(begin..=at).and_then(|name| serde_json::from_str::<String>(name).ok())
                else {
                    self.state = State::Broken;
                    return;
                };
                let is_of_root = self.shape == Shape::Undecided && self.closers.len() == 1;
                if is_of_root && matches!(&self.wrapping, Wrapping::Field(key) if *key == name) {
                    self.shape = Shape::Wrapped;
                }
                let is_new = self.names.last_mut().is_some_and(|names| names.insert(name));
                self.state = if is_new { State::Colon } else { State::Broken };
            }
            _ => drop(self.next_char(byte)),
        }
    }

    fn string_char(&mut self, at: usize, byte: u8) {
        if self.char_state == CharState::Plain && byte == b'"' {
            self.cut = at + 1;
            self.after_value();
        } else if self.next_char(byte) {
            self.extend_cut(at + 1);
        }
    }

    /// Reads a byte of a string. Returns true at the end of a character.
    fn next_char(&mut self, byte: u8) -> bool {
        match self.char_state.next(byte) {
            Some(state) => self.char_state = state,
            None => self.state = State::Broken,
        }
        self.state != State::Broken && self.char_state == CharState::Plain
    }
}

#[cfg(test)]
mod tests;
