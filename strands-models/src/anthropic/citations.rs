//! Citations: converted to our fields, and with the original JSON to send back, since some have an encrypted index that
//! Anthropic requires.

use reqwest::Url;
use serde_json::{Value, json};
use strands_core::message::{Citation, CitationText, CitationsContent};

/// Key of the original JSON among the unknown fields.
const ORIGINAL: &str = "anthropic";

/// Converts a citation, and keeps the original JSON.
pub(super) fn citation(original: Value) -> Citation {
    let mut citation = Citation::default();
    let field = |name: &str| original.get(name).cloned().unwrap_or_default();
    let text = |name: &str| original.get(name).and_then(Value::as_str).map(str::to_owned);
    citation.title = text("title").or_else(|| text("document_title"));
    citation.source_content = text("cited_text").map(CitationText::new).into_iter().collect();
    let document = |start: &str, end: &str| json!({"documentIndex": field("document_index"), "start": field(start), "end": field(end)});
    citation.location = match original.get("type").and_then(Value::as_str).unwrap_or_default() {
        "char_location" => Some(json!({"documentChar": document("start_char_index", "end_char_index")})),
        "page_location" => Some(json!({"documentPage": document("start_page_number", "end_page_number")})),
        "content_block_location" => Some(json!({"documentChunk": document("start_block_index", "end_block_index")})),
        "search_result_location" => Some(json!({"searchResultLocation": {
            "searchResultIndex": field("search_result_index"),
            "start": field("start_block_index"),
            "end": field("end_block_index"),
        }})),
        "web_search_result_location" => text("url").map(|url| {
            let host = Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
            match host {
                Some(domain) => json!({"web": {"url": url, "domain": domain}}),
                None => json!({"web": {"url": url}}),
            }
        }),
        _ => None,
    };
    citation.unknown.insert(ORIGINAL, original);
    citation
}

/// Returns the original citations of a text. Anthropic rejects citations of documents that are no longer in the
/// conversation, so those beyond the number of documents are skipped.
pub(super) fn originals(cited: &CitationsContent, documents: u64) -> Vec<&Value> {
    let originals = cited.citations.iter().filter_map(|citation| citation.unknown.get(ORIGINAL));
    let is_there = |original: &&Value| {
        original.get("document_index").and_then(Value::as_u64).is_none_or(|document| document < documents)
    };
    originals.filter(is_there).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_citations() {
        for (original, location) in [
            (
                json!({"type": "char_location", "document_index": 1, "start_char_index": 2, "end_char_index": 5}),
                json!({"documentChar": {"documentIndex": 1, "start": 2, "end": 5}}),
            ),
            (
                json!({"type": "page_location", "document_index": 0, "start_page_number": 1, "end_page_number": 2}),
                json!({"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}),
            ),
            (
                json!({"type": "content_block_location", "document_index": 0, "start_block_index": 0, "end_block_index": 1}),
                json!({"documentChunk": {"documentIndex": 0, "start": 0, "end": 1}}),
            ),
            (
                json!({"type": "search_result_location", "search_result_index": 3, "start_block_index": 0, "end_block_index": 1}),
                json!({"searchResultLocation": {"searchResultIndex": 3, "start": 0, "end": 1}}),
            ),
            (
                json!({"type": "web_search_result_location", "url": "https://docs.rs/x", "encrypted_index": "E"}),
                json!({"web": {"url": "https://docs.rs/x", "domain": "docs.rs"}}),
            ),
        ] {
            let citation = citation(original.clone());
            assert_eq!(citation.location, Some(location), "{original}");
            assert_eq!(citation.unknown.get(ORIGINAL), Some(&original));
        }
        let cited =
            citation(json!({"type": "char_location", "cited_text": "grass is green", "document_title": "Facts"}));
        assert_eq!((cited.title.as_deref(), cited.source_content[0].text.as_str()), (Some("Facts"), "grass is green"));
        assert_eq!(citation(json!({"type": "newer"})).location, None);
    }

    #[test]
    fn restores_original_citations() {
        let original = json!({"type": "web_search_result_location", "encrypted_index": "Eo8B", "url": "https://a.b/"});
        let mut cited = CitationsContent::default();
        cited.citations =
            vec![citation(original.clone()), citation(json!({"type": "char_location", "document_index": 2}))];
        let stored = serde_json::to_value(&cited).unwrap();
        let restored: CitationsContent = serde_json::from_value(stored).unwrap();
        assert_eq!(originals(&restored, 2), [&original], "the third document was removed");
        assert_eq!(originals(&restored, 3).len(), 2);
    }
}
