//! Node paths.

use serde_json::json;
use strands_core::AgentEvent;

use crate::{read, written};

#[test]
fn each_level_prepends_its_name() {
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
fn joins_paths_of_nested_nodes() {
    let inner = json!({"type": "node", "path": ["c", "d"], "event": {"type": "cycle_start", "cycle": 1}});
    let event = read(&json!({"type": "node", "path": ["a", "b"], "event": inner}));
    assert_eq!(event.path().join("/"), "a/b/c/d");
    assert!(matches!(event.leaf(), AgentEvent::CycleStart { cycle: 1 }));
}

#[test]
fn accepts_nested_nodes_and_a_type_at_the_end() {
    let mut event = json!({"text": "x", "type": "text_delta"});
    for level in 0..50 {
        event = json!({"event": event, "path": [level.to_string()], "type": "node"});
    }
    assert_eq!(read(&event).path().len(), 50);
}
