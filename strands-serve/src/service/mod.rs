//! [`AgentService`]: turns of agents for identities, in their sessions, within limits. It keeps no conversation in memory.

mod admission;
mod approvals;
mod builder;
mod error;
pub(crate) mod host_deadline;
mod limits;
mod listings;
mod sessions;
mod shutdown;
mod stored_runs;
mod template;
mod turn_request;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt as _;
use strands_core::{Agent, AgentBuilder, Prompt};
use strands_identity::{Identity, SessionIds};
use strands_session::{SessionStore, StoreSessionManager};
use tokio_util::task::TaskTracker;

use admission::Admission;
pub use approvals::{PendingApproval, Replied, Reply};
pub use builder::AgentServiceBuilder;
pub use error::TurnError;
pub use limits::{BusySession, Disconnect, ServiceLimits};
use listings::{Listing, Listings};
pub use sessions::{SESSION_TITLE, SessionSummary, SessionTranscript};
pub use shutdown::Drained;
#[cfg(feature = "http")]
pub(crate) use stored_runs::StoredRun;
pub use template::AgentTemplate;
pub use turn_request::{SessionChoice, TurnRequest};

use crate::run::{Runs, Turn};

/// A service of agents: the one place that hosts call.
///
/// A turn is one prompt of an [`Identity`] in a session: the service checks that the session is the identity's, builds an agent
/// from the template, and runs it in a task of its own, with a bounded buffer of events. The conversation is in the session
/// store alone, so any number of processes can serve the same users.
///
/// Clones share the limits and the running turns.
///
/// # Examples
///
/// A service whose agent depends on the user, with its events:
///
/// ```
/// use std::sync::Arc;
/// use strands::identity::Identity;
/// use strands::serve::AgentService;
/// use strands::session::{SessionStore, object_store::memory::InMemory};
/// use strands::{Agent, AgentEvent, BuildError, testing::ScriptedModel};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let template = |user: &Identity| {
///     let builder = Agent::builder().model(ScriptedModel::responding("Hello."));
///     Ok::<_, BuildError>(builder.system_prompt(format!("You help {}.", user.subject)))
/// };
/// let store = SessionStore::objects(Arc::new(InMemory::new()), "")?;
/// let service = AgentService::builder(template, store).build();
///
/// let mut turn = service.turn(Identity::new("alice"), (), "Hi").start().await?;
/// while let Some(event) = turn.next().await {
///     if let AgentEvent::TextDelta { text } = event?.event() {
///         print!("{text}");
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct AgentService {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) template: Box<dyn AgentTemplate>,
    pub(crate) store: SessionStore,
    pub(crate) session_ids: SessionIds,
    pub(crate) limits: ServiceLimits,
    pub(crate) admission: Admission,
    pub(crate) runs: Runs,
    pub(crate) tasks: TaskTracker,
    #[cfg(feature = "otel")]
    pub(crate) telemetry: Option<strands_otel::AgentTelemetry>,
    pub(crate) is_draining: AtomicBool,
    /// Permits of requests that read the records of many sessions.
    listings: Listings,
}

impl AgentService {
    /// Returns a builder of a service: `template` makes the agent of each turn, and `store` has the sessions.
    ///
    /// The template must not have a session manager; the service adds one, and injects the [`Identity`].
    pub fn builder(template: impl AgentTemplate + 'static, store: SessionStore) -> AgentServiceBuilder {
        AgentServiceBuilder::new(Box::new(template), store)
    }

    /// Prompts the agent for an identity, in one of its sessions: `()` for its default session, an id, or a
    /// [`SessionChoice`].
    ///
    /// Await the request for the response, or [`start`](TurnRequest::start) it for the events. The caller vouches for the identity:
    /// it comes from a verified token, and never from the prompt.
    pub fn turn(
        &self,
        identity: Identity,
        session: impl Into<SessionChoice>,
        prompt: impl Into<Prompt>,
    ) -> TurnRequest {
        TurnRequest::new(self.clone(), identity, session.into(), prompt.into())
    }

