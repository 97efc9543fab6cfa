//! JSON documents in a body: usually one, but some servers send the chunks of a stream in a list or concatenated, and some
//! the end mark of a stream after a document.

use serde_json::value::RawValue;

/// End mark of a stream.
const DONE: &str = "[DONE]";

/// Returns the text of each document, in order, with the end mark after several; `None` if other text is among them.
pub(super) fn documents(body: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = body.trim();
    while !rest.is_empty() {
        rest = rest.strip_prefix("data:").unwrap_or(rest).trim_start();
        if rest.starts_with(DONE) {
            // One document is the whole response. After chunks the mark is for the reader.
            if found.len() > 1 {
                found.push(DONE);
            }
            break;
        }
        let mut read = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        found.push(read.next()?.ok()?.get());
        rest = rest.get(read.byte_offset()..)?.trim_start();
    }
    match found.as_slice() {
        [list] if list.starts_with('[') => {
            let chunks: Vec<&RawValue> = serde_json::from_str(list).ok()?;
            Some(chunks.into_iter().map(RawValue::get).collect())
        }
        _ => Some(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_documents_in_any_form() {
        for (body, expected) in [
            (r#"{"a":1}"#, Some(vec![r#"{"a":1}"#])),
            (" {\"a\":\n1} \n", Some(vec!["{\"a\":\n1}"])),
            ("{}data: [DONE]\n\n", Some(vec!["{}"])),
            ("{}\n\ndata: [DONE]\n\n", Some(vec!["{}"])),
            ("{\"a\":1}\n{\"a\":2}\r\n", Some(vec!["{\"a\":1}", "{\"a\":2}"])),
            ("{}\ndata: {\"a\":2}\n\ndata:[DONE]", Some(vec!["{}", "{\"a\":2}", "[DONE]"])),
            ("[{\"a\":1},\n{\"a\":2}]", Some(vec!["{\"a\":1}", "{\"a\":2}"])),
            ("[]", Some(vec![])),
            ("{", None),
            ("{} bad", None),
        ] {
            assert_eq!(documents(body), expected, "{body}");
        }
    }
}
