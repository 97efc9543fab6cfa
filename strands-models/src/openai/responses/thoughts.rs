//! Thoughts in Responses: items that the provider wants back as it sent them. They travel in the signature of a thought.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::message::ReasoningContent;

/// What stands in the signature of a thought: the item. Nobody else's signature reads so.
#[derive(Serialize, Deserialize)]
struct Kept {
    reasoning_item: Map<String, Value>,
}

/// The signature that holds an item, where there is something in it that the provider can read again: nothing is kept
/// there, so an item without its encrypted part means nothing.
pub(super) fn signature(item: &Value) -> Option<String> {
    item.get("encrypted_content")?.as_str()?;
    let mut kept = Map::new();
    for name in ["type", "id", "summary", "content", "encrypted_content"] {
        let value = item.get(name).filter(|value| !value.is_null());
        // Content that is empty is refused, a summary that is empty is required.
        let empty_content = name == "content" && value.and_then(Value::as_array).is_some_and(Vec::is_empty);
        if let Some(value) = value.filter(|_| !empty_content) {
            kept.insert(name.to_owned(), value.clone());
        }
    }
    serde_json::to_string(&Kept { reasoning_item: kept }).ok()
}

/// The item that a thought came from.
pub(super) fn item(reasoning: &ReasoningContent) -> Option<Value> {
    let signature = reasoning.reasoning_text.as_ref()?.signature.as_deref()?;
    Some(Value::Object(serde_json::from_str::<Kept>(signature).ok()?.reasoning_item))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_comes_back_as_it_was_sent() {
        let sent = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
            "content": [], "encrypted_content": "xyz", "status": null});
        let reasoning = ReasoningContent::text("hm", signature(&sent));
        assert_eq!(
            item(&reasoning).unwrap(),
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "xyz"})
        );
    }

    #[test]
    fn what_can_not_be_read_again_stays_behind() {
        assert_eq!(signature(&json!({"type": "reasoning", "id": "rs_1", "summary": []})), None);
        for other in ["EqQBCkYIBxgCKkD", r#"{"reasoning_details":[]}"#] {
            assert_eq!(item(&ReasoningContent::text("hm", Some(other.to_owned()))), None);
        }
    }
}
