//! Handler of a connection: the requests and notifications of the server.
#![expect(deprecated, reason = "servers of protocol versions before 2026-07-28 still request sampling")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ElicitationCapability, ErrorCode, ErrorData, FormElicitationCapability, Implementation, InputRequest,
    ProgressNotificationParam, ProtocolVersion, SamplingCapability, TASKS_EXTENSION_ID, UrlElicitationCapability,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use serde_json::Value;

use super::elicitation::{Elicit, Elicitation};
use super::progress::ProgressRoutes;
use super::sampling::Sampling;

/// State of a client that its connections share.
pub(super) struct Shared {
    pub(super) server: String,
    pub(super) identity: Implementation,
    pub(super) elicit: Option<Elicit>,
    pub(super) sampling: Option<Sampling>,
    /// Changes whenever the list of tools may have changed.
    generation: AtomicU64,
    /// Number of requests for input that a callback or a model is responding to. Calls don't time out meanwhile.
    answering: AtomicUsize,
}

/// Counts a request for input until there is a response.
struct Answering<'a>(&'a AtomicUsize);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn new(
        server: String,
        identity: Implementation,
        elicit: Option<Elicit>,
        sampling: Option<Sampling>,
    ) -> Self {
        Self { server, identity, elicit, sampling, generation: AtomicU64::new(0), answering: AtomicUsize::new(0) }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn tools_may_have_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    fn answering(&self) -> Answering<'_> {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(&self.answering)
    }

    fn capabilities(&self) -> ClientCapabilities {
        let mut elicitation = ElicitationCapability::default();
        elicitation.form = Some(FormElicitationCapability::default());
        elicitation.url = Some(UrlElicitationCapability::default());
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(elicitation);
        capabilities.sampling = self.sampling.as_ref().map(|_| SamplingCapability::default());
        capabilities.extensions = Some([(TASKS_EXTENSION_ID.to_owned(), serde_json::Map::new())].into());
        capabilities
    }

    /// Responds to an elicitation with the program's callback, if there is one.
    pub(super) async fn elicit(&self, elicitation: Elicitation) -> Option<ElicitResult> {
        let callback = self.elicit.as_ref()?;
        let kind = elicitation.kind.clone();
        let answering = self.answering();
        let response = callback(elicitation).await;
        drop(answering);
        Some(response.into_result(&kind))
    }

    pub(super) async fn sample(&self, params: CreateMessageRequestParams) -> Result<CreateMessageResult, ErrorData> {
        let Some(sampling) = &self.sampling else {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "this client has no model for sampling", None));
        };
        let answering = self.answering();
        let sampled = sampling.sample(params).await;
        drop(answering);
        sampled.map_err(|reason| ErrorData::new(ErrorCode::INVALID_REQUEST, reason, None))
    }

    /// Responds to a request for input that needs no human, or for which the program has a callback. The inner error is an
    /// elicitation that needs an interrupt.
    pub(super) async fn answer(&self, request: InputRequest) -> Result<Result<Value, Elicitation>, ErrorData> {
        let unsupported = || ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "this client can't give such input", None);
        let serialized = |error: serde_json::Error| ErrorData::internal_error(error.to_string(), None);
        match request {
            InputRequest::CreateMessage(request) => {
                let result = self.sample(request.params).await?;
                Ok(Ok(serde_json::to_value(result).map_err(serialized)?))
            }
            InputRequest::Elicitation(request) => {
                let elicitation = Elicitation::new(&self.server, request.params).ok_or_else(unsupported)?;
                match self.elicit(elicitation.clone()).await {
                    Some(result) => Ok(Ok(serde_json::to_value(result).map_err(serialized)?)),
                    None => Ok(Err(elicitation)),
                }
            }
            // The client has no directories for servers.
            InputRequest::ListRoots(_) => Ok(Ok(serde_json::json!({"roots": []}))),
            _ => Err(unsupported()),
        }
    }
}

/// Handler of one connection.
#[derive(Clone)]
pub(super) struct Handler {
    pub(super) shared: Arc<Shared>,
    pub(super) progress: Arc<ProgressRoutes>,
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        // Later versions have no handshake with these parameters.
        ClientConfig::new(self.shared.capabilities(), self.shared.identity.clone())
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.shared.sample(params).await
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let elicitation = Elicitation::new(&self.shared.server, params);
        let result = match elicitation {
            Some(elicitation) => self.shared.elicit(elicitation).await,
            None => None,
        };
        // The request lives as long as this connection: it can't become an interrupt, whose response may come in another process.
        result.ok_or_else(|| {
            let reason = "this client has no callback for elicitations, and in this protocol version they can't wait";
            ErrorData::new(ErrorCode::INVALID_REQUEST, reason, None)
        })
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        self.progress.deliver(params);
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.shared.tools_may_have_changed();
    }
}
