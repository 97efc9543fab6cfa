//! Document of a session itself, which readers find first.

use strands_core::session::SessionError;

use crate::storage::Storage;
use crate::tracked_document::{Outcome, TrackedDocument};
use crate::{documents, key_layout};

/// Creates the session's document unless it exists. The id is valid.
pub(crate) async fn create_if_absent(storage: &Storage, session_id: &str) -> Result<(), SessionError> {
    let key = key_layout::session_document(session_id);
    let bytes = documents::new_session(&storage.locate(&key), session_id)?;
    let mut tracked = TrackedDocument::new(key);
    match tracked.write(storage, bytes).await? {
        Outcome::Done | Outcome::Conflict(_) => Ok(()),
    }
}
