//! Discarding of a turn that waits for responses that will not come.

use std::sync::Arc;

use strands_core::{AgentError, PromptRequest};

use super::Settings;
use super::error::ObjectErrorKind;
use super::place::Place;

/// Status of the ingress for an object that is not there.
const NOT_FOUND: u16 = 404;

/// Cancels the turn that waits at the continuation of a request.
pub(super) async fn discard(settings: Arc<Settings>, request: PromptRequest) -> Result<(), AgentError> {
    let place = request.continuation.and_then(|continuation| Place::of(&continuation, &settings.ingress.service));
    let Some(Place { key, waiting: Some(waiting), .. }) = place else { return Ok(()) };
    let cancelled = settings.ingress.cancel(&key, &waiting.run_id, settings.ingress.reconnect_timeout).await;
    match cancelled {
        // A turn that has ended is not known any more, and neither are those of a service that is gone.
        Ok(())
        | Err(
            ObjectErrorKind::Failed { status: NOT_FOUND, .. } | ObjectErrorKind::Rejected { status: NOT_FOUND, .. },
        ) => Ok(()),
        Err(kind) => Err(kind.of(&settings.name, settings.object(&key))),
    }
}
