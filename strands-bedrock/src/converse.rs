//! Reader of Converse responses: one JSON document, converted to the events of a stream.

use serde_json::Value;
use strands_core::lenient_json;
use strands_core::message::{ContentBlock, ReasoningContent};
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{ErrorDetails, ModelError, ReasoningDelta, StreamEvent, ToolUseStart};

use crate::PROVIDER;
use crate::provider_content;
use crate::stream_reader::CallFacts;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    output: Output,
    stop_reason: strands_core::models::StopReason,
    usage: Option<Box<Value>>,
    #[serde(default)]
    metrics: ModelMetrics,
    additional_model_response_fields: Option<Box<Value>>,
    trace: Option<Box<Value>>,
}

#[derive(serde::Deserialize)]
struct Output {
    message: OutputMessage,
}

#[derive(serde::Deserialize)]
struct OutputMessage {
    #[serde(default)]
    content: Vec<Value>,
}

/// Returns the events of a response.
///
/// # Errors
///
/// Returns [`ModelError::Protocol`] if the response is invalid, or the error that its stop reason stands for.
pub(crate) fn events(body: &[u8], facts: &CallFacts) -> Result<Vec<StreamEvent>, ModelError> {
    let malformed = |error| ModelError::Protocol {
        what: "invalid response of Converse".to_owned(),
        details: ErrorDetails::new().with_source(error).boxed(),
    };
    let response: Response = lenient_json::from_slice(body).map_err(malformed)?;
    facts.check_stop_reason(&response.stop_reason)?;
    let mut events = vec![StreamEvent::start_from(PROVIDER)];
    for (index, block) in response.output.message.content.into_iter().enumerate() {
        if provider_content::is_provider_content(&block) {
            events.extend(provider_content::events(index, block));
        } else {
            let block = serde_json::from_value(block).map_err(malformed)?;
            block_events(index, block, &mut events);
        }
    }
    let redaction = facts.redaction.event(response.trace.as_deref(), Some(&response.stop_reason));
    events.push(StreamEvent::MessageStop {
        stop_reason: response.stop_reason,
        additional_model_response_fields: response.additional_model_response_fields,
    });
    events.extend(redaction);
    let usage = match response.usage.as_deref() {
        Some(usage) => <Usage as serde::Deserialize>::deserialize(usage).map_err(malformed)?,
        None => Usage::default(),
    };
    events.push(StreamEvent::Metadata {
        usage,
        metrics: response.metrics,
        trace: response.trace,
        provider_usage: response.usage.map(|usage| (*usage).into()),
    });
    Ok(events)
}

fn block_events(index: usize, block: ContentBlock, events: &mut Vec<StreamEvent>) {
    match block {
        ContentBlock::Text(text) => events.push(StreamEvent::text(index, text.text)),
        ContentBlock::ToolUse(call) => {
            let start = ToolUseStart::new(call.tool_use_id, call.name);
            events.push(StreamEvent::tool_use(index, start));
            events.push(StreamEvent::tool_input(index, call.input.to_string()));
        }
        ContentBlock::Reasoning(reasoning) => {
            events.extend(reasoning_deltas(reasoning).map(|delta| StreamEvent::reasoning(index, delta)));
        }
        ContentBlock::Citations(citations) => {
            let text: String = citations.content.into_iter().map(|part| part.text).collect();
            events.push(StreamEvent::text(index, text));
            for citation in citations.citations {
                events.push(StreamEvent::citation(index, citation));
            }
        }
        media @ (ContentBlock::Image(_)
        | ContentBlock::Document(_)
        | ContentBlock::Video(_)
        | ContentBlock::Audio(_)) => {
            events.push(StreamEvent::media(index, media));
        }
        // Kinds without a stream event.
        _ => return,
    }
    events.push(StreamEvent::block_stop(index));
}

fn reasoning_deltas(reasoning: ReasoningContent) -> impl Iterator<Item = ReasoningDelta> {
    let signed_text = reasoning.reasoning_text.map(|text| {
        let signature = text.signature.filter(|signature| !signature.is_empty());
        [Some(ReasoningDelta::Text(text.text)), signature.map(ReasoningDelta::Signature)]
    });
    let redacted = reasoning.redacted_content.map(ReasoningDelta::RedactedContent);
    signed_text.into_iter().flatten().flatten().chain(redacted)
}
