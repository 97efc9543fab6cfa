//! Builder of [`AgentService`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use strands_identity::SessionIds;
#[cfg(feature = "otel")]
use strands_otel::AgentTelemetry;
use strands_session::SessionStore;
use tokio_util::task::TaskTracker;

use super::admission::Admission;
use super::listings::Listings;
use super::{AgentService, AgentTemplate, Inner, ServiceLimits};
use crate::run::Runs;

/// Builder of [`AgentService`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct AgentServiceBuilder {
    template: Box<dyn AgentTemplate>,
    store: SessionStore,
    session_ids: SessionIds,
    limits: ServiceLimits,
    #[cfg(feature = "otel")]
    telemetry: Option<AgentTelemetry>,
}

impl AgentServiceBuilder {
    pub(super) fn new(template: Box<dyn AgentTemplate>, store: SessionStore) -> Self {
        Self {
            template,
            store,
            session_ids: SessionIds::new(),
            limits: ServiceLimits::new(),
            #[cfg(feature = "otel")]
            telemetry: None,
        }
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: ServiceLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the ids of the sessions of users. Default: [`SessionIds::new`], for one issuer of identities. With several issuers, use
    /// [`SessionIds::per_issuer`].
    pub fn session_ids(mut self, ids: SessionIds) -> Self {
        self.session_ids = ids;
        self
    }

    /// Records the turns with OpenTelemetry, and the requests of hosts: the agents get the hook, and need no other one. Logs of a turn
    /// belong to its trace.
    #[cfg(feature = "otel")]
    #[cfg_attr(docsrs, doc(cfg(feature = "otel")))]
    pub fn telemetry(mut self, telemetry: AgentTelemetry) -> Self {
        self.telemetry = Some(telemetry);
        self
    }

    /// Builds the service. It does no I/O.
    #[must_use]
    pub fn build(self) -> AgentService {
        let Self { template, store, session_ids, limits, .. } = self;
        AgentService {
            inner: Arc::new(Inner {
                template,
                store,
                session_ids,
                admission: Admission::new(&limits),
                runs: Runs::new(&limits),
                limits,
                #[cfg(feature = "otel")]
                telemetry: self.telemetry,
                tasks: TaskTracker::new(),
                is_draining: AtomicBool::new(false),
                listings: Listings::new(),
            }),
        }
    }
}

impl fmt::Debug for AgentServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentServiceBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}
