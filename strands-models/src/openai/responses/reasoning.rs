//! Reasoning in Responses: items that are sent back unchanged, encrypted or in plain text. They are stored in the signature of
//! the reasoning.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strands_core::message::ReasoningContent;

/// Item in a signature of reasoning. Signatures of other providers do not parse.
#[derive(Serialize, Deserialize)]
struct Kept {
    reasoning_item: Map<String, Value>,
}

/// Returns the signature of an item, if the provider can read it again. Nothing is stored there, so an item needs an encrypted
/// part or the reasoning itself. `is_plain` is true if the reasoning was streamed, not a summary of it.
pub(super) fn signature(item: &Value, is_plain: bool) -> Option<String> {
    let parts = item.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_encrypted = item.get("encrypted_content").is_some_and(Value::is_string);
    if !is_encrypted && !is_plain && parts.is_empty() {
        return None;
    }
    let has_summary = item.get("summary").and_then(Value::as_array).is_some_and(|summary| !summary.is_empty());
    let mut kept = Map::new();
    for name in ["type", "id", "summary", "content", "encrypted_content"] {
        let value = item.get(name).filter(|value| !value.is_null());
        let is_there = match name {
            // An empty list is refused. One text is the text of the block, unless that is a summary, and need not be stored twice.
            "content" => parts.len() > usize::from(!is_encrypted && !has_summary),
            _ => true,
        };
        match value {
            Some(value) if is_there => drop(kept.insert(name.to_owned(), value.clone())),
            // An empty list is required.
            None if name == "summary" && !is_encrypted => drop(kept.insert(name.to_owned(), json!([]))),
            _ => {}
        }
    }
    serde_json::to_string(&Kept { reasoning_item: kept }).ok()
}

/// Returns the item of reasoning.
pub(super) fn item(reasoning: &ReasoningContent) -> Option<Value> {
    let reasoning = reasoning.reasoning_text.as_ref()?;
    let mut item = serde_json::from_str::<Kept>(reasoning.signature.as_deref()?).ok()?.reasoning_item;
    if !item.contains_key("encrypted_content") && !item.contains_key("content") {
        item.insert("content".to_owned(), json!([{"type": "reasoning_text", "text": reasoning.text}]));
    }
    Some(Value::Object(item))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn restores_an_item_unchanged() {
        let sent = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
            "content": [], "encrypted_content": "xyz", "status": null});
        let reasoning = ReasoningContent::text("hm", signature(&sent, false));
        assert_eq!(
            item(&reasoning).unwrap(),
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "xyz"})
        );
    }

    #[test]
    fn restores_plain_reasoning_from_the_text() {
        let text = |text: &str| json!({"type": "reasoning_text", "text": text});
        let item_of = |content: Value| json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": content});
        let summarized = || json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "so"}], "content": [text("hm")]});
        for (sent, is_plain, text, back) in [
            (item_of(json!([text("hm")])), true, "hm", item_of(json!([text("hm")]))),
            (item_of(json!([text("a"), text("b")])), true, "a\n\nb", item_of(json!([text("a"), text("b")]))),
            // The text of the block is the summary.
            (summarized(), false, "short", summarized()),
            // Streamed, and not repeated at the end.
            (json!({"type": "reasoning", "id": "rs_1"}), true, "hm", item_of(json!([text("hm")]))),
        ] {
            let signature = signature(&sent, is_plain).unwrap();
            assert!(!signature.contains(text), "{signature}");
            assert_eq!(item(&ReasoningContent::text(text, Some(signature))).unwrap(), back);
        }
    }

    #[test]
    fn omits_items_that_the_provider_can_not_read() {
        assert_eq!(signature(&json!({"type": "reasoning", "id": "rs_1", "summary": []}), false), None);
        for other in ["EqQBCkYIBxgCKkD", r#"{"reasoning_details":[]}"#] {
            assert_eq!(item(&ReasoningContent::text("hm", Some(other.to_owned()))), None);
        }
    }
}
