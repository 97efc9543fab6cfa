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
    let mut blocks = Blocks::default();
    let (mut started, mut stopped) = (false, false);
    for event in events {
        let wrong = |expected: &str| {
            ContractViolation::new(
                Promise::ModelEventOrder,
                expected,
                format!("{event:?} among {} events", events.len()),
            )
        };
        match event {
            StreamEvent::RedactContent { .. } | StreamEvent::Guardrail { .. } => {}
            StreamEvent::Fallback { .. } if started => return Err(wrong("`Fallback` before `MessageStart`")),
            StreamEvent::Fallback { .. } => {}
            StreamEvent::MessageStart { .. } if started => return Err(wrong("`MessageStart` once")),
            StreamEvent::MessageStart { role, .. } if *role != Role::Assistant => {
                return Err(wrong("`MessageStart` of the assistant"));
            }
            StreamEvent::MessageStart { .. } => started = true,
            _ if !started => return Err(wrong("`MessageStart` first")),
            // A provider may report usage at any time.
            StreamEvent::Metadata { .. } => {}
            _ if stopped => return Err(wrong("no content and no other stop after `MessageStop`")),
            StreamEvent::MessageStop { .. } if !blocks.open.is_empty() => {
                return Err(wrong("`ContentBlockStop` of every block before `MessageStop`"));
            }
            StreamEvent::MessageStop { .. } => stopped = true,
            StreamEvent::ContentBlockStart { content_block_index, .. } => {
                let begins = blocks.begin(*content_block_index);
                begins.then_some(()).ok_or_else(|| wrong("`ContentBlockStart` before anything else of its block"))?;
            }
            StreamEvent::ContentBlockDelta { content_block_index, .. } => {
                let goes_on = blocks.open.contains(content_block_index) || blocks.begin(*content_block_index);
                goes_on.then_some(()).ok_or_else(|| wrong("no delta of a block that has stopped"))?;
            }
            StreamEvent::ContentBlockStop { content_block_index } => {
                let ends = blocks.end(*content_block_index);
                ends.then_some(()).ok_or_else(|| wrong("`ContentBlockStop` once for each block"))?;
            }
        }
    }
    Ok(())
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
