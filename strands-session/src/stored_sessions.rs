//! The sessions of a store in both layouts, for listings.

use futures_util::{Stream, StreamExt as _, stream};
use strands_core::session::SessionError;

use crate::document_store::IN_FLIGHT;
use crate::multi_agents::Layout;
use crate::{SessionStore, id_validation, snapshots};

/// A session in a layout.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) layout: Layout,
}

impl SessionStore {
    /// Reads the sessions whose ids `wanted` accepts, several at a time, in alphabetical order: those with separate documents for
    /// messages, and then those of snapshots.
    pub(crate) fn of_sessions<T, F, R, Fut>(
        &self,
        mut wanted: F,
        read: R,
    ) -> impl Stream<Item = Result<T, SessionError>> + Send + use<T, F, R, Fut>
    where
        T: Send,
        F: FnMut(&str) -> bool + Send,
        R: Fn(Session) -> Fut + Send + Clone,
        Fut: Future<Output = Vec<Result<T, SessionError>>> + Send,
    {
        let store = self.clone();
        let sessions = async move {
            match store.all_sessions().await {
                Ok(mut sessions) => {
                    sessions.retain(|session| wanted(&session.id));
                    stream::iter(sessions.into_iter().map(Ok)).left_stream()
                }
                Err(error) => stream::iter([Err(error)]).right_stream(),
            }
        };
        let read = move |session: Result<Session, SessionError>| {
            let read = read.clone();
            async move {
                match session {
                    Ok(session) => read(session).await,
                    Err(error) => vec![Err(error)],
                }
            }
        };
        stream::once(sessions).flatten().map(read).buffered(IN_FLIGHT).flat_map(stream::iter)
    }

    async fn all_sessions(&self) -> Result<Vec<Session>, SessionError> {
        let of = |layout| move |id| Session { id, layout };
        let snapshots = self.storage().folders_in(snapshots::key_layout::SESSIONS).await?;
        let mut snapshots = valid("session id", snapshots.into_iter());
        snapshots.sort_unstable();
        let messages = self.list().await?.into_iter().map(of(Layout::Messages));
        Ok(messages.chain(snapshots.into_iter().map(of(Layout::Snapshots))).collect())
    }
}

/// Returns the ids that sessions can have; other folders are not of this crate.
pub(crate) fn valid(what: &'static str, ids: impl Iterator<Item = String>) -> Vec<String> {
    ids.filter(|id| id_validation::validate(what, id).is_ok()).collect()
}
