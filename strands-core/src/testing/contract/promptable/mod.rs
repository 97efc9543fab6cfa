//! Contract of promptables: streams that are lazy, end once, and can be dropped or cancelled at every poll.

mod continuing;
mod observed_prompt;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::polling::{ATTEMPTS, DropPoint, MAX_STOP_TIME, MAX_WAIT, becomes_true, poll_times, within};
use super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use crate::event::AgentEvent;
use crate::injected::InjectedKey;
use crate::models::StopReason;
use crate::outcome::AgentError;
use crate::promptable::{PromptRequest, PromptStream, Promptable};
use crate::session::SessionError;
use continuing::continues;
use observed_prompt::{ObservedPrompt, is_last, next, rest};

/// The most items or polls after which a stream is dropped or cancelled.
const MAX_POLLS: usize = 64;

/// Number of concurrent prompts.
const CONCURRENT: usize = 4;

/// The longest time from a drop to the end of the work.
const MAX_CLEANUP_TIME: Duration = Duration::from_secs(1);

/// Checks the contract of a [`Promptable`] that is able to respond.
///
/// The suite prompts it about a hundred times with the requests that `request` returns: sequentially, concurrently, and with
/// streams that are not polled, dropped, and cancelled at different moments. All others must end with a response, which may be an
/// interrupt. A conversation that a response returns is continued. The suite
/// injects a value into each request, which must be released when the stream is dropped.
///
/// The suite uses the clock of the Tokio runtime. With a paused clock (`#[tokio::test(start_paused = true)]`) it runs as
/// fast as the promptable computes; a prompt without an event for 30 s is a violation.
///
/// # Errors
///
/// Returns the first broken promise. An error of the promptable is [`Promise::PromptableResponds`] with the error as its
/// source.
///
/// # Examples
///
/// ```
/// use strands::testing::ScriptedModel;
/// use strands::testing::contract::check_promptable;
/// use strands::{Agent, PromptRequest};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let expert = Agent::builder().model(ScriptedModel::responding("42")).name("expert");
/// check_promptable(&expert, || PromptRequest::new("What is the answer?")).await?;
/// # Ok::<(), strands::testing::contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_promptable<P: Promptable + ?Sized>(
    promptable: &P,
    request: impl Fn() -> PromptRequest,
) -> Result<(), ContractViolation> {
    let described = || {
        let required: Vec<_> = promptable.requires().iter().map(InjectedKey::type_name).collect();
        (promptable.name().to_owned(), promptable.description().to_owned(), required, promptable.has_session())
    };
    let before = described();
    let make = || ObservedPrompt::new(promptable, request());
    for _ in 0..2 {
        starts(make()).await?;
    }
    lazy(&make).await?;
    dropped(&make).await?;
    cancelled(&make).await?;
    concurrent(&make).await?;
    continues(promptable, &request).await?;
    ensure_eq(
        Promise::PromptableStable,
        "the name, the description, the required values and whether there is a session",
        &before,
        &described(),
    )
}

/// Reads a stream from its start to its end, which must be a response.
async fn starts(mut observed: ObservedPrompt) -> Result<(), ContractViolation> {
    let expected = "`AgentEvent::Start` as the first item";
    match next(&mut observed.stream).await? {
        Some(Ok(AgentEvent::Start { .. })) => responds(observed, Promise::PromptableResponds).await,
        Some(Ok(event)) => Err(ContractViolation::new(Promise::PromptableStarts, expected, format!("{event:?}"))),
        Some(Err(error)) => Err(ContractViolation::error(Promise::PromptableResponds, "a response", error)),
        None => Err(ContractViolation::new(Promise::PromptableStreamEnds, expected, "a stream that just ends")),
    }
}

/// Reads a stream to its end, which must be a response.
async fn responds(mut observed: ObservedPrompt, promise: Promise) -> Result<(), ContractViolation> {
    let ended = rest(&mut observed.stream).await?;
    ended.map(drop).map_err(|error| ContractViolation::error(promise, "a response", error))
}

/// Streams that are not polled don't block other prompts, and release their request when they are dropped.
async fn lazy(make: &impl Fn() -> ObservedPrompt) -> Result<(), ContractViolation> {
    let promise = Promise::PromptableLazy;
    let (waiting, not_polled) = (make(), make());
    responds(make(), promise).await?;
    responds(waiting, promise).await?;
    let ObservedPrompt { stream, request, .. } = not_polled;
    drop(stream);
    let is_gone = request.strong_count() == 0;
    let expected = "a request that ends with its stream, which was not polled";
    ensure(is_gone, promise, expected, || "the request in use after the stream was dropped".to_owned())
}

