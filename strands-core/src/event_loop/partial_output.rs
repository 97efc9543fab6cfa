//! Partial values of a structured output, read from a streamed response.

use serde_json::Value;

use super::partial_json::{PartialJson, Wrapping};
use crate::models::{BlockDelta, StreamEvent};
use crate::output_type::OutputType;

/// Reader of the structured output in the events of one response.
///
/// It reports values of one source only, since those of another would not continue them.
pub(super) struct PartialOutput {
    kind: OutputType,
    wrapping: Wrapping,
    /// True if the text of the response may be the output.
    is_text: bool,
    source: Source,
    /// True once a value was reported.
    has_reported: bool,
}

/// Content block to read, by its index.
enum Source {
    None,
    Text(usize, PartialJson),
    Arguments(usize, PartialJson),
    /// Further values would not continue those that were reported.
    Exhausted,
}

impl PartialOutput {
    pub(super) fn new(kind: OutputType, is_text: bool) -> Self {
        let wrapping = match kind.key() {
            None => Wrapping::None,
            Some(_) if kind.is_ambiguous() => Wrapping::Ambiguous,
            Some(key) => Wrapping::Field(key.to_owned()),
        };
        Self { kind, wrapping, is_text, source: Source::None, has_reported: false }
    }

    /// Reads an event. Returns the output so far if it has grown.
    pub(super) fn process(&mut self, event: &StreamEvent) -> Option<Value> {
        let value = match event {
            StreamEvent::ContentBlockStart { content_block_index: index, start } => {
                self.call(*index, &start.tool_use.as_ref()?.name);
                None
            }
            StreamEvent::ContentBlockDelta { content_block_index: index, delta } => match delta {
                BlockDelta::ToolUse(chunk) => self.arguments(*index, &chunk.input),
                BlockDelta::Text(chunk) if self.is_text && !chunk.is_empty() => self.text(*index, chunk),
                _ => None,
            },
            _ => None,
        };
        let output = self.output(value?)?;
        self.has_reported = true;
        Some(output)
    }

    /// Begins a tool call. The text of a response with calls is not the output.
    fn call(&mut self, index: usize, tool: &str) {
        self.is_text = false;
        let is_open = match &self.source {
            Source::None | Source::Text(..) => true,
            // The first call that fits counts, which may still be this one.
            Source::Arguments(_, json) => json.is_broken(),
            Source::Exhausted => false,
        };
        let is_other_text = matches!(self.source, Source::Text(..));
        if is_open && self.has_reported {
            self.source = Source::Exhausted;
        } else if is_open && tool == self.kind.name() {
            self.source = Source::Arguments(index, PartialJson::of_arguments(self.wrapping.clone()));
        } else if is_other_text {
            self.source = Source::None;
        }
    }

    fn arguments(&mut self, index: usize, chunk: &str) -> Option<Value> {
        match &mut self.source {
            Source::Arguments(open, json) if *open == index => json.push(chunk),
            _ => None,
        }
    }

    /// Reads text. Text blocks are joined with a line break.
    fn text(&mut self, index: usize, chunk: &str) -> Option<Value> {
        if let Source::None = self.source {
            self.source = Source::Text(index, PartialJson::of_text(self.wrapping.clone()));
        }
        let Source::Text(open, json) = &mut self.source else { return None };
        let seen = if *open == index { None } else { json.push("\n") };
        *open = index;
        json.push(chunk).or(seen)
    }

    /// Returns the output in a value. An object whose wrapping is ambiguous is complete here, so it can be validated.
    fn output(&self, value: Value) -> Option<Value> {
        if self.wrapping == Wrapping::Ambiguous && value.is_object() {
            self.kind.read(&value).ok()
        } else {
            Some(self.kind.restored(&value).into_owned())
        }
    }
}
