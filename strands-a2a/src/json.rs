//! Sizes of JSON, measured without a copy of it, and before it is parsed.

use std::io;

use serde::Serialize;

/// The size of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Bytes of its text.
    pub(crate) bytes: usize,
    /// Values that a parser makes of it, or a few more. Each takes some 70 bytes in memory, and as few as two in a text: a limit on the
    /// bytes alone is none on the memory.
    pub(crate) values: usize,
}

/// Returns the size of the JSON of a value.
pub(crate) fn size_of(value: &impl Serialize) -> Size {
    let mut scan = Scan::default();
    match serde_json::to_writer(&mut scan, value) {
        Ok(()) => scan.size(),
        // It can't be stored, either.
        Err(_) => Size { bytes: usize::MAX, values: usize::MAX },
    }
}

/// Returns the number of values in JSON that was not parsed yet.
pub(crate) fn count_values(json: &[u8]) -> usize {
    let mut scan = Scan::default();
    scan.add(json);
    scan.size().values
}

/// Counts the values of JSON: the first one, and one after each opening bracket and each comma that are not in a text.
#[derive(Default)]
struct Scan {
    bytes: usize,
    separators: usize,
    in_text: bool,
    is_escaped: bool,
}

impl Scan {
    fn add(&mut self, json: &[u8]) {
        self.bytes = self.bytes.saturating_add(json.len());
        for byte in json {
            match (self.in_text, byte) {
                (true, _) if self.is_escaped => self.is_escaped = false,
                (true, b'\\') => self.is_escaped = true,
                (_, b'"') => self.in_text = !self.in_text,
                (false, b'[' | b'{' | b',') => self.separators = self.separators.saturating_add(1),
                _ => {}
            }
        }
    }

    fn size(&self) -> Size {
        Size { bytes: self.bytes, values: self.separators.saturating_add(1) }
    }
}

impl io::Write for Scan {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn values_in(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(values_in).sum::<usize>(),
            Value::Object(fields) => 1 + fields.values().map(values_in).sum::<usize>(),
            _ => 1,
        }
    }

    #[test]
    fn counts_no_fewer_values_than_there_are() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([0, 0, 0]),
            json!({"a": {"b": [1, {}, []]}, "c": "x"}),
            json!("[{,\"[,\\\",["),
            json!({"[,\"": ["\\", ",[{\\\""]}),
        ] {
            let (text, exact) = (value.to_string(), values_in(&value));
            let counted = count_values(text.as_bytes());
            assert!(counted >= exact && counted <= 2 * exact, "{text}: {counted} for {exact}");
            assert_eq!(size_of(&value), Size { bytes: text.len(), values: counted });
        }
    }
}
