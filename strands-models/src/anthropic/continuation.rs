//! Continuation of paused responses. A response with long-running server tools stops with `pause_turn`, and continues when
//! its content is sent back. The parts are one response for the caller. Source:
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>.

use futures_util::{StreamExt as _, stream};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use strands_core::metrics::ModelMetrics;
use strands_core::models::{ErrorDetails, ModelError, ModelStream, StopReason, StreamEvent, TurnBuilder};

use super::messages::continued_blocks;
use super::stream_reader::MessagesReader;
use super::usage::{add, usage};
use crate::http::{Deadline, Exchange};

/// Maximum number of continuations. After that the response ends with the stop reason `pause_turn`, and the next prompt
/// continues it.
const MAX_CONTINUATIONS: usize = 10;

/// Sends a request, and continues the response each time it pauses. The conversation must be the last field of the body.
pub(super) async fn ask(exchange: &Exchange, body: Vec<u8>) -> Result<ModelStream, ModelError> {
    let deadline = exchange.endpoint.deadline();
    let stream = send(exchange, deadline, body.clone()).await?;
    let response = Box::new(ContinuedResponse {
        exchange: exchange.clone(),
        deadline,
        body,
        part_stream: stream,
        part: TurnBuilder::new(exchange.max_response_bytes),
        previous: Vec::new(),
        first_block: 0,
        next_block: 0,
        continued: 0,
        paused: None,
        usage: Map::new(),
    });
    Ok(Box::pin(stream::try_unfold(response, |mut response| async move {
        let event = response.next().await?;
        Ok(event.map(|event| (event, response)))
    })))
}

async fn send(exchange: &Exchange, deadline: Option<Deadline>, body: Vec<u8>) -> Result<ModelStream, ModelError> {
    exchange.ask_until(deadline, body, super::error::classify, MessagesReader::new).await
}

/// A response of several parts.
struct ContinuedResponse {
    exchange: Exchange,
    /// Deadline of all parts together.
    deadline: Option<Deadline>,
    /// The first request.
    body: Vec<u8>,
    part_stream: ModelStream,
    /// Content of the current part.
    part: TurnBuilder,
    /// Serialized blocks of the previous parts.
    previous: Vec<Box<RawValue>>,
    /// Index of this part's first block in the response.
    first_block: usize,
    next_block: usize,
    continued: usize,
    /// Set when this part has paused, with the id of the tools' container, if any.
    paused: Option<Option<String>>,
    usage: Map<String, Value>,
}

impl ContinuedResponse {
    async fn next(&mut self) -> Result<Option<StreamEvent>, ModelError> {
        loop {
            let Some(mut event) = self.part_stream.next().await.transpose()? else {
                let Some(container) = self.paused.take() else {
                    return Ok(None);
                };
                self.continue_response(container).await?;
                continue;
            };
            self.shift_index(&mut event);
            self.part.push(&event)?;
            match event {
                StreamEvent::MessageStart { .. } if self.continued > 0 => {}
                StreamEvent::MessageStop { stop_reason, additional_model_response_fields: fields }
                    if self.continues(&stop_reason) =>
                {
                    let id = fields.as_ref().and_then(|fields| fields.get("container")?.get("id")?.as_str());
                    self.paused = Some(id.map(str::to_owned));
                }
                // Usage of this part so far.
                StreamEvent::Metadata { provider_usage: None, usage: partial, metrics, .. } => {
                    let mut all = usage(&self.usage);
                    all.add(partial);
                    return Ok(Some(StreamEvent::metadata(all, metrics)));
                }
                StreamEvent::Metadata { provider_usage, metrics, .. } => {
                    if let Some(Value::Object(raw)) = provider_usage.map(Value::from) {
                        add(&mut self.usage, raw);
                    }
                    if self.paused.is_none() {
                        return Ok(Some(self.total_usage(metrics)));
                    }
                }
                event => return Ok(Some(event)),
            }
        }
    }

    /// True for a paused part that can be continued: an empty one can't be sent back.
    fn continues(&self, stop_reason: &StopReason) -> bool {
        stop_reason.as_str() == "pause_turn" && self.continued < MAX_CONTINUATIONS && self.next_block > self.first_block
    }

