//! Signatures on text. Gemini signs thoughts on whatever part comes after them, and wants each signature back on its own
//! part: no signed part may be joined with another. Text that people read is joined all the same, so a signature stands
//! behind its text as content of Gemini's own, with the bytes of the text that were signed.

use std::ops::Range;

use serde_json::{Value, json};
use strands_core::message::ProviderContent;

use super::PROVIDER;

const RANGE: &str = "textRange";
const SIGNATURE: &str = "thoughtSignature";

/// What keeps the signature of these bytes of the text before it.
pub(super) fn keep(signature: String, signed: Range<usize>) -> ProviderContent {
    ProviderContent::new(PROVIDER, json!({SIGNATURE: signature, RANGE: [signed.start, signed.end]}))
}

/// A signature of some bytes of the text before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed<'a> {
    signature: &'a str,
    range: Range<usize>,
}

impl<'a> Signed<'a> {
    /// What [`keep`] has kept.
    pub(super) fn read(content: &'a Value) -> Option<Self> {
        let signature = content.get(SIGNATURE)?.as_str()?;
        let [start, end] = content.get(RANGE)?.as_array()?.as_slice() else {
            return None;
        };
        let place = |value: &Value| usize::try_from(value.as_u64()?).ok();
        Some(Self { signature, range: place(start)?..place(end)? })
    }
}

/// A text as the parts that it came in, with their signatures. Where the text is no longer the one that was signed, the
/// signatures follow it on parts without text, which is how they come when a text is streamed.
pub(super) fn parts<'a>(text: &'a str, signatures: &[Signed<'a>]) -> Vec<(&'a str, Option<&'a str>)> {
    split(text, signatures).unwrap_or_else(|| {
        let alone = signatures.iter().map(|signed| ("", Some(signed.signature)));
        std::iter::once((text, None)).filter(|(text, _)| !text.is_empty()).chain(alone).collect()
    })
}

fn split<'a>(text: &'a str, signatures: &[Signed<'a>]) -> Option<Vec<(&'a str, Option<&'a str>)>> {
    let mut parts = Vec::with_capacity(2 * signatures.len() + 1);
    let mut at = 0;
    for Signed { signature, range } in signatures {
        let unsigned = text.get(at..range.start)?;
        if !unsigned.is_empty() {
            parts.push((unsigned, None));
        }
        parts.push((text.get(range.clone())?, Some(*signature)));
        at = range.end;
    }
    let rest = text.get(at..)?;
    if !rest.is_empty() {
        parts.push((rest, None));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_taken_apart_where_it_was_signed() {
        let kept = [keep("one".to_owned(), 2..4), keep("two".to_owned(), 6..6)];
        let signatures: Vec<_> = kept.iter().filter_map(|kept| Signed::read(&kept.content)).collect();
        assert_eq!(parts("abcdef", &signatures), [("ab", None), ("cd", Some("one")), ("ef", None), ("", Some("two"))]);
    }

    #[test]
    fn a_text_that_was_changed_keeps_its_signatures_behind_it() {
        for (text, range) in [("ab", 1..3), ("ü", 0..1), ("ab", 9..9)] {
            let kept = keep("s".to_owned(), range.clone());
            let signed = Signed::read(&kept.content).unwrap();
            assert_eq!(parts(text, &[signed]), [(text, None), ("", Some("s"))], "{text} {range:?}");
        }
    }

    #[test]
    fn parts_as_they_came_are_no_signatures() {
        for content in [json!({"text": "", "thoughtSignature": "s"}), json!({"executableCode": {}}), json!(null)] {
            assert_eq!(Signed::read(&content), None, "{content}");
        }
    }

    proptest! {
        #[test]
        fn no_text_and_no_signature_is_lost(pieces in prop::collection::vec(("[aü]{0,3}", any::<bool>()), 0..6)) {
            let (mut text, mut kept) = (String::new(), Vec::new());
            for (at, (piece, signed)) in pieces.iter().enumerate() {
                let start = text.len();
                text.push_str(piece);
                if *signed {
                    kept.push(keep(at.to_string(), start..text.len()));
                }
            }
            let signatures: Vec<_> = kept.iter().filter_map(|kept| Signed::read(&kept.content)).collect();
            let parts = parts(&text, &signatures);
            prop_assert_eq!(parts.iter().map(|(text, _)| *text).collect::<String>(), text.as_str());
            let signed: Vec<_> = parts.iter().filter_map(|(text, signature)| Some((*text, (*signature)?))).collect();
            let came: Vec<_> = pieces.iter().enumerate().filter(|(_, (_, signed))| *signed).collect();
            prop_assert_eq!(signed.len(), came.len());
            for ((text, signature), (at, (piece, _))) in signed.into_iter().zip(came) {
                prop_assert_eq!(text, piece);
                prop_assert_eq!(signature, at.to_string());
            }
        }
    }
}
