//! Size of events in memory.

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use strands_core::AgentEvent;

use super::RunEvent;

/// Memory of an event besides its texts: the event itself, counts of references, and what the allocator adds.
const OVERHEAD: usize = size_of::<RunEvent>() + 64;

/// Returns the size of an event in memory, about: of its texts and values.
pub(super) fn size_of_event(event: &AgentEvent) -> usize {
    OVERHEAD
        + match event {
            // Most events.
            AgentEvent::TextDelta { text } | AgentEvent::ReasoningDelta { text } => text.len(),
            AgentEvent::ToolUseDelta { input, .. } => input.len(),
            _ => size_of_json(event),
        }
}

fn size_of_json(event: &AgentEvent) -> usize {
    let mut size = Size::default();
    // It does not fail, as for `RunEvent::json`.
    let _ = event.serialize(&mut Serializer::with_formatter(io::sink(), &mut size));
    size.texts + size.values * size_of::<Value>()
}

/// Counts the bytes of texts, and the values.
#[derive(Default)]
struct Size {
    texts: usize,
    values: usize,
}

impl Formatter for &mut Size {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        self.texts += fragment.len();
        Ok(())
    }

    fn write_char_escape<W: Write + ?Sized>(&mut self, _: &mut W, _: CharEscape) -> io::Result<()> {
        self.texts += 1;
        Ok(())
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, _: &mut W, _: bool) -> io::Result<()> {
        self.values += 1;
        Ok(())
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.values += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_grows_with_the_texts_of_an_event() {
        let of = |length: usize| {
            let text = "x".repeat(length);
            [
                AgentEvent::TextDelta { text: text.clone() },
                AgentEvent::ReasoningDelta { text: text.clone() },
                AgentEvent::ContextReduced { what: text },
            ]
            .map(|event| size_of_event(&event))
        };
        for (small, large) in of(10).into_iter().zip(of(1_010)) {
            assert_eq!(large - small, 1_000);
        }
    }

    #[test]
    fn values_count_with_their_memory() {
        let numbers = AgentEvent::PartialOutput { value: serde_json::json!([vec![1; 1_000], {"key": [true]}]) };
        let size = size_of_event(&numbers);
        assert!(size >= 1_000 * size_of::<Value>(), "{size}");
    }
}
