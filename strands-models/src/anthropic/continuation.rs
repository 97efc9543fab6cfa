//! An answer that pauses. Where the provider's own tools run for long it stops with `pause_turn`, and goes on when it is
//! given back what it has said: for whoever listens it is one answer. Source:
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>.

use futures_util::{StreamExt as _, stream};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use strands_core::metrics::ModelMetrics;
use strands_core::models::{ErrorDetails, ModelError, ModelStream, StopReason, StreamEvent, TurnBuilder};

use super::messages::given_back;
use super::stream::MessagesReader;
use super::usage::{add, usage};
use crate::http::Exchange;

/// How often an answer is continued. After that it ends with the stop reason `pause_turn`, and the next prompt goes on
/// from there.
const MOST: usize = 10;

/// Asks, and asks again as often as the answer pauses. The conversation has to be the end of the body.
pub(super) async fn ask(exchange: &Exchange, body: Vec<u8>) -> Result<ModelStream, ModelError> {
    let answer = send(exchange, body.clone()).await?;
    let answer = Box::new(Answer {
        exchange: exchange.clone(),
        body,
        answer,
        part: TurnBuilder::new(exchange.max_response_bytes),
        said: Vec::new(),
        first_block: 0,
        next_block: 0,
        continued: 0,
        paused: None,
        usage: Map::new(),
    });
    Ok(Box::pin(stream::try_unfold(answer, |mut answer| async move {
        let event = answer.next().await?;
        Ok(event.map(|event| (event, answer)))
    })))
}

async fn send(exchange: &Exchange, body: Vec<u8>) -> Result<ModelStream, ModelError> {
    exchange.ask(body, super::error::sort, MessagesReader::new).await
}

struct Answer {
    exchange: Exchange,
    /// The first request.
    body: Vec<u8>,
    answer: ModelStream,
    /// What this part of the answer has said so far.
    part: TurnBuilder,
    /// The blocks of the parts before it, as they go back.
    said: Vec<Box<RawValue>>,
    /// The index that the first block of this part has in the whole.
    first_block: usize,
    next_block: usize,
    continued: usize,
    /// This part has paused; where its tools ran, if it said so.
    paused: Option<Option<String>>,
    usage: Map<String, Value>,
}

impl Answer {
    async fn next(&mut self) -> Result<Option<StreamEvent>, ModelError> {
        loop {
            let Some(mut event) = self.answer.next().await.transpose()? else {
                let Some(container) = self.paused.take() else {
                    return Ok(None);
                };
                self.go_on(container).await?;
                continue;
            };
            self.place(&mut event);
            self.part.push(&event)?;
            match event {
                StreamEvent::MessageStart { .. } if self.continued > 0 => {}
                StreamEvent::MessageStop { stop_reason, additional_model_response_fields: fields }
                    if self.goes_on(&stop_reason) =>
                {
                    let id = fields.as_ref().and_then(|fields| fields.get("container")?.get("id")?.as_str());
                    self.paused = Some(id.map(str::to_owned));
                }
                // What this part has cost so far.
                StreamEvent::Metadata { provider_usage: None, usage: told, metrics, .. } => {
                    let mut all = usage(&self.usage);
                    all.add(told);
                    return Ok(Some(StreamEvent::metadata(all, metrics)));
                }
                StreamEvent::Metadata { provider_usage, metrics, .. } => {
                    if let Some(Value::Object(raw)) = provider_usage.map(|raw| *raw) {
                        add(&mut self.usage, raw);
                    }
                    if self.paused.is_none() {
                        return Ok(Some(self.cost(metrics)));
                    }
                }
                event => return Ok(Some(event)),
            }
        }
    }

    /// A part in which nothing was said can't be given back.
    fn goes_on(&self, stop_reason: &StopReason) -> bool {
        stop_reason.as_str() == "pause_turn" && self.continued < MOST && self.next_block > self.first_block
    }

    /// What all parts together cost.
    fn cost(&mut self, metrics: ModelMetrics) -> StreamEvent {
        let raw = std::mem::take(&mut self.usage);
        StreamEvent::metadata(usage(&raw), metrics).with_provider_usage(Value::Object(raw))
    }

    /// Gives a block its place in the whole.
    fn place(&mut self, event: &mut StreamEvent) {
        if let StreamEvent::ContentBlockStart { content_block_index: at, .. }
        | StreamEvent::ContentBlockDelta { content_block_index: at, .. }
        | StreamEvent::ContentBlockStop { content_block_index: at } = event
        {
            *at = at.saturating_add(self.first_block);
            self.next_block = self.next_block.max(at.saturating_add(1));
        }
    }

    /// Gives back what was said so far.
    async fn go_on(&mut self, container: Option<String>) -> Result<(), ModelError> {
        let mut part = std::mem::replace(&mut self.part, TurnBuilder::new(self.exchange.max_response_bytes));
        // Nothing of it is to be taken for unfinished.
        part.push(&StreamEvent::stop(StopReason::EndTurn))?;
        let unsendable = |error| ModelError::InvalidRequest { details: ErrorDetails::new().with_source(error).boxed() };
        for block in given_back(&part.finish()?.message) {
            self.said.push(to_raw_value(&block).map_err(unsendable)?);
        }
        let body = continued(&self.body, &self.said, container.as_deref()).map_err(unsendable)?;
        self.first_block = self.next_block;
        self.continued += 1;
        self.answer = send(&self.exchange, body).await?;
        Ok(())
    }
}

/// The first request with what was said since at its end, in the container in which the provider's tools ran.
fn continued(body: &[u8], said: &[Box<RawValue>], container: Option<&str>) -> serde_json::Result<Vec<u8>> {
    let mut continued = Vec::with_capacity(body.len() + 1024);
    let body = body.strip_suffix(b"]}").unwrap_or(body);
    match (container, body.strip_prefix(b"{")) {
        (Some(container), Some(fields)) => {
            continued.extend_from_slice(br#"{"container":"#);
            serde_json::to_writer(&mut continued, container)?;
            continued.push(b',');
            continued.extend_from_slice(fields);
        }
        _ => continued.extend_from_slice(body),
    }
    continued.extend_from_slice(br#",{"role":"assistant","content":"#);
    serde_json::to_writer(&mut continued, said)?;
    continued.extend_from_slice(b"}]}");
    Ok(continued)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_goes_on_with_what_was_said() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":[]}]}"#;
        let said = [to_raw_value(&json!({"type": "text", "text": "a"})).unwrap()];
        let sent: Value = serde_json::from_slice(&continued(body, &said, Some("c\"1")).unwrap()).unwrap();
        assert_eq!(
            sent,
            json!({"container": "c\"1", "model": "m", "messages": [{"role": "user", "content": []},
                {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]})
        );
        let sent: Value = serde_json::from_slice(&continued(body, &said, None).unwrap()).unwrap();
        assert!(sent.get("container").is_none());
    }
}
