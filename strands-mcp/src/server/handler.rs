//! The server as rmcp's handler: requests of one client.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorData, Implementation, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use strands_core::ToolRunner;
use tokio::sync::Semaphore;

use super::call::{Call, internal};
use super::connection::Connected;
use super::listing::Listings;
use super::settings::Settings;

/// Time between two looks at the generations of the tool providers.
const POLL: Duration = Duration::from_millis(500);

/// Parts that all clients of a server share.
pub(super) struct Shared {
    pub(super) runner: ToolRunner,
    pub(super) settings: Settings,
    pub(super) listings: Listings,
    /// One permit for each call that may run.
    pub(super) calls: Semaphore,
}

/// Handler of one client, or of one request.
#[derive(Clone)]
pub(super) struct Handler(pub(super) Arc<Shared>);

impl Shared {
    pub(super) fn new(runner: ToolRunner, settings: Settings) -> Self {
        let calls = usize::try_from(settings.max_calls).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let calls = Semaphore::new(calls);
        Self { listings: Listings::new(&runner), runner, settings, calls }
    }

    fn has_providers(&self) -> bool {
        !self.runner.generations().is_empty()
    }

    /// Waits until the list of tools may have changed.
    async fn tools_changed(&self, generations: &mut Vec<u64>) {
        loop {
            tokio::time::sleep(POLL).await;
            let current = self.runner.generations();
            if current != *generations {
                *generations = current;
                return;
            }
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let settings = &self.0.settings;
        let capabilities = ServerCapabilities::builder().enable_tools();
        let capabilities =
            if self.0.has_providers() { capabilities.enable_tool_list_changed().build() } else { capabilities.build() };
        let mut info = ServerConfig::new(capabilities);
        info.server_info = Implementation::new(settings.name.clone(), settings.version.clone());
        info.instructions.clone_from(&settings.instructions);
        info
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let listing = self.0.listings.current(&self.0.runner).await.map_err(|error| internal("", &error))?;
        Ok(ListToolsResult::with_all_items(listing.tools.clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.listings.latest().tool(name).cloned()
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let listing = self.0.listings.current(&self.0.runner).await.map_err(|error| internal(&params.name, &error))?;
        Call::make(&self.0, &listing, params, &context).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let mut accepted = SubscriptionFilter::new();
        if self.0.has_providers() {
            accepted.tools_list_changed = requested.tools_list_changed;
        }
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut generations = self.0.runner.generations();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                () = self.0.tools_changed(&mut generations), if self.0.has_providers() => {
                    if context.sink().notify_tool_list_changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let Some(Connected(connected)) = context.extensions.get::<Connected>().cloned() else { return };
        if !self.0.has_providers() {
            return;
        }
        let mut generations = self.0.runner.generations();
        loop {
            tokio::select! {
                () = connected.cancelled() => return,
                () = self.0.tools_changed(&mut generations) => {
                    if context.peer.notify_tool_list_changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