    /// Returns the usage of all parts.
    fn total_usage(&mut self, metrics: ModelMetrics) -> StreamEvent {
        let raw = std::mem::take(&mut self.usage);
        StreamEvent::metadata(usage(&raw), metrics).with_provider_usage(Value::Object(raw))
    }

    /// Converts a block's index in this part to its index in the response.
    fn shift_index(&mut self, event: &mut StreamEvent) {
        if let StreamEvent::ContentBlockStart { content_block_index: at, .. }
        | StreamEvent::ContentBlockDelta { content_block_index: at, .. }
        | StreamEvent::ContentBlockStop { content_block_index: at } = event
        {
            *at = at.saturating_add(self.first_block);
            self.next_block = self.next_block.max(at.saturating_add(1));
        }
    }

    /// Sends the content back, and reads the next part.
    async fn continue_response(&mut self, container: Option<String>) -> Result<(), ModelError> {
        let mut part = std::mem::replace(&mut self.part, TurnBuilder::new(self.exchange.max_response_bytes));
        // Ends the part's turn, so that its content counts as complete.
        part.push(&StreamEvent::stop(StopReason::EndTurn))?;
        let unsendable = |error| ModelError::InvalidRequest { details: ErrorDetails::new().with_source(error).boxed() };
        for block in continued_blocks(&part.finish()?.message) {
            self.previous.push(to_raw_value(&block).map_err(unsendable)?);
        }
        let body = continued(&self.body, &self.previous, container.as_deref()).map_err(unsendable)?;
        self.first_block = self.next_block;
        self.continued += 1;
        self.part_stream = send(&self.exchange, self.deadline, body).await?;
        Ok(())
    }
}

/// Returns the body of the first request with the previous parts appended, and the container of the server tools.
fn continued(body: &[u8], previous: &[Box<RawValue>], container: Option<&str>) -> serde_json::Result<Vec<u8>> {
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
    serde_json::to_writer(&mut continued, previous)?;
    continued.extend_from_slice(b"}]}");
    Ok(continued)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::TryStreamExt as _;
    use serde_json::json;
    use strands_core::message::Message;
    use strands_core::models::{Model as _, ModelRequest};
    use strands_testkit::{Response, Server};

    use super::*;
    use crate::AnthropicModel;

    #[test]
    fn appends_previous_parts_to_the_request() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":[]}]}"#;
        let previous = [to_raw_value(&json!({"type": "text", "text": "a"})).unwrap()];
        let sent: Value = serde_json::from_slice(&continued(body, &previous, Some("c\"1")).unwrap()).unwrap();
        assert_eq!(
            sent,
            json!({"container": "c\"1", "model": "m", "messages": [{"role": "user", "content": []},
                {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]})
        );
        let sent: Value = serde_json::from_slice(&continued(body, &previous, None).unwrap()).unwrap();
        assert!(sent.get("container").is_none());
    }

    #[tokio::test]
    async fn limits_all_parts_together_by_the_total_timeout() {
        let server = Server::handler(|_| {
            std::thread::sleep(Duration::from_millis(60));
            let text = json!({"type": "text", "text": "Looking."});
            let response = json!({"type": "message", "role": "assistant", "content": [text], "stop_reason": "pause_turn",
                "usage": {"input_tokens": 1, "output_tokens": 1}});
            Response::json(200, &response)
        })
        .await;
        let builder = AnthropicModel::builder().base_url(server.url()).streaming(false);
        let search = json!({"type": "web_search_20250305", "name": "web_search"});
        let after = Duration::from_millis(200);
        let model = builder.server_tool(search).timeout(after).build().unwrap();
        let messages = [Arc::new(Message::user("Is it so?"))];
        let read = async { model.stream(ModelRequest::new(&messages)).await?.try_collect::<Vec<_>>().await };
        let error = read.await.unwrap_err();
        assert!(matches!(error, ModelError::Timeout { after: Some(total), .. } if total == after), "{error}");
        assert!(server.requests().len() < MAX_CONTINUATIONS, "{}", server.requests().len());
    }
}
