//! Author of responses to interrupts: a value made of their metadata is injected into the invocation that they resume.

use std::error::Error as StdError;
use std::sync::Arc;

use serde_json::{Map, Value};
use strands_core::Invocation;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Injects a value into an invocation.
pub(crate) type Inject = Box<dyn for<'a> FnOnce(Invocation<'a>) -> Invocation<'a> + Send>;

/// Makes an injection of metadata.
type Function = dyn Fn(&Map<String, Value>) -> Result<Inject, BoxError> + Send + Sync;

/// The function of the user, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Answerer(Option<Arc<Function>>);

impl Answerer {
    pub(crate) fn new<V, E>(of: impl Fn(&Map<String, Value>) -> Result<V, E> + Send + Sync + 'static) -> Self
    where
        V: Send + Sync + 'static,
        E: Into<BoxError>,
    {
        Self(Some(Arc::new(move |metadata| {
            let value = of(metadata).map_err(Into::into)?;
            let inject: Inject = Box::new(move |invocation| invocation.inject(value));
            Ok(inject)
        })))
    }

    /// Returns the injection for the metadata of responses.
    pub(crate) fn of(&self, metadata: &Map<String, Value>) -> Result<Inject, BoxError> {
        match &self.0 {
            Some(of) => of(metadata),
            None if metadata.is_empty() => Ok(Box::new(|invocation| invocation)),
            None => Err("this agent takes no metadata with responses".into()),
        }
    }
}