/// Streams that are dropped after a number of items or polls. The work must end, and the next prompt must get a response.
async fn dropped(make: &impl Fn() -> ObservedPrompt) -> Result<(), ContractViolation> {
    for items in 1..=MAX_POLLS {
        let mut observed = make();
        let ended = take(&mut observed.stream, items).await?;
        ends_when_dropped(observed, make, &format!("{items} item(s)")).await?;
        if ended {
            break;
        }
    }
    for drop_point in DropPoint::ALL {
        for polls in 1..=MAX_POLLS {
            let mut observed = make();
            let all = observed.stream.by_ref().count();
            let ended = within(MAX_WAIT, poll_times(all, polls, drop_point)).await.flatten().is_some();
            ends_when_dropped(observed, make, &format!("{polls} poll(s)")).await?;
            if ended {
                break;
            }
        }
    }
    Ok(())
}

/// Drops a stream, and checks that its work ends and that the next prompt gets a response.
async fn ends_when_dropped(
    observed: ObservedPrompt,
    make: &impl Fn() -> ObservedPrompt,
    after: &str,
) -> Result<(), ContractViolation> {
    let promise = Promise::PromptableDropped;
    let ObservedPrompt { stream, request, .. } = observed;
    drop(stream);
    let is_gone = becomes_true(MAX_CLEANUP_TIME, || request.strong_count() == 0).await;
    let expected = format!("the work to end with the stream, which was dropped after {after}");
    ensure(is_gone, promise, expected, || format!("the request in use {MAX_CLEANUP_TIME:?} later"))?;
    responds(make(), promise).await
}

/// Requests that are cancelled before the stream is polled, and after each of its items.
async fn cancelled(make: &impl Fn() -> ObservedPrompt) -> Result<(), ContractViolation> {
    for items in 0..MAX_POLLS {
        for attempt in 1..=ATTEMPTS {
            let Some(took) = stopped(make(), items).await? else { return Ok(()) };
            let in_time = took <= MAX_STOP_TIME;
            let expected = format!("a request that is cancelled after {items} item(s) to end within {MAX_STOP_TIME:?}");
            ensure(in_time || attempt < ATTEMPTS, Promise::PromptableCancelled, expected, || {
                format!("an end after {took:?}")
            })?;
            if in_time {
                break;
            }
        }
    }
    Ok(())
}

/// Cancels a request after a number of items. Returns the time until the end, or `None` if it ended before.
async fn stopped(mut observed: ObservedPrompt, items: usize) -> Result<Option<Duration>, ContractViolation> {
    let promise = Promise::PromptableCancelled;
    if take(&mut observed.stream, items).await? {
        return Ok(None);
    }
    observed.token.cancel();
    let began = Instant::now();
    let ended = rest(&mut observed.stream).await?;
    let took = began.elapsed();
    let expected = format!("a response after a cancellation after {items} item(s)");
    let response = ended.map_err(|error| ContractViolation::error(promise, expected, error))?;
    // Later there may be no work left to cancel.
    let is_late = items > 1;
    let expected = format!("a response that is cancelled after {items} item(s)");
    let is_cancelled = response.stop_reason == StopReason::Cancelled;
    ensure(is_late || is_cancelled, promise, expected, || format!("one that ends with {:?}", response.stop_reason))?;
    Ok(Some(took))
}

/// Takes items from a stream. Returns true if the stream has ended.
async fn take(stream: &mut PromptStream, items: usize) -> Result<bool, ContractViolation> {
    for _ in 0..items {
        if next(stream).await?.is_none_or(|item| is_last(&item)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Concurrent prompts, of which at least one must get a response.
async fn concurrent(make: &impl Fn() -> ObservedPrompt) -> Result<(), ContractViolation> {
    let promise = Promise::PromptableConcurrent;
    let mut prompts: Vec<ObservedPrompt> = (0..CONCURRENT).map(|_| make()).collect();
    let mut responses = 0_usize;
    for ended in join_all(prompts.iter_mut().map(|observed| rest(&mut observed.stream))).await {
        match ended? {
            Ok(_) => responses = responses.saturating_add(1),
            Err(AgentError::Busy { .. } | AgentError::Session(SessionError::Conflict { .. })) => {}
            Err(error) => {
                let expected = "a response, `AgentError::Busy`, or a session conflict";
                return Err(ContractViolation::error(promise, expected, error));
            }
        }
    }
    let expected = format!("a response to one of {CONCURRENT} concurrent prompts");
    ensure(responses > 0, promise, expected, || "none".to_owned())
}
