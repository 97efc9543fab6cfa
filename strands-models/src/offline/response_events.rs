//! Stream events of a step: words and chunks of arguments, as a provider would stream them.

use serde_json::Value;
use strands_core::message::Message;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{ModelRequest, StopReason, StreamEvent, ToolUseStart, estimate_tokens};

use super::OfflineStep;

/// Prefix of call ids. A number follows.
const ID_PREFIX: &str = "offline_";
/// Characters of tool arguments in one event.
const ARGUMENT_CHUNK: usize = 16;

/// Returns the events of a response.
pub(super) fn events(request: &ModelRequest<'_>, step: &OfflineStep) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::start()];
    let mut index = 0;
    if !step.text().is_empty() {
        events.extend(words(step.text()).map(|word| StreamEvent::text(index, word)));
        events.push(StreamEvent::block_stop(index));
        index += 1;
    }
    let calls = step.tool_calls();
    let stop_reason = if calls.len() == 0 { StopReason::EndTurn } else { StopReason::ToolUse };
    let mut output_tokens = (step.text().chars().count() as u64).div_ceil(4);
    for ((tool, input), number) in calls.zip(next_call_number(request)..) {
        let input = arguments(input);
        output_tokens += ((tool.len() + input.len()) as u64).div_ceil(4);
        let start = ToolUseStart::new(format!("{ID_PREFIX}{number}"), tool);
        events.push(StreamEvent::tool_use(index, start));
        events.extend(chunks(&input).map(|chunk| StreamEvent::tool_input(index, chunk)));
        events.push(StreamEvent::block_stop(index));
        index += 1;
    }
    events.push(StreamEvent::stop(stop_reason));
    let usage = Usage::new(estimate_tokens(request), output_tokens);
    events.push(StreamEvent::metadata(usage, ModelMetrics::default()));
    events
}

/// Returns the number after the highest in the conversation, so that ids stay unique even when a conversation manager has
/// trimmed older messages.
fn next_call_number(request: &ModelRequest<'_>) -> u64 {
    let taken = request
        .messages
        .iter()
        .flat_map(|message: &std::sync::Arc<Message>| message.tool_uses())
        .filter_map(|call| call.tool_use_id.strip_prefix(ID_PREFIX)?.parse::<u64>().ok())
        .max();
    taken.map_or(1, |taken| taken.saturating_add(1))
}

fn arguments(input: &Value) -> String {
    match input {
        Value::Null => "{}".to_owned(),
        input => input.to_string(),
    }
}

/// Splits a text into words, each with the white space after it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.find(|c: char| !c.is_whitespace())?;
        let gap = rest.get(word..)?.find(char::is_whitespace).map(|at| word + at);
        let next = gap.and_then(|gap| {
            let after = rest.get(gap..)?.find(|c: char| !c.is_whitespace())?;
            Some(gap + after)
        });
        let (chunk, remaining) = rest.split_at_checked(next.unwrap_or(rest.len()))?;
        rest = remaining;
        Some(chunk)
    })
}

/// Splits a text into chunks of [`ARGUMENT_CHUNK`] characters.
fn chunks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(ARGUMENT_CHUNK).map_or(rest.len(), |(at, _)| at);
        let (chunk, remaining) = rest.split_at_checked(end)?;
        rest = remaining;
        (!chunk.is_empty()).then_some(chunk)
    })
}
