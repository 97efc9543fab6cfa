//! The contract of models: streams that end, events in order, calls that don't disturb each other.

mod requests;
mod stream;

use std::error::Error as StdError;
use std::fmt::Debug;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::join_all;

use super::polling::{Moment, poll_times};
use super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use crate::message::Message;
use crate::models::{Model, ModelRequest};
use requests::Conversations;
use stream::{Heard, answered, heard};

/// After so many polls a call is no longer interrupted.
const MOST_POLLS: usize = 4;

/// After so many events a stream is no longer dropped.
const MOST_EVENTS: usize = 4;

/// The number of concurrent calls.
const CONCURRENT: usize = 4;

/// Checks the contract of a [`Model`] that is able to respond.
///
/// The model is sent about two dozen small requests: plain ones, with a system prompt, with a tool, and with a tool
/// result. Each must be answered with a stream that ends with a stop event, with its events in the order of
/// [`StreamEvent`](crate::models::StreamEvent). Calls and streams are dropped at different moments, and made at the same
/// time. Token counts must be positive and must not fall when the request grows.
///
/// Responses that fail are the subject of [`check_model_failure`], secrets that of [`check_model_secret`].
///
/// # Errors
///
/// Returns the first promise that is broken. An error of the model is [`Promise::ModelAnswers`] with the error as its
/// source.
///
/// # Examples
///
/// ```
/// use strands::testing::{ScriptedModel, contract};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// contract::check_model(&ScriptedModel::answering("Hello.")).await?;
/// # Ok::<(), contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_model<M: Model + ?Sized>(model: &M) -> Result<(), ContractViolation> {
    let described = || (model.model_id().to_owned(), model.context_window(), model.capabilities());
    let before = described();
    let conversations = Conversations::new();
    for request in conversations.all() {
        answered(model, request).await?;
    }
    // The same request is good for more than one call, one after the other and at the same time.
    let request = conversations.plain();
    answered(model, request).await?;
    for outcome in join_all((0..CONCURRENT).map(|_| answered(model, request))).await {
        outcome?;
    }
    dropped(model, request).await?;
    counts(model, &conversations).await?;
    let expected = "the model's id, context window and capabilities";
    ensure_eq(Promise::ModelStable, expected, &before, &described())?;
    let positive = before.1.is_none_or(|tokens| tokens > 0);
    ensure(positive, Promise::ModelStable, "a context window of more than 0 tokens", || "0".to_owned())
}

/// Drops calls and streams before they end; each time the next call is answered.
async fn dropped<M: Model + ?Sized>(model: &M, request: ModelRequest<'_>) -> Result<(), ContractViolation> {
    for moment in Moment::ALL {
        for polls in 1..=MOST_POLLS {
            let finished = poll_times(model.stream(request), polls, moment).await.is_some();
            answered(model, request).await?;
            if finished {
                break;
            }
        }
    }
    for events in 0..MOST_EVENTS {
        let stream = model.stream(request).await.map_err(stream::not_answered)?;
        stream.take(events).for_each(|_| std::future::ready(())).await;
        answered(model, request).await?;
    }
    Ok(())
}

async fn counts<M: Model + ?Sized>(model: &M, conversations: &Conversations) -> Result<(), ContractViolation> {
    let promise = Promise::ModelCountsTokens;
    let mut counted = Vec::new();
    for request in conversations.growing() {
        let tokens = model.count_tokens(request).await;
        counted.push(tokens.map_err(|error| ContractViolation::error(promise, "a count of tokens", error))?);
    }
    let grows = counted.first().is_some_and(|first| *first > 0) && counted.is_sorted();
    ensure(grows, promise, "counts that begin above 0 and don't fall, for requests that grow", || {
        format!("{counted:?}")
    })?;
    let most = counted.last() > counted.first();
    ensure(most, promise, "a higher count for a request that is 1,000 words longer", || format!("{counted:?}"))
}

/// Checks that a [`Model`] reports a response that fails or breaks off: with an error before the stream, or with one in
/// it, and nothing after that.
///
/// The model must be one whose provider fails, for example because a test's server closes the connection in the middle of
/// the response. It is sent one request.
///
/// # Errors
///
/// Returns [`Promise::ModelBrokenResponse`] if the stream ends without an error, [`Promise::ModelEventOrder`] if events
/// follow the error.
///
/// # Examples
///
/// ```
/// use strands::models::ModelError;
/// use strands::testing::{ScriptedModel, ScriptedTurn, contract};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let broken = ScriptedTurn::text("Hello.").breaking_after(2, ModelError::transport("connection reset"));
/// contract::check_model_failure(&ScriptedModel::new([broken])).await?;
/// # Ok::<(), contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_model_failure<M: Model + ?Sized>(model: &M) -> Result<(), ContractViolation> {
    let promise = Promise::ModelBrokenResponse;
    match model.stream(Conversations::new().plain()).await {
        Err(_) => Ok(()),
        Ok(stream) => {
            let Heard { events, error } = heard(stream).await?;
            ensure(error.is_some(), promise, "an error", || format!("a stream that ends after {events:?}"))
        }
    }
}

/// Checks that a secret of a [`Model`], such as its API key, is in none of its `Debug` output, events and errors.
///
/// The model is sent one request, which may fail: use it with a provider that responds and with one that refuses.
///
/// # Errors
///
/// Returns [`Promise::ModelHidesSecrets`]. The violation doesn't contain the secret.
///
/// # Examples
///
/// ```
/// use strands::testing::{ScriptedModel, contract};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// contract::check_model_secret(&ScriptedModel::answering("Hello."), "sk-1234").await?;
/// # Ok::<(), contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_model_secret<M: Model + Debug + ?Sized>(model: &M, secret: &str) -> Result<(), ContractViolation> {
    let hidden = |what: &str, text: String| {
        let expected = format!("{what} without the secret");
        ensure(!text.contains(secret), Promise::ModelHidesSecrets, expected, || "the secret is in it".to_owned())
    };
    hidden("`Debug` output", format!("{model:?} {model:#?}"))?;
    let error = match model.stream(Conversations::new().plain()).await {
        Err(error) => Some(error),
        Ok(stream) => {
            let Heard { events, error } = heard(stream).await?;
            hidden("events", format!("{events:?}"))?;
            error
        }
    };
    let Some(error) = error else { return Ok(()) };
    hidden("an error", format!("{error} {error:?}"))?;
    let mut beneath = error.source();
    while let Some(source) = beneath {
        hidden("the sources of an error", format!("{source} {source:?}"))?;
        beneath = source.source();
    }
    Ok(())
}

fn arcs(messages: impl IntoIterator<Item = Message>) -> Vec<Arc<Message>> {
    messages.into_iter().map(Arc::new).collect()
}
