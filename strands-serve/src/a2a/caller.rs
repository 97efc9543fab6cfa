//! Callers of the A2A server: the identities of the service.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use strands_a2a::{Caller, IdentifyCaller, Refusal};
use strands_core::TraceContext;

use crate::AgentService;
use crate::http::{Authenticate, AuthenticationError, HostState, trace_context};

/// Values that a host finds in a request, for tools.
type Values = Arc<dyn Fn(&Parts, Caller) -> Caller + Send + Sync>;

/// Identifies callers as the hosts of the service do.
pub(crate) struct Identify {
    host: HostState,
    values: Option<Values>,
}

impl Identify {
    pub(crate) fn new(service: &AgentService, authenticate: impl Authenticate + 'static) -> Self {
        Self { host: HostState::new(service.clone(), authenticate), values: None }
    }

    /// Adds values of each request.
    #[cfg(feature = "agentcore")]
    pub(crate) fn with_values(mut self, values: impl Fn(&Parts, Caller) -> Caller + Send + Sync + 'static) -> Self {
        self.values = Some(Arc::new(values));
        self
    }
}

#[async_trait]
impl IdentifyCaller for Identify {
    async fn identify(&self, request: &Parts) -> Result<Caller, Refusal> {
        let identity = self.host.identity(request).await.map_err(|error| match error {
            AuthenticationError::Unauthenticated => Refusal::unauthorized("Bearer"),
            AuthenticationError::Forbidden => Refusal::forbidden(error.to_string()),
            AuthenticationError::Unavailable => Refusal::unavailable(error.to_string()),
        })?;
        let caller = Caller::new(self.host.service.user_key(&identity)).inject(identity);
        let caller = match trace_context(&request.headers) {
            Some(trace) => caller.inject::<TraceContext>(trace),
            None => caller,
        };
        Ok(match &self.values {
            Some(values) => values(request, caller),
            None => caller,
        })
    }
}
