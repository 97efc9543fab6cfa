//! Contract of models: streams that end, events in order, independent calls.

mod requests;
mod stream;

use std::error::Error as StdError;
use std::fmt::Debug;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::join_all;

use super::polling::{DropPoint, poll_times};
use super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use crate::message::Message;
use crate::models::{Model, ModelRequest};
use requests::Conversations;
pub(super) use stream::EventOrder;
use stream::{ReadStream, read_stream, responds};

/// The most polls after which a call is dropped.
const MAX_POLLS: usize = 4;

/// The most events after which a stream is dropped.
const MAX_EVENTS: usize = 4;

/// Number of concurrent calls.
const CONCURRENT: usize = 4;

/// Checks the contract of a [`Model`] that is able to respond.
///
/// The suite sends about two dozen small requests: plain ones, with a system prompt, with a tool, and with a tool result.
/// Each response must be a stream that ends with a stop event, with its events in the order of
/// [`StreamEvent`](crate::models::StreamEvent). Calls and streams are dropped at different moments, and made concurrently.
/// Token counts must be positive and must not decrease when the request grows.
///
/// [`check_model_failure`] covers failed responses, [`check_model_secret`] covers secrets.
///
/// # Errors
///
/// Returns the first broken promise. An error of the model is [`Promise::ModelResponds`] with the error as its source.
///
/// # Examples
///
/// ```
/// use strands::testing::{ScriptedModel, contract};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// contract::check_model(&ScriptedModel::responding("Hello.")).await?;
/// # Ok::<(), contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_model<M: Model + ?Sized>(model: &M) -> Result<(), ContractViolation> {
    let described = || (model.model_id().to_owned(), model.context_window(), model.capabilities());
    let before = described();
    let conversations = Conversations::new();
    for request in conversations.all() {
        responds(model, request).await?;
    }
    // A request can be sent more than once, sequentially and concurrently.
    let request = conversations.plain();
    responds(model, request).await?;
    for outcome in join_all((0..CONCURRENT).map(|_| responds(model, request))).await {
        outcome?;
    }
    dropped(model, request).await?;
    counts(model, &conversations).await?;
    let expected = "the model's id, context window and capabilities";
    ensure_eq(Promise::ModelStable, expected, &before, &described())?;
    let positive = before.1.is_none_or(|tokens| tokens > 0);
    ensure(positive, Promise::ModelStable, "a context window of more than 0 tokens", || "0".to_owned())
}

/// Drops calls and streams before they end. Each time the next call must get a response.
async fn dropped<M: Model + ?Sized>(model: &M, request: ModelRequest<'_>) -> Result<(), ContractViolation> {
    for drop_point in DropPoint::ALL {
        for polls in 1..=MAX_POLLS {
            let finished = poll_times(model.stream(request), polls, drop_point).await.is_some();
            responds(model, request).await?;
            if finished {
                break;
            }
        }
    }
    for events in 0..MAX_EVENTS {
        let stream = model.stream(request).await.map_err(stream::failed_response)?;
        stream.take(events).for_each(|_| std::future::ready(())).await;
        responds(model, request).await?;
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
    ensure(grows, promise, "counts that begin above 0 and don't decrease, for requests that grow", || {
        format!("{counted:?}")
    })?;
    let most = counted.last() > counted.first();
    ensure(most, promise, "a higher count for a request that is 1,000 words longer", || format!("{counted:?}"))
}

/// Checks that a [`Model`] reports a failed or interrupted response: with an error instead of a stream, or with an error as
/// the last item of the stream.
///
/// Pass a model whose provider fails, for example because a test server closes the connection in the middle of the
/// response. The suite sends one request.
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
            let ReadStream { events, error } = read_stream(stream).await?;
            ensure(error.is_some(), promise, "an error", || format!("a stream that ends after {events:?}"))
        }
    }
}

/// Checks that a secret of a [`Model`], such as its API key, does not appear in its `Debug` output, events and errors.
///
/// The suite sends one request, which may fail: use it with a provider that responds and with one that returns an error.
///
/// # Errors
///
/// Returns [`Promise::ModelHidesSecrets`]. The violation does not contain the secret.
///
/// # Examples
///
/// ```
/// use strands::testing::{ScriptedModel, contract};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// contract::check_model_secret(&ScriptedModel::responding("Hello."), "sk-1234").await?;
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
            let ReadStream { events, error } = read_stream(stream).await?;
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
