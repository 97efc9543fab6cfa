//! Offloading of large tool results to a store: the model gets a preview, and a tool to read the rest.

use std::sync::Arc;

use async_trait::async_trait;
use regex_lite::RegexBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::hook::{AfterToolCall, Hook, HookResult};
use crate::message::{ToolResultContent, random_uuid};
use crate::models::estimate;
use crate::session::ContentStore;
use crate::tool::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};

/// Name of the tool that reads offloaded content.
const RETRIEVE: &str = "retrieve_offloaded_content";

/// Maximum number of tokens in one result of the tool.
const MAX_TOKENS: usize = 10_000;

/// Ratio that [`estimate`] uses.
const CHARACTERS_PER_TOKEN: usize = 4;

/// Maximum length of a line, in characters. Longer lines are split, so that text without line breaks can be read in parts.
const MAX_LINE: usize = 1_000;

/// Maximum size of a compiled pattern, which comes from the model.
const PATTERN_BYTES: usize = 64 * 1024;

/// Moves large tool results from the conversation to a store.
///
/// The model gets a preview of the beginning and the end, with a reference. With the reference, the tool
/// `retrieve_offloaded_content` reads lines by number or by pattern, at most 10,000 tokens at once.
///
/// The conversation, its session and its events contain only the preview. Offloading runs after all other hooks, so it
/// stores redacted results only. Media stay in the conversation, and so does a result that the store fails to write.
///
/// ```
/// use strands::{Agent, conversation::ToolResultOffloader, session::InMemoryContentStore};
///
/// let offloader = ToolResultOffloader::new(InMemoryContentStore::default()).threshold(4_000);
/// let builder = Agent::builder().offload_tool_results(offloader);
/// ```
#[derive(Clone)]
pub struct ToolResultOffloader {
    store: Arc<dyn ContentStore>,
    threshold: u64,
    preview: u64,
}

impl ToolResultOffloader {
    /// Creates an offloader with this store.
    ///
    /// Agents that share a store can read each other's results only with their references, which can't be guessed.
    pub fn new(store: impl ContentStore + 'static) -> Self {
        Self { store: Arc::new(store), threshold: 2_500, preview: 1_000 }
    }

    /// Maximum size of a result's text and JSON that is not offloaded, in estimated tokens. Default: 2,500.
    #[must_use]
    pub fn threshold(mut self, tokens: u64) -> Self {
        self.threshold = tokens;
        self
    }

    /// Size of the preview, in estimated tokens. Default: 1,000; maximum: half of the threshold.
    #[must_use]
    pub fn preview(mut self, tokens: u64) -> Self {
        self.preview = tokens;
        self
    }

    pub(crate) fn tool(&self) -> impl Tool + use<> {
        RetrieveTool { spec: spec(), store: Arc::clone(&self.store) }
    }

    fn previewed(&self, content: &str, reference: &str) -> String {
        let tokens = usize::try_from(self.preview.min(self.threshold / 2)).unwrap_or(usize::MAX);
        let shown = tokens.saturating_mul(CHARACTERS_PER_TOKEN);
        let characters = content.chars().count();
        let head: String = content.chars().take(shown - shown * 2 / 5).collect();
        let tail: String = content.chars().skip(characters.saturating_sub(shown * 2 / 5)).collect();
        format!(
            "[Offloaded: ~{} tokens in {} lines; the beginning and the end follow. Read more with `{RETRIEVE}`.] \
             [ref: {reference}]\n{head}\n... [{} characters left out] ...\n{tail}",
            estimate::text(content),
            lines(content).count(),
            characters.saturating_sub(shown),
        )
    }
}

#[async_trait]
#[diagnostic::do_not_recommend]
impl Hook for ToolResultOffloader {
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        // Direct calls by the program return the whole result.
        if event.retry || event.context.is_direct() || event.tool_use.name == RETRIEVE {
            return Ok(());
        }
        let texts: Vec<String> = event.result.content.iter().filter_map(part_text).collect();
        let content = texts.join("\n");
        if estimate::text(&content) <= self.threshold {
            return Ok(());
        }
        let reference = format!("offloaded-{}", random_uuid());
        if self.store.put(&reference, &content).await.is_ok() {
            event.result.content.retain(|part| part_text(part).is_none());
            event.result.content.insert(0, ToolResultContent::Text(self.previewed(&content, &reference)));
        }
        Ok(())
    }
}

impl std::fmt::Debug for ToolResultOffloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolResultOffloader")
            .field("threshold", &self.threshold)
            .field("preview", &self.preview)
            .finish_non_exhaustive()
    }
}

/// Returns the text of a text or JSON part. JSON is pretty-printed, so that it can be read by lines.
fn part_text(part: &ToolResultContent) -> Option<String> {
    match part {
        ToolResultContent::Text(text) => Some(text.clone()),
        ToolResultContent::Json(json) => Some(format!("{json:#}")),
        _ => None,
    }
}

/// Returns the lines of a text. Long lines are split.
fn lines(content: &str) -> impl Iterator<Item = &str> {
    content.lines().flat_map(|line| {
        let mut rest = Some(line);
        std::iter::from_fn(move || {
            let line = rest?;
            let end = line.char_indices().nth(MAX_LINE).map(|(at, _)| at);
            let (this, next) =
                end.and_then(|end| line.split_at_checked(end)).map_or((line, None), |(a, b)| (a, Some(b)));
            rest = next;
            Some(this)
        })
    })
}

