//! The server as rmcp's handler: requests of one client.
#![expect(deprecated, reason = "log messages are deprecated by the protocol, but not removed")]

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, ErrorData, GetPromptRequestParams,
    GetPromptResponse, Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, PromptsCapability, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ResourceUpdatedNotificationParam, ResourcesCapability, ServerCapabilities, ServerConfig,
    SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestMethod, SubscribeRequestParams, SubscriptionFilter,
    Tool, ToolsCapability, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, ServiceError, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use strands_core::{ToolRunner, ToolSet};
use tokio::sync::Semaphore;

use super::McpServer;
use super::call::{Call, Outcome, Request, caller_of, internal, shown};
use super::claims::Claims;
use super::client_state::ClientState;
use super::connection::Connected;
use super::continuations::Continuations;
use super::listing::Listings;
use super::resources::Resources;
use super::settings::Settings;
use super::updates::{Changed, ResourceUpdates, Updates};
use super::{content, prompts, resources};

/// Time between two looks at the generations of the tool providers.
const POLL: Duration = Duration::from_millis(500);

/// Parts that all clients of a server share.
pub(super) struct Shared {
    pub(super) runner: ToolRunner,
    pub(super) settings: Settings,
    pub(super) listings: Listings,
    prompts: ToolRunner,
    resources: Resources,
    resource_runner: ToolRunner,
    updates: Option<ResourceUpdates>,
    /// One permit for each call that may run.
    pub(super) calls: Semaphore,
    pub(super) claims: Claims,
    pub(super) continuations: Continuations,
}

/// Handler of one client, or of one request.
pub(super) struct Handler {
    shared: Arc<Shared>,
    state: Arc<ClientState>,
}

impl Handler {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, state: Arc::default() }
    }

    /// Waits for a change of a list or a resource, and tells the client.
    async fn announce(&self, peer: &Peer<RoleServer>, seen: &mut Seen) -> Result<(), ServiceError> {
        match seen.next(&self.shared).await {
            Change::Tools => peer.notify_tool_list_changed().await,
            Change::Resources(changed) => {
                for uri in changed.among(&self.state.subscriptions()) {
                    peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await?;
                }
                Ok(())
            }
        }
    }
}

/// Last state of everything that may change.
struct Seen {
    generations: Vec<u64>,
    updates: Option<Updates>,
}

/// A change that clients may want to know.
enum Change {
    Tools,
    Resources(Changed),
}

impl Seen {
    fn now(shared: &Shared) -> Self {
        let updates = shared.updates.as_ref().map(ResourceUpdates::receive);
        Self { generations: shared.runner.generations(), updates }
    }

    /// Waits for the next change.
    async fn next(&mut self, shared: &Shared) -> Change {
        let Self { generations, updates } = self;
        let updated = async {
            match updates {
                Some(updates) => updates.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.tools_changed(generations), if shared.has_providers() => Change::Tools,
            changed = updated => Change::Resources(changed),
        }
    }
}

impl Shared {
    pub(super) fn new(server: McpServer) -> Self {
        let McpServer { runner, prompts, resources, updates, settings } = server;
        let calls = usize::try_from(settings.max_calls).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let resource_tools = ToolSet::new(resources.tools()).unwrap_or_default();
        Self {
            listings: Listings::new(&runner),
            prompts: runner.clone().with_tool_set(prompts),
            resource_runner: runner.clone().with_tool_set(resource_tools),
            resources,
            updates,
            runner,
            settings,
            calls: Semaphore::new(calls),
            claims: Claims::default(),
            continuations: Continuations::default(),
        }
    }

