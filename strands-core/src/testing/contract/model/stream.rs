//! Checks of one response: the order of its events, and its end.

use std::collections::HashSet;

use futures_util::StreamExt;

use super::super::violation::{ContractViolation, Promise, ensure};
use crate::message::Role;
use crate::models::{Model, ModelError, ModelRequest, ModelStream, StreamEvent, TurnBuilder};

/// The most bytes of content that a response to the suite's requests may have.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The events of a stream, and its final error.
pub(super) struct ReadStream {
    pub(super) events: Vec<StreamEvent>,
    pub(super) error: Option<ModelError>,
}

/// Reads a stream to its end. An error must be the last item.
pub(super) async fn read_stream(mut stream: ModelStream) -> Result<ReadStream, ContractViolation> {
    let mut read_stream = ReadStream { events: Vec::new(), error: None };
    while let Some(item) = stream.next().await {
        match item {
            Ok(event) => read_stream.events.push(event),
            Err(error) => {
                let after = stream.next().await;
                let is_last = !matches!(after, Some(Ok(_)));
                ensure(is_last, Promise::ModelEventOrder, "nothing after an error", || format!("{after:?}"))?;
                read_stream.error = Some(error);
                break;
            }
        }
    }
    Ok(read_stream)
}

pub(super) fn failed_response(error: ModelError) -> ContractViolation {
    ContractViolation::error(Promise::ModelResponds, "a response", error)
}

/// Sends a request, and checks that the response is complete and in order.
pub(super) async fn responds<M: Model + ?Sized>(model: &M, request: ModelRequest<'_>) -> Result<(), ContractViolation> {
    let stream = model.stream(request).await.map_err(failed_response)?;
    let ReadStream { events, error } = read_stream(stream).await?;
    if let Some(error) = error {
        return Err(failed_response(error));
    }
    let stops = events.iter().filter(|event| matches!(event, StreamEvent::MessageStop { .. })).count();
    ensure(stops > 0, Promise::ModelStreamEnds, "a stop event or an error", || {
        format!("a stream that ends after {:?}", events.last())
    })?;
    in_order(&events)?;
    assembled(&events)
}

/// Checks that events are in the order of [`StreamEvent`].
fn in_order(events: &[StreamEvent]) -> Result<(), ContractViolation> {
    let mut order = EventOrder::default();
    events.iter().try_for_each(|event| {
        order.push(event).map_err(|expected| {
            let observed = format!("{event:?} among {} events", events.len());
            ContractViolation::new(Promise::ModelEventOrder, expected, observed)
        })
    })
}

/// The order of a response's events.
#[derive(Default)]
pub(in super::super) struct EventOrder {
    blocks: Blocks,
    started: bool,
    stopped: bool,
}

impl EventOrder {
    /// Returns true after the stop event.
    pub(in super::super) fn is_complete(&self) -> bool {
        self.stopped
    }

    /// Adds the next event. An error describes the expected order.
    pub(in super::super) fn push(&mut self, event: &StreamEvent) -> Result<(), &'static str> {
        match event {
            StreamEvent::RedactContent { .. } | StreamEvent::Guardrail { .. } => {}
            StreamEvent::Fallback { .. } if self.started => return Err("`Fallback` before `MessageStart`"),
            StreamEvent::Fallback { .. } => {}
            StreamEvent::MessageStart { .. } if self.started => return Err("`MessageStart` once"),
            StreamEvent::MessageStart { role, .. } if *role != Role::Assistant => {
                return Err("`MessageStart` of the assistant");
            }
            StreamEvent::MessageStart { .. } => self.started = true,
            _ if !self.started => return Err("`MessageStart` first"),
            // A provider may report usage at any time.
            StreamEvent::Metadata { .. } => {}
            _ if self.stopped => return Err("no content and no other stop after `MessageStop`"),
            StreamEvent::MessageStop { .. } if !self.blocks.open.is_empty() => {
                return Err("`ContentBlockStop` of every block before `MessageStop`");
            }
            StreamEvent::MessageStop { .. } => self.stopped = true,
            StreamEvent::ContentBlockStart { content_block_index, .. } => {
                if !self.blocks.begin(*content_block_index) {
                    return Err("`ContentBlockStart` before anything else of its block");
                }
            }
            StreamEvent::ContentBlockDelta { content_block_index, .. } => {
                if !self.blocks.open.contains(content_block_index) && !self.blocks.begin(*content_block_index) {
                    return Err("no delta of a block that has stopped");
                }
            }
            StreamEvent::ContentBlockStop { content_block_index } => {
                if !self.blocks.end(*content_block_index) {
                    return Err("`ContentBlockStop` once for each block");
                }
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Blocks {
    open: HashSet<usize>,
    ended: HashSet<usize>,
}

impl Blocks {
    fn begin(&mut self, index: usize) -> bool {
        !self.ended.contains(&index) && self.open.insert(index)
    }

    /// Ends a block. A block without content has only a stop event.
    fn end(&mut self, index: usize) -> bool {
        self.open.remove(&index);
        self.ended.insert(index)
    }
}

/// Checks that the events form a message.
fn assembled(events: &[StreamEvent]) -> Result<(), ContractViolation> {
    let mut turn = TurnBuilder::new(MAX_BYTES);
    let pushed = events.iter().try_for_each(|event| turn.push(event));
    let turn = pushed.and_then(|()| turn.finish());
    let expected = "events that form a message";
    turn.map(|_| ()).map_err(|error| ContractViolation::error(Promise::ModelEventOrder, expected, error))
}
