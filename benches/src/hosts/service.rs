//! The service of strands-serve on HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use strands::identity::Identity;
use strands::metrics::{ModelMetrics, Usage};
use strands::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent};
use strands::serve::http::{Authenticate, AuthenticationError, HttpHost};
use strands::serve::{AgentService, Disconnect, ServiceLimits};
use strands::session::{SessionStore, object_store::memory::InMemory};
use strands::{Agent, AgentBuilder};

use crate::answer::Answer;

/// Streams that a round of the soak or a row of the sizing may open.
const TURNS: usize = 20_000;

pub(crate) fn router(sessions: &str) -> axum::Router {
    HttpHost::new(service(sessions), Bearer).into_router()
}

pub(crate) fn service(sessions: &str) -> AgentService {
    let store = match sessions {
        "memory" => SessionStore::objects(Arc::new(InMemory::new()), "").unwrap(),
        folder => SessionStore::files(folder),
    };
    // Short times, so that a soak of seconds reaches them, and memory for the events of all streams of a round.
    let limits = ServiceLimits::new()
        .turns(TURNS)
        .buffer_bytes(2 * 1024 * 1024)
        .finished_bytes(192 * 1024 * 1024)
        .finished_time(Duration::from_secs(5))
        .slow_reader_timeout(Duration::from_secs(1))
        .disconnect(Disconnect::CancelAfter(Duration::from_secs(3)));
    AgentService::builder(template(), store).limits(limits).build()
}

pub(crate) fn template() -> AgentBuilder {
    Agent::builder().model(Answering)
}

/// The model: responds as the prompt says.
struct Answering;

#[async_trait]
impl Model for Answering {
    fn model_id(&self) -> &str {
        "answering"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let answer = Answer::to(&request.messages.last().unwrap().text());
        let texts = answer.texts().map(|text| StreamEvent::text(0, text));
        let end = [
            StreamEvent::block_stop(0),
            StreamEvent::stop(StopReason::EndTurn),
            StreamEvent::metadata(Usage::new(10, 5), ModelMetrics::new(1)),
        ];
        Ok(Box::pin(stream::iter([StreamEvent::start()]).chain(texts).chain(stream::iter(end)).map(Ok)))
    }
}

/// Takes the bearer token for the subject, as the hand-written handler does.
struct Bearer;

#[async_trait]
impl Authenticate for Bearer {
    async fn authenticate(&self, request: &axum::http::request::Parts) -> Result<Identity, AuthenticationError> {
        let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let subject = header.and_then(|value| value.strip_prefix("Bearer "));
        subject.map(Identity::new).ok_or(AuthenticationError::Unauthenticated)
    }
}