    fn has_changes(&self) -> bool {
        self.has_providers() || self.updates.is_some()
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
        let settings = &self.shared.settings;
        let mut capabilities = ServerCapabilities::default();
        let mut tools = ToolsCapability::default();
        tools.list_changed = self.shared.has_providers().then_some(true);
        capabilities.tools = Some(tools);
        if self.shared.prompts.tools().iter().len() > 0 {
            capabilities.prompts = Some(PromptsCapability::default());
            capabilities.completions = Some(JsonObject::new());
        }
        if !self.shared.resources.is_empty() {
            let mut resources = ResourcesCapability::default();
            resources.subscribe = self.shared.updates.is_some().then_some(true);
            capabilities.resources = Some(resources);
        }
        capabilities.logging = Some(JsonObject::new());
        let mut info = ServerConfig::new(capabilities);
        info.server_info = Implementation::new(settings.name.clone(), settings.version.clone());
        info.instructions.clone_from(&settings.instructions);
        info
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let failed = |error| internal("", &error);
        let listing = self.shared.listings.current(&self.shared.runner).await.map_err(failed)?;
        // Hooks may hide tools that the caller may not call.
        let runner = caller_of(&context).inject_into_runner(self.shared.runner.clone());
        let selected = runner.select_tools().await.map_err(failed)?;
        let tools = listing.tools.iter().filter(|tool| selected.get(&tool.name).is_some());
        Ok(ListToolsResult::with_all_items(tools.cloned().collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.shared.listings.latest().tool(name).cloned()
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let listing =
            self.shared.listings.current(&self.shared.runner).await.map_err(|error| internal(&params.name, &error))?;
        let Some(output) = listing.output(&params.name) else {
            return Err(ErrorData::invalid_params(format!("unknown tool: {}", shown(&params.name)), None));
        };
        let request = Request {
            name: params.name.into_owned(),
            kind: "tool",
            arguments: params.arguments.unwrap_or_default(),
            request_state: params.request_state,
            input_responses: params.input_responses,
        };
        Ok(match Call::make(&self.shared, &self.state, &self.shared.runner, request, &context).await? {
            Outcome::Result(result, meta) => content::call_result(&result, output, meta).into(),
            Outcome::InputRequired(input) => input.into(),
        })
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list(self.shared.prompts.tools())))
    }

    async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if self.shared.prompts.tools().get(&params.name).is_none() {
            return Err(ErrorData::invalid_params(format!("unknown prompt: {}", shown(&params.name)), None));
        }
        let request = Request {
            name: params.name,
            kind: "prompt",
            arguments: params.arguments.unwrap_or_default(),
            request_state: params.request_state,
            input_responses: params.input_responses,
        };
        Ok(match Call::make(&self.shared, &self.state, &self.shared.prompts, request, &context).await? {
            Outcome::Result(result, _) => prompts::messages(&result)?.into(),
            Outcome::InputRequired(input) => input.into(),
        })
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Ok(prompts::complete(self.shared.prompts.tools(), &request))
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(self.shared.resources.list()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(self.shared.resources.list_templates()))
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Some((name, arguments)) = self.shared.resources.find(&params.uri) else {
            return Err(ErrorData::resource_not_found("unknown resource", Some(json!({"uri": params.uri}))));
        };
        let (request_state, input_responses) = (params.request_state, params.input_responses);
        let request = Request { name, kind: "resource", arguments, request_state, input_responses };
        Ok(match Call::make(&self.shared, &self.state, &self.shared.resource_runner, request, &context).await? {
            Outcome::Result(result, _) => resources::contents(&params.uri, &result)?.into(),
            Outcome::InputRequired(input) => input.into(),
        })
    }

    async fn subscribe(&self, params: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        if self.shared.updates.is_none() {
            return Err(ErrorData::method_not_found::<SubscribeRequestMethod>());
        }
        self.state.subscribe(params.uri)
    }

    async fn unsubscribe(
        &self,
        params: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.state.unsubscribe(&params.uri);
        Ok(())
    }

    async fn set_level(
        &self,
        params: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if is_stateless(&context) {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        self.state.set_log_level(params.level);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        // What the server does not offer is removed by rmcp.
        self.shared.has_changes().then(|| requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut seen = Seen::now(&self.shared);
        let accepted = context.accepted();
        let resources = accepted.resource_subscriptions.clone().unwrap_or_default();
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return Ok(()),
                change = seen.next(&self.shared) => change,
            };
            let mut sent = Ok(());
            match change {
                Change::Tools if accepted.tools_list_changed == Some(true) => {
                    sent = context.sink().notify_tool_list_changed().await;
                }
                Change::Tools => {}
                Change::Resources(changed) => {
                    for uri in changed.among(&resources) {
                        sent = sent.and(context.sink().notify_resource_updated(uri).await);
                    }
                }
            }
            if sent.is_err() {
                return Ok(());
            }
        }
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let Some(Connected(connected)) = context.extensions.get::<Connected>() else { return };
        // A client that repeats the notification can't start this loop twice.
        if !self.shared.has_changes() || !self.state.initialize() {
            return;
        }
        let mut seen = Seen::now(&self.shared);
        loop {
            tokio::select! {
                () = connected.cancelled() => return,
                announced = self.announce(&context.peer, &mut seen) => {
                    if announced.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Returns true if a request is of a protocol without sessions.
pub(super) fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}
