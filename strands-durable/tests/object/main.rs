//! Agents that are durable objects elsewhere, with an ingress on loopback. `.ci/durable/restate` tests them with a server.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod calls;
mod failures;
mod fake;
mod interrupts;
mod shares;

use strands::durable::restate::{ObjectAgent, ObjectAgentBuilder, ObjectError, ObjectErrorKind};
use strands::{AgentError, AgentEvent, AgentResponse, PromptRequest, Promptable, StreamExt};

use fake::Fake;

fn builder(fake: &Fake) -> ObjectAgentBuilder {
    ObjectAgent::builder(&*fake.url, "Hotels")
}

/// Prompts, and returns the response.
async fn prompted(agent: &ObjectAgent, request: impl Into<PromptRequest>) -> Result<AgentResponse, AgentError> {
    let mut events = agent.stream(request.into());
    while let Some(event) = events.next().await {
        if let AgentEvent::Result { response } = event? {
            return Ok(*response);
        }
    }
    panic!("the stream has just ended")
}

/// Returns the kind of a failed call, and the object.
fn kind(error: &AgentError) -> (&str, &ObjectErrorKind) {
    let AgentError::Promptable { source, .. } = error.failure() else { panic!("{error:?}") };
    let ObjectError { object, kind, .. } = source.downcast_ref().unwrap_or_else(|| panic!("{error:?}"));
    (object, kind)
}
