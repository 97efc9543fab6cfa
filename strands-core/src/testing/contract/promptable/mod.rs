//! The contract of promptables: streams that are lazy, end once, and can be dropped or cancelled at every poll.

mod prompting;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::polling::{ATTEMPTS, LONGEST_STOP, LONGEST_WAIT, Moment, becomes_so, poll_times, within};
use super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use crate::event::AgentEvent;
use crate::models::StopReason;
use crate::outcome::AgentError;
use crate::promptable::{PromptRequest, PromptStream, Promptable};
use crate::session::SessionError;
use prompting::{Prompting, is_last, next, rest};

/// After so many items or polls a stream is no longer dropped or cancelled.
const MOST_POLLS: usize = 64;

/// The number of concurrent prompts.
const CONCURRENT: usize = 4;

/// The longest time from a drop to the end of the work.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Checks the contract of a [`Promptable`] that is able to respond.
///
/// It is prompted about a hundred times with what `request` returns: one prompt after the other, at the same time, and with
/// streams that are not polled, dropped, and cancelled at different moments. Each prompt that is not must be answered with a
/// response. The suite adds a value of its own to each request, which must be gone when the stream is dropped.
///
/// Time is that of the Tokio runtime. With a paused clock (`#[tokio::test(start_paused = true)]`) the suite takes no longer
/// than the promptable computes; a prompt without an event for 30 s is a violation.
///
/// # Errors
///
/// Returns the first promise that is broken. An error of the promptable is [`Promise::PromptableAnswers`] with the error as
/// its source.
///
/// # Examples
///
/// ```
/// use strands::testing::ScriptedModel;
/// use strands::testing::contract::check_promptable;
/// use strands::{Agent, PromptRequest};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let expert = Agent::builder().model(ScriptedModel::answering("42")).name("expert");
/// check_promptable(&expert, || PromptRequest::new("What is the answer?")).await?;
/// # Ok::<(), strands::testing::contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_promptable<P: Promptable + ?Sized>(
    promptable: &P,
    request: impl Fn() -> PromptRequest,
) -> Result<(), ContractViolation> {
    let described = || (promptable.name().to_owned(), promptable.description().to_owned());
    let before = described();
    let make = || Prompting::new(promptable, request());
    for _ in 0..2 {
        begun(make()).await?;
    }
    lazy(&make).await?;
    dropped(&make).await?;
    cancelled(&make).await?;
    concurrent(&make).await?;
    ensure_eq(Promise::PromptableStable, "the name and the description", &before, &described())
}

/// Reads a stream from its start to its end, which must be a response.
async fn begun(mut prompting: Prompting) -> Result<(), ContractViolation> {
    let expected = "`AgentEvent::Start` as the first item";
    match next(&mut prompting.stream).await? {
        Some(Ok(AgentEvent::Start { .. })) => answered(prompting, Promise::PromptableAnswers).await,
        Some(Ok(event)) => Err(ContractViolation::new(Promise::PromptableStarts, expected, format!("{event:?}"))),
        Some(Err(error)) => Err(ContractViolation::error(Promise::PromptableAnswers, "a response", error)),
        None => Err(ContractViolation::new(Promise::PromptableStreamEnds, expected, "a stream that just ends")),
    }
}

/// Reads a stream to its end, which must be a response.
async fn answered(mut prompting: Prompting, promise: Promise) -> Result<(), ContractViolation> {
    let ended = rest(&mut prompting.stream).await?;
    ended.map(drop).map_err(|error| ContractViolation::error(promise, "a response", error))
}

/// Streams that are not polled keep nobody from prompting, and are gone when they are dropped.
async fn lazy(make: &impl Fn() -> Prompting) -> Result<(), ContractViolation> {
    let promise = Promise::PromptableLazy;
    let (waiting, not_polled) = (make(), make());
    answered(make(), promise).await?;
    answered(waiting, promise).await?;
    let Prompting { stream, request, .. } = not_polled;
    drop(stream);
    let is_gone = request.strong_count() == 0;
    let expected = "a request that ends with its stream, which was not polled";
    ensure(is_gone, promise, expected, || "the request in use after the stream was dropped".to_owned())
}

