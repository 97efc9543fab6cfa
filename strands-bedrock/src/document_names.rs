//! Document names that Bedrock accepts: at most 200 characters of a limited set, and unique in a conversation.

use std::borrow::Cow;
use std::collections::HashMap;

use strands_core::message::{ContentBlock, DocumentBlock, ToolResultContent};

/// Maximum length of a name, in bytes.
const MAX_LENGTH: usize = 200;

/// Document names of a conversation. Names are assigned in order, so a document keeps its name when the conversation grows.
#[derive(Default)]
pub(crate) struct DocumentNames {
    /// Assigned names, with the number of the latest document of that name.
    assigned: HashMap<String, u32>,
}

impl DocumentNames {
    /// Returns a block whose documents have allowed and unique names.
    pub(crate) fn fix<'a>(&mut self, block: Cow<'a, ContentBlock>) -> Cow<'a, ContentBlock> {
        let names: Vec<_> = documents(&block).map(|document| self.replacement(&document.name)).collect();
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

    /// Returns another name if this one is not allowed, or already assigned.
    fn replacement(&mut self, name: &str) -> Option<String> {
        let allowed = allowed_name(name);
        let mut number = self.assigned.get(&allowed).copied().unwrap_or_default();
        let unique = loop {
            number = number.saturating_add(1);
            let unique = if number == 1 { allowed.clone() } else { numbered(&allowed, number) };
            if !self.assigned.contains_key(&unique) {
                break unique;
            }
        };
        self.assigned.insert(allowed, number);
        self.assigned.entry(unique.clone()).or_insert(1);
        (unique != name).then_some(unique)
    }
}

/// Returns true if the block is a document or has documents.
pub(crate) fn has_documents(block: &ContentBlock) -> bool {
    documents(block).next().is_some()
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

/// Appends a number to a name. All characters of the name are ASCII.
fn numbered(name: &str, number: u32) -> String {
    let number = format!(" ({number})");
    let prefix = name.get(..MAX_LENGTH - number.len()).unwrap_or(name);
    format!("{}{number}", prefix.trim_end())
}

/// Returns a name of letters, digits, hyphens, brackets and single spaces. Other characters become hyphens.
fn allowed_name(name: &str) -> String {
    let mut allowed = String::with_capacity(name.len().min(MAX_LENGTH));
    for character in name.chars() {
        let character = match character {
            c if c.is_ascii_alphanumeric() || "-()[]".contains(c) => c,
            c if c.is_whitespace() => ' ',
            _ => '-',
        };
        if allowed.len() == MAX_LENGTH {
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
    fn assigns_allowed_and_unique_names() {
        let names = ["notes", "Q3_report.pdf", "notes", "a  b", "", "\u{2003}", "notes (2)", "notes"];
        assert_eq!(
            named(names.map(str::to_owned)),
            ["notes", "Q3-report-pdf", "notes (2)", "a b", "document", "document (2)", "notes (2) (2)", "notes (3)"]
        );
    }

    #[test]
    fn names_many_documents_with_the_same_name_quickly() {
        let names = named((0..20_000).map(|_| "x".repeat(300)));
        assert_eq!(names.last().map(String::len), Some(MAX_LENGTH));
    }

    proptest! {
        #[test]
        fn every_name_becomes_an_allowed_one(names in prop::collection::vec("([a_é ]{0,3}|.{190,210})( \\([0-9]\\))?", 0..8)) {
            let fixed = named(names);
            for (at, name) in fixed.iter().enumerate() {
                prop_assert!((1..=MAX_LENGTH).contains(&name.len()) && !name.contains("  ") && !name.trim().is_empty());
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || " -()[]".contains(c)), "{}", name);
                prop_assert!(!fixed[..at].contains(name), "{}", name);
            }
        }
    }
}
