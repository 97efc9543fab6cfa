//! Names of documents that Bedrock accepts: few characters, at most 200 of them, and each name once in a conversation.

use std::borrow::Cow;
use std::collections::HashMap;

use strands_core::message::{ContentBlock, DocumentBlock, ToolResultContent};

/// The longest name.
const LONGEST: usize = 200;

/// Names are given in the order of the conversation, so a document keeps its name when the conversation grows.
#[derive(Default)]
pub(crate) struct DocumentNames {
    /// Each name, with the number that the newest document of that name got.
    taken: HashMap<String, u32>,
}

impl DocumentNames {
    pub(crate) fn fix<'a>(&mut self, block: Cow<'a, ContentBlock>) -> Cow<'a, ContentBlock> {
        let names: Vec<_> = documents(&block).map(|document| self.unlike(&document.name)).collect();
        if names.iter().all(Option::is_none) {
            return block;
        }
        let mut block = block.into_owned();
        let names = names.into_iter();
        match &mut block {
            ContentBlock::Document(document) => names.flatten().for_each(|name| document.name = name),
            ContentBlock::ToolResult(result) => {
                let documents = result.content.iter_mut().filter_map(|part| match part {
                    ToolResultContent::Document(document) => Some(document),
                    _ => None,
                });
                for (document, name) in documents.zip(names) {
                    document.name = name.unwrap_or_else(|| std::mem::take(&mut document.name));
                }
            }
            _ => {}
        }
        Cow::Owned(block)
    }

    /// Another name, where this one is not allowed or taken.
    fn unlike(&mut self, name: &str) -> Option<String> {
        let allowed = allowed_name(name);
        let mut number = self.taken.get(&allowed).copied().unwrap_or_default();
        let unique = loop {
            number = number.saturating_add(1);
            let unique = if number == 1 { allowed.clone() } else { numbered(&allowed, number) };
            if !self.taken.contains_key(&unique) {
                break unique;
            }
        };
        self.taken.insert(allowed, number);
        self.taken.entry(unique.clone()).or_insert(1);
        (unique != name).then_some(unique)
    }
}

fn documents(block: &ContentBlock) -> impl Iterator<Item = &DocumentBlock> {
    let (own, inside) = match block {
        ContentBlock::Document(document) => (Some(document), [].as_slice()),
        ContentBlock::ToolResult(result) => (None, result.content.as_slice()),
        _ => (None, [].as_slice()),
    };
    own.into_iter().chain(inside.iter().filter_map(|part| match part {
        ToolResultContent::Document(document) => Some(document),
        _ => None,
    }))
}

/// The name with a number behind it. All characters are of one byte.
fn numbered(name: &str, number: u32) -> String {
    let number = format!(" ({number})");
    let kept = name.get(..LONGEST - number.len()).unwrap_or(name);
    format!("{}{number}", kept.trim_end())
}

/// Letters, digits, hyphens, brackets and single spaces; anything else becomes a hyphen.
fn allowed_name(name: &str) -> String {
    let mut allowed = String::with_capacity(name.len().min(LONGEST));
    for character in name.chars() {
        let character = match character {
            c if c.is_ascii_alphanumeric() || "-()[]".contains(c) => c,
            c if c.is_whitespace() => ' ',
            _ => '-',
        };
        if allowed.len() == LONGEST {
            break;
        }
        if !(character == ' ' && allowed.ends_with(' ')) {
            allowed.push(character);
        }
    }
    if allowed.trim().is_empty() {
        return "document".to_owned();
    }
    allowed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strands_core::message::DocumentFormat;

    use super::*;

    fn named(names: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut fixed = DocumentNames::default();
        let block = |name: String| ContentBlock::Document(DocumentBlock::new(name, DocumentFormat::Txt, vec![1]));
        let blocks: Vec<_> = names.into_iter().map(block).collect();
        let names = blocks.iter().map(|block| match fixed.fix(Cow::Borrowed(block)).into_owned() {
            ContentBlock::Document(document) => document.name,
            other => panic!("{other:?}"),
        });
        names.collect()
    }

    #[test]
    fn documents_get_names_that_bedrock_accepts_once() {
        let names = ["notes", "Q3_report.pdf", "notes", "a  b", "", "\u{2003}", "notes (2)", "notes"];
        assert_eq!(
            named(names.map(str::to_owned)),
            ["notes", "Q3-report-pdf", "notes (2)", "a b", "document", "document (2)", "notes (2) (2)", "notes (3)"]
        );
    }

    #[test]
    fn many_documents_of_one_name_are_no_work() {
        let names = named((0..20_000).map(|_| "x".repeat(300)));
        assert_eq!(names.last().map(String::len), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn whatever_a_name_is_it_may_be_sent(names in prop::collection::vec("([a_é ]{0,3}|.{190,210})( \\([0-9]\\))?", 0..8)) {
            let fixed = named(names);
            for (at, name) in fixed.iter().enumerate() {
                prop_assert!((1..=LONGEST).contains(&name.len()) && !name.contains("  ") && !name.trim().is_empty());
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || " -()[]".contains(c)), "{}", name);
                prop_assert!(!fixed[..at].contains(name), "{}", name);
            }
        }
    }
}
