//! Check of a reader's events, for the tests of the readers.

use strands_core::models::{StreamEvent, Turn, TurnBuilder};

/// Returns the response of these events. Each block that starts ends once, and has no events after its end.
pub(crate) fn complete_response<'a>(events: impl IntoIterator<Item = &'a StreamEvent>) -> Turn {
    let mut turn = TurnBuilder::new(usize::MAX);
    let (mut begun, mut ended) = (Vec::new(), Vec::new());
    for event in events {
        turn.push(event).unwrap();
        match event {
            StreamEvent::ContentBlockStart { content_block_index: at, .. }
            | StreamEvent::ContentBlockDelta { content_block_index: at, .. } => {
                assert!(!ended.contains(at), "block {at} has an event after its end");
                begun.push(*at);
            }
            StreamEvent::ContentBlockStop { content_block_index: at } => {
                assert!(!ended.contains(at), "block {at} ends twice");
                ended.push(*at);
            }
            _ => {}
        }
    }
    // A block without content only ends.
    assert!(begun.iter().all(|at| ended.contains(at)), "each block ends: {begun:?}, {ended:?}");
    turn.finish().unwrap()
}