/// The tool that reads offloaded content.
struct RetrieveTool {
    spec: ToolSpec,
    store: Arc<dyn ContentStore>,
}

#[derive(Deserialize)]
struct RetrieveInput {
    reference: String,
    pattern: Option<String>,
    line_range: Option<LineRange>,
}

#[derive(Clone, Copy, Deserialize)]
struct LineRange {
    start: usize,
    end: usize,
}

fn spec() -> ToolSpec {
    let line =
        |which: &str| json!({"type": "integer", "minimum": 1, "description": format!("The {which} line, from 1.")});
    let range = json!({
        "type": "object",
        "properties": {"start": line("first"), "end": line("last")},
        "required": ["start", "end"],
        "description": "Only these lines.",
    });
    ToolSpec::new(
        RETRIEVE,
        "Reads a long tool result of which the conversation has only a preview: all of it, some lines, or the lines that \
         match a pattern. At most 10,000 tokens at once.",
        json!({
            "type": "object",
            "properties": {
                "reference": {"type": "string", "description": "The reference after `ref:` in the preview."},
                "pattern": {
                    "type": "string",
                    "description": "A regular expression: only lines that match it, with their numbers.",
                },
                "line_range": range,
            },
            "required": ["reference"],
        }),
    )
}

#[async_trait]
#[diagnostic::do_not_recommend]
impl Tool for RetrieveTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let wanted: RetrieveInput =
            serde_json::from_value(input).map_err(|error| ToolError::invalid_input(error.to_string()))?;
        let content = self.store.get(&wanted.reference).await.map_err(ToolError::from_source)?;
        let Some(content) = content else {
            let reference = wanted.reference;
            return Ok(ToolOutput::error(format!(
                "no content `{reference}`, or it has been deleted; call the original tool again"
            )));
        };
        read(&content, &wanted).map(ToolOutput::text)
    }
}

fn read(content: &str, wanted: &RetrieveInput) -> Result<String, ToolError> {
    let pattern = wanted.pattern.as_ref().map(|pattern| {
        let compiled = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
        compiled
            .map_err(|error| ToolError::invalid_input(format!("`pattern` is not a valid regular expression: {error}")))
    });
    let pattern = pattern.transpose()?;
    let all = lines(content).count();
    let range = wanted.line_range.unwrap_or(LineRange { start: 1, end: all });
    if range.start > all || range.end < range.start.max(1) {
        return Err(ToolError::invalid_input(format!("`line_range` must lie within the lines 1 to {all}")));
    }
    let numbered =
        (1..).zip(lines(content)).skip(range.start.max(1) - 1).take_while(|(number, _)| *number <= range.end);
    let mut found =
        numbered.filter(|(_, line)| pattern.as_ref().is_none_or(|pattern| pattern.is_match(line))).peekable();
    let mut output = match (&pattern, found.peek()) {
        (Some(_), None) => return Ok(format!("[no line from {} to {} matches]", range.start, range.end.min(all))),
        (Some(_), _) => format!("[matching lines of {all}]\n"),
        (None, _) => format!("[lines {} to {} of {all}]\n", range.start.max(1), range.end.min(all)),
    };
    let mut left = MAX_TOKENS * CHARACTERS_PER_TOKEN;
    for (number, line) in found {
        let line = if pattern.is_some() { format!("{number}: {line}\n") } else { format!("{line}\n") };
        match left.checked_sub(line.chars().count()) {
            Some(rest) => left = rest,
            None => {
                output.push_str(&format!("[maximum reached; continue from line {number}]"));
                break;
            }
        }
        output.push_str(&line);
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(content: &str, pattern: Option<&str>, range: Option<(usize, usize)>) -> Result<String, ToolError> {
        let line_range = range.map(|(start, end)| LineRange { start, end });
        read(content, &RetrieveInput { reference: String::new(), pattern: pattern.map(str::to_owned), line_range })
    }

    #[test]
    fn reads_lines_by_number_and_by_pattern() {
        let content = "one\ntwo\nthree\nfour";
        assert_eq!(reading(content, None, Some((2, 3))).unwrap(), "[lines 2 to 3 of 4]\ntwo\nthree\n");
        assert_eq!(
            reading(content, Some("o.*r|^t"), None).unwrap(),
            "[matching lines of 4]\n2: two\n3: three\n4: four\n"
        );
        assert_eq!(reading(content, Some("four"), Some((1, 3))).unwrap(), "[no line from 1 to 3 matches]");
        for wrong in [(5, 9), (3, 2), (0, 0)] {
            assert!(reading(content, None, Some(wrong)).unwrap_err().is_invalid_input());
        }
        assert!(reading(content, Some("("), None).unwrap_err().is_invalid_input());
        assert!(reading(content, Some("(((a{1000}){1000}){1000})"), None).unwrap_err().is_invalid_input());
    }

    #[test]
    fn reads_a_single_long_line_in_parts() {
        let content = "é".repeat(100_000);
        let mut read = String::new();
        let mut from = 1;
        loop {
            let part = reading(&content, None, Some((from, 1_000))).unwrap();
            assert!(part.chars().count() < 41_000);
            read.extend(part.lines().skip(1).filter(|line| !line.starts_with('[')));
            let Some((_, next)) = part.split_once("continue from line ") else { break };
            from = next.trim_end_matches(']').parse().unwrap();
        }
        assert_eq!(read, content);
    }
}
