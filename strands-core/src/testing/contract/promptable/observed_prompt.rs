//! One observed prompt: its stream, and the lifetime of its request.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};

use futures_util::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use super::super::polling::{MAX_WAIT, within};
use super::super::violation::{ContractViolation, Promise, ensure};
use crate::event::{AgentEvent, AgentResponse};
use crate::outcome::AgentError;
use crate::promptable::{PromptRequest, PromptStream, Promptable};

/// Number of polls after the end of a stream.
const POLLS_AFTER_END: usize = 3;

/// A value that is injected into a request, to observe its lifetime.
struct LifetimeProbe(#[expect(dead_code, reason = "it is held, not read")] Arc<()>);

/// One prompt.
pub(super) struct ObservedPrompt {
    pub(super) stream: PromptStream,
    pub(super) token: CancellationToken,
    /// Dangling once the request is dropped.
    pub(super) request: Weak<()>,
}

impl ObservedPrompt {
    pub(super) fn new<P: Promptable + ?Sized>(promptable: &P, request: PromptRequest) -> Self {
        let (probe, token) = (Arc::new(()), request.cancellation.child_token());
        let observed = Arc::downgrade(&probe);
        let request = request.inject(LifetimeProbe(probe)).cancel_with(token.clone());
        Self { stream: promptable.stream(request), token, request: observed }
    }
}

/// An item of a stream.
pub(super) type Item = Result<AgentEvent, AgentError>;

/// Returns true for an item that must be the last one.
pub(super) fn is_last(item: &Item) -> bool {
    matches!(item, Ok(AgentEvent::Result { .. }) | Err(_))
}

/// Waits for the next item. A panic is a violation, and so is a wait over [`MAX_WAIT`].
pub(super) async fn next(stream: &mut PromptStream) -> Result<Option<Item>, ContractViolation> {
    let broken =
        |observed: String| ContractViolation::new(Promise::PromptableStreamEnds, "an item or the end", observed);
    match within(MAX_WAIT, AssertUnwindSafe(stream.next()).catch_unwind()).await {
        None => Err(broken(format!("nothing for {MAX_WAIT:?}"))),
        Some(Err(_)) => Err(broken("a panic".to_owned())),
        Some(Ok(item)) => Ok(item),
    }
}

/// Reads a stream to its end, and polls it a few times more.
pub(super) async fn rest(stream: &mut PromptStream) -> Result<Result<AgentResponse, AgentError>, ContractViolation> {
    let promise = Promise::PromptableStreamEnds;
    let ended = loop {
        match next(stream).await? {
            None => return Err(ContractViolation::new(promise, "a response or an error", "a stream that just ends")),
            Some(Ok(AgentEvent::Result { response })) => break Ok(*response),
            Some(Ok(_)) => {}
            Some(Err(error)) => break Err(error),
        }
    };
    for _ in 0..POLLS_AFTER_END {
        let after = next(stream).await?;
        ensure(after.is_none(), promise, "nothing after the response or the error", || format!("{after:?}"))?;
    }
    Ok(ended)
}