/// Streams that are dropped after a number of items, or of polls. Each time the work ends and the next prompt is answered.
async fn dropped(make: &impl Fn() -> Prompting) -> Result<(), ContractViolation> {
    for items in 1..=MOST_POLLS {
        let mut prompting = make();
        let ended = take(&mut prompting.stream, items).await?;
        ends_when_dropped(prompting, make, &format!("{items} item(s)")).await?;
        if ended {
            break;
        }
    }
    for moment in Moment::ALL {
        for polls in 1..=MOST_POLLS {
            let mut prompting = make();
            let all = prompting.stream.by_ref().count();
            let ended = within(LONGEST_WAIT, poll_times(all, polls, moment)).await.flatten().is_some();
            ends_when_dropped(prompting, make, &format!("{polls} poll(s)")).await?;
            if ended {
                break;
            }
        }
    }
    Ok(())
}

/// Drops a stream, and checks that its work ends and that the next prompt is answered.
async fn ends_when_dropped(
    prompting: Prompting,
    make: &impl Fn() -> Prompting,
    after: &str,
) -> Result<(), ContractViolation> {
    let promise = Promise::PromptableDropped;
    let Prompting { stream, request, .. } = prompting;
    drop(stream);
    let is_gone = becomes_so(LONGEST_REST, || request.strong_count() == 0).await;
    let expected = format!("the work to end with the stream, which was dropped after {after}");
    ensure(is_gone, promise, expected, || format!("the request in use {LONGEST_REST:?} later"))?;
    answered(make(), promise).await
}

/// Requests that are cancelled before the stream is polled, and after each of its items.
async fn cancelled(make: &impl Fn() -> Prompting) -> Result<(), ContractViolation> {
    for items in 0..MOST_POLLS {
        for attempt in 1..=ATTEMPTS {
            let Some(took) = stopped(make(), items).await? else { return Ok(()) };
            let in_time = took <= LONGEST_STOP;
            let expected = format!("a request that is cancelled after {items} item(s) to end within {LONGEST_STOP:?}");
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
async fn stopped(mut prompting: Prompting, items: usize) -> Result<Option<Duration>, ContractViolation> {
    let promise = Promise::PromptableCancelled;
    if take(&mut prompting.stream, items).await? {
        return Ok(None);
    }
    prompting.token.cancel();
    let began = Instant::now();
    let ended = rest(&mut prompting.stream).await?;
    let took = began.elapsed();
    let expected = format!("a response after a cancellation after {items} item(s)");
    let response = ended.map_err(|error| ContractViolation::error(promise, expected, error))?;
    // Later, there may be nothing left to cancel.
    let is_late = items > 1;
    let expected = format!("a response that is cancelled after {items} item(s)");
    let is_cancelled = response.stop_reason == StopReason::Cancelled;
    ensure(is_late || is_cancelled, promise, expected, || format!("one that ends with {:?}", response.stop_reason))?;
    Ok(Some(took))
}

/// Takes items from a stream. Returns true if it has ended.
async fn take(stream: &mut PromptStream, items: usize) -> Result<bool, ContractViolation> {
    for _ in 0..items {
        if next(stream).await?.is_none_or(|item| is_last(&item)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Prompts at the same time, of which one at least is answered.
async fn concurrent(make: &impl Fn() -> Prompting) -> Result<(), ContractViolation> {
    let promise = Promise::PromptableConcurrent;
    let mut prompts: Vec<Prompting> = (0..CONCURRENT).map(|_| make()).collect();
    let mut responses = 0_usize;
    for ended in join_all(prompts.iter_mut().map(|prompting| rest(&mut prompting.stream))).await {
        match ended? {
            Ok(_) => responses = responses.saturating_add(1),
            Err(AgentError::Busy { .. } | AgentError::Session(SessionError::Conflict { .. })) => {}
            Err(error) => {
                let expected = "a response, `AgentError::Busy`, or a session conflict";
                return Err(ContractViolation::error(promise, expected, error));
            }
        }
    }
    let expected = format!("a response to one of {CONCURRENT} prompts at the same time");
    ensure(responses > 0, promise, expected, || "none".to_owned())
}
