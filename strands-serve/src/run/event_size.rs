//! Size of events in memory.

use std::io::{self, Write};

use strands_core::AgentEvent;

use super::RunEvent;

/// Memory of an event besides its texts: the event itself, counts of references, and what the allocator adds.
const OVERHEAD: usize = size_of::<RunEvent>() + 64;

/// Returns the size of an event in memory, about: that of its texts, or of its JSON, which has about as much.
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
    let mut size = Size(0);
    // It does not fail, as for `RunEvent::json`.
    let _ = serde_json::to_writer(&mut size, event);
    size.0
}

/// Counts what is written.
struct Size(usize);

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
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
}
