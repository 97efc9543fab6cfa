//! A model provider: an engine in the same process that generates one word after the other.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt, iter};
use strands::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent};

/// An engine that responds to a text with words.
pub trait Engine: Send + Sync {
    fn respond(&self, text: &str) -> BoxStream<'static, Result<String, std::io::Error>>;
}

/// An engine as a model.
#[derive(Clone)]
pub struct EngineModel(Arc<dyn Engine>);

impl EngineModel {
    pub fn new(engine: impl Engine + 'static) -> Self {
        Self(Arc::new(engine))
    }
}

#[async_trait]
impl Model for EngineModel {
    fn model_id(&self) -> &str {
        "engine"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let text = request.messages.last().map(|message| message.text()).unwrap_or_default();
        let words = self.0.respond(&text).map(|word| match word {
            Ok(word) => Ok(StreamEvent::text(0, word)),
            Err(error) => Err(ModelError::transport(error)),
        });
        let end = [StreamEvent::block_stop(0), StreamEvent::stop(StopReason::EndTurn)];
        let events = iter([Ok(StreamEvent::start())]).chain(words).chain(iter(end.map(Ok)));
        // Nothing may follow an error.
        let mut failed = false;
        Ok(events.take_while(move |event| std::future::ready(!std::mem::replace(&mut failed, event.is_err()))).boxed())
    }
}

/// An engine that repeats the text, word by word.
pub struct Echo;

impl Engine for Echo {
    fn respond(&self, text: &str) -> BoxStream<'static, Result<String, std::io::Error>> {
        let words: Vec<_> = text.split_inclusive(' ').map(|word| Ok(word.to_owned())).collect();
        iter(words).boxed()
    }
}
