//! Failures of several models in one call, combined into one error.

use std::cmp::Reverse;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::models::error::Source;
use crate::models::{ModelError, ModelErrorKind};

/// The source of the error of a [`Fallback`](super::Fallback), with the errors of its other models.
///
/// ```
/// use std::error::Error;
/// use strands::models::{Fallback, FallbackFailures, ModelError};
/// use strands::testing::{ScriptedModel, ScriptedTurn};
/// use strands::{Agent, RetryPolicy};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let down = || ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("refused")));
/// let model = Fallback::new(down()).or(down());
/// let mut agent = Agent::builder().model(model).retry(RetryPolicy::never()).build().await?;
///
/// let error = agent.prompt("Hello").await.unwrap_err();
/// let source = error.source().and_then(Error::source).unwrap();
/// let failures: &FallbackFailures = source.downcast_ref().unwrap();
/// assert_eq!(failures.others().len(), 1);
/// # Ok::<(), Box<dyn Error>>(())
/// # }).unwrap();
/// ```
pub struct FallbackFailures {
    model_id: String,
    others: Vec<(String, ModelError)>,
    source: Option<Source>,
}

impl FallbackFailures {
    /// Returns the id of the model whose error this is the source of.
    pub fn model_id(&self) -> &str {
        &self.model_id
    }

    /// Returns the ids and errors of the other models, in the order of their attempts.
    pub fn others(&self) -> impl ExactSizeIterator<Item = (&str, &ModelError)> {
        self.others.iter().map(|(model_id, error)| (model_id.as_str(), error))
    }
}

impl fmt::Display for FallbackFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "model `{}` failed with this error", self.model_id)?;
        for (model_id, error) in &self.others {
            write!(f, "; `{model_id}` failed, too: {error}")?;
        }
        Ok(())
    }
}

crate::error_chain::debug_with_sources!(FallbackFailures);

impl StdError for FallbackFailures {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A step of a [`Fallback`](super::Fallback) from a model that failed to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FallbackStep {
    /// Id of the model that failed.
    pub from: String,
    /// Id of the next model.
    pub to: String,
}

impl FallbackStep {
    pub(crate) fn new(from: String, to: String) -> Self {
        Self { from, to }
    }
}

/// Returns the error that the caller can best react to, with the others as its source: a retryable error, with the
/// shortest wait; then a context overflow; then the newest.
pub(super) fn most_actionable(mut failures: Vec<(String, ModelError)>, newest: (String, ModelError)) -> ModelError {
    failures.push(newest);
    let rank = |error: &ModelError| match error.kind() {
        _ if error.is_retryable() => (2, Reverse(error.retry_after().unwrap_or(Duration::ZERO))),
        ModelErrorKind::ContextOverflow => (1, Reverse(Duration::ZERO)),
        _ => (0, Reverse(Duration::ZERO)),
    };
    // `max_by_key` takes the last of equals: the newest.
    let best = failures.iter().enumerate().max_by_key(|(_, (_, error))| rank(error)).map_or(0, |(at, _)| at);
    let (model_id, error) = failures.remove(best);
    with_others(model_id, error, failures)
}

/// Returns the error of a model with those of other models as its source.
pub(super) fn with_others(model_id: String, mut error: ModelError, others: Vec<(String, ModelError)>) -> ModelError {
    if !others.is_empty() {
        error.map_source(|source| Box::new(FallbackFailures { model_id, others, source }));
    }
    error
}