    /// Returns a reader of a run that this process has started, for its owner. It begins after the event with the sequence
    /// number `after`, or with the first event.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownRun`] if there is no such run here, or if it is not one of the identity's.
    pub fn attach(&self, identity: &Identity, run_id: &str, after: Option<u64>) -> Result<Turn, TurnError> {
        let run = self.inner.runs.get(run_id, &self.user_key(identity))?;
        Ok(Turn::attached(run, after))
    }

    /// Cancels a run of this process, for its owner. Its history stays whole.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownRun`] if there is no such run here, or if it is not one of the identity's.
    pub fn cancel(&self, identity: &Identity, run_id: &str) -> Result<(), TurnError> {
        self.inner.runs.get(run_id, &self.user_key(identity))?.cancel();
        Ok(())
    }

    /// Builds the agent of a session without a turn, for its messages and interrupts.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError`] if the session is unknown, or the agent can't be built.
    pub async fn open(&self, identity: &Identity, session: impl Into<SessionChoice>) -> Result<Agent, TurnError> {
        let session_id = self.session_id(identity, session.into())?;
        let builder = self.agent_of(identity).await?;
        builder.session_manager(self.session_manager(&session_id)?).build().await.map_err(TurnError::build)
    }

    /// Returns the number of running turns.
    pub fn running_turns(&self) -> usize {
        self.inner.tasks.len()
    }

    /// Returns the store of the sessions.
    pub fn store(&self) -> &SessionStore {
        &self.inner.store
    }

    /// Returns the ids of the sessions of users.
    pub fn session_ids(&self) -> SessionIds {
        self.inner.session_ids
    }

    /// Returns the limits.
    pub fn limits(&self) -> &ServiceLimits {
        &self.inner.limits
    }

    #[cfg(all(feature = "http", feature = "otel"))]
    pub(crate) fn telemetry(&self) -> Option<&strands_otel::AgentTelemetry> {
        self.inner.telemetry.as_ref()
    }

    /// Returns a key that is different for each user.
    pub(crate) fn user_key(&self, identity: &Identity) -> String {
        self.inner.session_ids.default_for(identity)
    }

    /// Makes the builder of the agent of an identity, without a session.
    pub(crate) async fn agent_of(&self, identity: &Identity) -> Result<AgentBuilder, TurnError> {
        let made = AssertUnwindSafe(async { self.inner.template.agent(identity).await });
        let builder = made.catch_unwind().await.map_err(|_| TurnError::Aborted)?.map_err(TurnError::template)?;
        #[cfg(feature = "otel")]
        let builder =
            self.inner.telemetry.iter().fold(builder, |builder, telemetry| builder.outer_hook(telemetry.clone()));
        Ok(builder.inject(identity.clone()))
    }

    /// Returns a permit of a request that reads the records of many sessions.
    fn listing(&self, identity: &Identity) -> Result<Listing<'_>, TurnError> {
        self.inner.listings.admit(self.user_key(identity))
    }

    /// Checks that the process can have another turn now, so that hosts refuse a request before they read it.
    #[cfg(feature = "http")]
    pub(crate) fn check_capacity(&self) -> Result<(), TurnError> {
        if !self.accepts_turns() {
            Err(TurnError::ShuttingDown)
        } else if !self.inner.admission.has_capacity() {
            Err(TurnError::Overloaded)
        } else {
            Ok(())
        }
    }

    /// Returns the manager of a session.
    pub(crate) fn session_manager(&self, session_id: &str) -> Result<StoreSessionManager, TurnError> {
        StoreSessionManager::new(session_id, self.inner.store.clone()).map_err(TurnError::session)
    }
}

impl fmt::Debug for AgentService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentService")
            .field("limits", &self.inner.limits)
            .field("running_turns", &self.running_turns())
            .finish_non_exhaustive()
    }
}
