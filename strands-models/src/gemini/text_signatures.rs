//! Signatures of text. Gemini puts the signature of its reasoning on the part after it, and requires each signature back on
//! the same part, so signed parts may not be joined. Content blocks join the text anyway: a signature is provider content in
//! the next block, with the byte range of the signed text, and the text is split again when it is sent.

use std::ops::Range;

use serde_json::{Value, json};
use strands_core::message::ProviderContent;

use super::PROVIDER;

const RANGE: &str = "textRange";
const SIGNATURE: &str = "thoughtSignature";

/// Creates a block with the signature of a byte range of the text in the previous block.
pub(super) fn block(signature: String, signed: Range<usize>) -> ProviderContent {
    ProviderContent::new(PROVIDER, json!({SIGNATURE: signature, RANGE: [signed.start, signed.end]}))
}

/// A signature of a byte range of the text in the previous block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextSignature<'a> {
    signature: &'a str,
    range: Range<usize>,
}

impl<'a> TextSignature<'a> {
    /// Reads the content of a [`block`].
    pub(super) fn read(content: &'a Value) -> Option<Self> {
        let signature = content.get(SIGNATURE)?.as_str()?;
        let [start, end] = content.get(RANGE)?.as_array()?.as_slice() else {
            return None;
        };
        let offset = |value: &Value| usize::try_from(value.as_u64()?).ok();
        Some(Self { signature, range: offset(start)?..offset(end)? })
    }
}

/// Splits a text into the parts that were signed. If the text has changed, the signatures follow it on parts without text,
/// as they do in streamed responses.
pub(super) fn split_text<'a>(text: &'a str, signatures: &[TextSignature<'a>]) -> Vec<(&'a str, Option<&'a str>)> {
    split(text, signatures).unwrap_or_else(|| {
        let alone = signatures.iter().map(|signed| ("", Some(signed.signature)));
        std::iter::once((text, None)).filter(|(text, _)| !text.is_empty()).chain(alone).collect()
    })
}

fn split<'a>(text: &'a str, signatures: &[TextSignature<'a>]) -> Option<Vec<(&'a str, Option<&'a str>)>> {
    let mut parts = Vec::with_capacity(2 * signatures.len() + 1);
    let mut at = 0;
    for TextSignature { signature, range } in signatures {
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
    fn splits_text_at_signed_ranges() {
        let blocks = [block("one".to_owned(), 2..4), block("two".to_owned(), 6..6)];
        let signatures: Vec<_> = blocks.iter().filter_map(|block| TextSignature::read(&block.content)).collect();
        assert_eq!(
            split_text("abcdef", &signatures),
            [("ab", None), ("cd", Some("one")), ("ef", None), ("", Some("two"))]
        );
    }

    #[test]
    fn keeps_signatures_of_changed_text() {
        for (text, range) in [("ab", 1..3), ("ü", 0..1), ("ab", 9..9)] {
            let blocks = block("s".to_owned(), range.clone());
            let signed = TextSignature::read(&blocks.content).unwrap();
            assert_eq!(split_text(text, &[signed]), [(text, None), ("", Some("s"))], "{text} {range:?}");
        }
    }

    #[test]
    fn other_provider_content_is_not_a_signature() {
        for content in [json!({"text": "", "thoughtSignature": "s"}), json!({"executableCode": {}}), json!(null)] {
            assert_eq!(TextSignature::read(&content), None, "{content}");
        }
    }

    proptest! {
        #[test]
        fn preserves_text_and_signatures(chunks in prop::collection::vec(("[aü]{0,3}", any::<bool>()), 0..6)) {
            let (mut text, mut blocks) = (String::new(), Vec::new());
            for (at, (chunk, signed)) in chunks.iter().enumerate() {
                let start = text.len();
                text.push_str(chunk);
                if *signed {
                    blocks.push(block(at.to_string(), start..text.len()));
                }
            }
            let signatures: Vec<_> = blocks.iter().filter_map(|block| TextSignature::read(&block.content)).collect();
            let parts = split_text(&text, &signatures);
            prop_assert_eq!(parts.iter().map(|(text, _)| *text).collect::<String>(), text.as_str());
            let signed: Vec<_> = parts.iter().filter_map(|(text, signature)| Some((*text, (*signature)?))).collect();
            let expected: Vec<_> = chunks.iter().enumerate().filter(|(_, (_, signed))| *signed).collect();
            prop_assert_eq!(signed.len(), expected.len());
            for ((text, signature), (at, (chunk, _))) in signed.into_iter().zip(expected) {
                prop_assert_eq!(text, chunk);
                prop_assert_eq!(signature, at.to_string());
            }
        }
    }
}
