//! A model for where no language model is: examples, tests and trials that must run anywhere and always the same.

mod speech;
mod step;
mod turn;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;
use strands_core::model::{Model, ModelError, ModelRequest, ModelStream};

pub use step::OfflineStep;
pub use turn::{OfflineToolResult, OfflineTurn};

type Planner = dyn Fn(&OfflineTurn<'_>) -> Option<OfflineStep> + Send + Sync;

/// A stand-in for a language model that needs no network and no key, and always does the same.
#[derive(Clone)]
pub struct OfflineModel {
    model_id: Arc<str>,
    planner: Option<Arc<Planner>>,
}

impl OfflineModel {
    /// A model that follows its generic rules alone.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A model with rules of your own.
    pub fn builder() -> OfflineModelBuilder {
        OfflineModelBuilder::default()
    }

    fn step(&self, turn: &OfflineTurn<'_>) -> OfflineStep {
        self.planner
            .as_ref()
            .and_then(|planner| planner(turn))
            .unwrap_or_default()
    }
}

impl Default for OfflineModel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OfflineModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfflineModel")
            .field("model_id", &self.model_id)
            .field("planner", &self.planner.is_some())
            .finish()
    }
}

/// Builds an [`OfflineModel`].
#[derive(Clone, Default)]
#[must_use]
pub struct OfflineModelBuilder {
    model_id: Option<String>,
    planner: Option<Arc<Planner>>,
}

impl OfflineModelBuilder {
    /// What the model calls itself; `offline` unless told otherwise. By custom `offline/` and a name.
    pub fn model_id(mut self, model_id: impl Into<String>) -> Self {
        self.model_id = Some(model_id.into());
        self
    }

    /// Rules of your own. They are asked first, in every turn; where they have nothing to say (`None`) the generic rules
    /// decide.
    pub fn planner(
        mut self,
        planner: impl Fn(&OfflineTurn<'_>) -> Option<OfflineStep> + Send + Sync + 'static,
    ) -> Self {
        self.planner = Some(Arc::new(planner));
        self
    }

    /// The model.
    pub fn build(self) -> OfflineModel {
        OfflineModel {
            model_id: self.model_id.map_or_else(|| "offline".into(), Into::into),
            planner: self.planner,
        }
    }
}

impl fmt::Debug for OfflineModelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfflineModelBuilder")
            .field("model_id", &self.model_id)
            .field("planner", &self.planner.is_some())
            .finish()
    }
}

#[async_trait]
impl Model for OfflineModel {
    fn model_id(&self) -> &str {
        &self.model_id
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let step = self.step(&OfflineTurn::new(request));
        Ok(Box::pin(stream::iter(
            speech::events(&request, &step).into_iter().map(Ok),
        )))
    }
}
