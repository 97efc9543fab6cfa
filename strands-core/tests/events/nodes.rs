//! Node paths.

use serde_json::json;
use strands_core::AgentEvent;

use crate::{read, written};

#[test]
fn each_level_puts_its_name_in_front() {
    let event = AgentEvent::CycleStart { cycle: 1 };
    assert!(event.path().is_empty());
    let event = event.at_node("researcher").at_node("writer").at_node("newsroom");
    assert_eq!(event.path().join("/"), "newsroom/writer/researcher");
    assert!(matches!(event.leaf(), AgentEvent::CycleStart { cycle: 1 }));
    assert_eq!(
        written(&event),
        r#"{"type":"node","path":["newsroom","writer","researcher"],"event":{"type":"cycle_start","cycle":1}}"#
    );
}

#[test]
fn paths_of_nested_nodes_are_joined_when_read() {
    let inner = json!({"type": "node", "path": ["c", "d"], "event": {"type": "cycle_start", "cycle": 1}});
    let event = read(&json!({"type": "node", "path": ["a", "b"], "event": inner}));
    assert_eq!(event.path().join("/"), "a/b/c/d");
    assert!(matches!(event.leaf(), AgentEvent::CycleStart { cycle: 1 }));
}

#[test]
fn the_type_may_come_last_and_nodes_may_nest() {
    let mut event = json!({"text": "x", "type": "text_delta"});
    for level in 0..50 {
        event = json!({"event": event, "path": [level.to_string()], "type": "node"});
    }
    assert_eq!(read(&event).path().len(), 50);
}
