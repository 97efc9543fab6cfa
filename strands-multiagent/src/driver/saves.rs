//! Saves of a run: one write at a time, of the newest state.

use futures_util::future::BoxFuture;
use serde_json::Value;
use strands_core::session::{MultiAgentSession, SessionError};

use crate::document::DocumentError;

type Session = Box<dyn MultiAgentSession>;
/// A save in progress: returns the session, the document, and the result.
type Saving = BoxFuture<'static, (Session, Value, Result<(), SessionError>)>;

/// Saves of one run. Without a session, each change counts as saved.
pub(crate) struct Saves {
    /// `None` while a save is in progress, and without a session.
    session: Option<Session>,
    saving: Option<Saving>,
    /// The document that was last read or written.
    stored: Option<Value>,
    has_changed: bool,
}

impl Saves {
    /// Creates the saves of a run, with the document that was read.
    pub(crate) fn new(session: Option<Session>, stored: Option<Value>) -> Self {
        Self { session, saving: None, stored, has_changed: false }
    }

    pub(crate) fn has_session(&self) -> bool {
        self.session.is_some() || self.saving.is_some()
    }

    /// Records that there is something to save.
    pub(crate) fn change(&mut self) {
        self.has_changed = true;
    }

    /// Returns true if all changes are saved.
    pub(crate) fn is_settled(&self) -> bool {
        self.saving.is_none() && (self.session.is_none() || !self.has_changed)
    }

    /// Starts to save a document, if there are changes and no other save is in progress. Returns true if it did.
    ///
    /// # Errors
    ///
    /// Returns the error of a run that can't be stored.
    pub(crate) fn begin(
        &mut self,
        document: impl FnOnce(Option<&Value>) -> Result<Value, DocumentError>,
    ) -> Result<bool, DocumentError> {
        let Some(mut session) = self.session.take_if(|_| self.has_changed) else { return Ok(false) };
        self.has_changed = false;
        let document = document(self.stored.as_ref())?;
        self.saving = Some(Box::pin(async move {
            let saved = session.save(&document).await;
            (session, document, saved)
        }));
        Ok(true)
    }

    /// Drops the save in progress and all changes that are not saved.
    pub(crate) fn abandon(&mut self) {
        (self.session, self.saving, self.has_changed) = (None, None, false);
    }

    /// Waits for the end of the save in progress; forever, if there is none.
    pub(crate) async fn saved(&mut self) -> Result<(), SessionError> {
        let Some(saving) = &mut self.saving else { return std::future::pending().await };
        let (session, document, saved) = saving.await;
        self.saving = None;
        (self.session, self.stored) = (Some(session), Some(document));
        saved
    }
}
