//! Partial values of a structured output, read from a response while it is streamed.

use serde_json::Value;

use super::partial_json::PartialJson;
use crate::model::{BlockDelta, StreamEvent};

/// Reader of the structured output in the events of one response.
#[derive(Debug)]
pub(super) struct PartialOutput<'a> {
    /// Name of the tool whose arguments are the output.
    tool: &'a str,
    /// The field of a wrapped output.
    key: Option<&'a str>,
    /// True if the text of the response is the output, too.
    is_text: bool,
    source: Source,
}

/// The content block that is read, by its index.
#[derive(Debug)]
enum Source {
    None,
    Text(usize, PartialJson),
    Arguments(usize, PartialJson),
}

impl<'a> PartialOutput<'a> {
    pub(super) fn new(tool: &'a str, key: Option<&'a str>, is_text: bool) -> Self {
        Self { tool, key, is_text, source: Source::None }
    }

    /// Reads an event. Returns the output so far if there is more of it.
    pub(super) fn take_in(&mut self, event: &StreamEvent) -> Option<Value> {
        match event {
            StreamEvent::ContentBlockStart { content_block_index: index, start } => {
                let start = start.tool_use.as_ref()?;
                // Of several calls in one response, the first counts.
                if start.name == self.tool && !matches!(self.source, Source::Arguments(..)) {
                    self.source = Source::Arguments(*index, PartialJson::of_arguments(self.key));
                }
                None
            }
            StreamEvent::ContentBlockDelta { content_block_index: index, delta } => match delta {
                BlockDelta::ToolUse(piece) => self.arguments(*index, &piece.input),
                BlockDelta::Text(piece) if self.is_text && !piece.is_empty() => self.text(*index, piece),
                _ => None,
            },
            _ => None,
        }
    }

    fn arguments(&mut self, index: usize, piece: &str) -> Option<Value> {
        match &mut self.source {
            Source::Arguments(open, json) if *open == index => json.push(piece),
            _ => None,
        }
    }

    /// Blocks of text are read as they are joined, with a line break between them.
    fn text(&mut self, index: usize, piece: &str) -> Option<Value> {
        if let Source::None = self.source {
            self.source = Source::Text(index, PartialJson::of_text(self.key));
        }
        let Source::Text(open, json) = &mut self.source else { return None };
        let seen = if *open == index { None } else { json.push("\n") };
        *open = index;
        json.push(piece).or(seen)
    }
}
