//! The JSON documents in a body that came as JSON: mostly one, but some servers send a stream's pieces in a list or one
//! behind the other, and some put the end of a stream behind a document.

use serde_json::value::RawValue;

/// The end of a stream.
const DONE: &str = "[DONE]";

/// The text of each document, in order, with the mark of the end behind several; `None` if something else than JSON is among them.
pub(super) fn documents(body: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = body.trim();
    while !rest.is_empty() {
        rest = rest.strip_prefix("data:").unwrap_or(rest).trim_start();
        if rest.starts_with(DONE) {
            // One document is all of an answer. Behind pieces it is for the reader.
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
            let pieces: Vec<&RawValue> = serde_json::from_str(list).ok()?;
            Some(pieces.into_iter().map(RawValue::get).collect())
        }
        _ => Some(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_in_whatever_they_come() {
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
