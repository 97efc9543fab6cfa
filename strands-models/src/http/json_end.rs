//! End of a JSON value in streamed text, found without parsing the value.

/// Finds the end of one value. Text that is not JSON ends at white space, or at the start of a value.
#[derive(Debug, Default)]
pub(crate) struct JsonEnd {
    state: State,
    /// Number of open objects and lists.
    depth: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// White space before the value.
    #[default]
    Before,
    /// Between the strings of an object or a list.
    Inside,
    String,
    /// After a backslash in a string.
    Escaped,
    /// A number or a word outside of objects and lists.
    Bare,
    Reached,
}

impl JsonEnd {
    pub(crate) fn is_reached(&self) -> bool {
        self.state == State::Reached
    }

    /// Returns the number of bytes up to the end of the value: all of them if the end is not among them.
    pub(crate) fn find(&mut self, chunk: &str) -> usize {
        for (at, byte) in chunk.bytes().enumerate() {
            let before = self.state;
            self.state = self.next(byte);
            if self.state == State::Reached {
                // The byte after a word is not part of it.
                return if before == State::Bare { at } else { at + 1 };
            }
        }
        chunk.len()
    }

    fn next(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (State::Before, b' ' | b'\t' | b'\r' | b'\n') => State::Before,
            (State::Before | State::Inside, b'"') | (State::Escaped, _) => State::String,
            (State::Before | State::Inside, b'{' | b'[') => {
                self.depth += 1;
                State::Inside
            }
            (State::Before, _) => State::Bare,
            (State::Inside, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                self.outside()
            }
            (State::String, b'\\') => State::Escaped,
            (State::String, b'"') => self.outside(),
            (State::Bare, b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'[' | b'"') => State::Reached,
            (state, _) => state,
        }
    }

    /// Handles the end of a string, an object or a list.
    fn outside(&self) -> State {
        if self.depth == 0 { State::Reached } else { State::Inside }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_in_any_chunks() {
        for (text, end) in [
            ("{\"a\": [\"}\", \"\\\"}\"]} rest", Some(19)),
            ("{}{}", Some(2)),
            ("  []", Some(4)),
            ("\"a\\\"b\"c", Some(6)),
            ("null{}", Some(4)),
            ("null", None),
            ("{\"a\":", None),
            ("}", None),
        ] {
            for size in 1..text.len() {
                let (mut json, mut found) = (JsonEnd::default(), 0);
                for chunk in text.as_bytes().chunks(size).map(|chunk| str::from_utf8(chunk).unwrap()) {
                    if !json.is_reached() {
                        found += json.find(chunk);
                    }
                }
                assert_eq!(json.is_reached().then_some(found), end, "{text} in chunks of {size}");
            }
        }
    }
}
