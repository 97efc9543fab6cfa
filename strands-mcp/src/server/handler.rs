//! The server as rmcp's handler: requests of one client.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, ErrorData, GetPromptRequestParams,
    GetPromptResponse, Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, PromptsCapability, ReadResourceRequestParams, ReadResourceResponse,
    ResourcesCapability, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool, ToolsCapability,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use strands_core::{ToolRunner, ToolSet};
use tokio::sync::Semaphore;

use super::call::{Call, Outcome, Request, internal, shown};
use super::connection::Connected;
use super::listing::Listings;
use super::resources::Resources;
use super::settings::Settings;
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
    /// One permit for each call that may run.
    pub(super) calls: Semaphore,
}

/// Handler of one client, or of one request.
#[derive(Clone)]
pub(super) struct Handler(pub(super) Arc<Shared>);

impl Shared {
    pub(super) fn new(runner: ToolRunner, prompts: ToolSet, resources: Resources, settings: Settings) -> Self {
        let calls = usize::try_from(settings.max_calls).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let calls = Semaphore::new(calls);
        let resource_tools = ToolSet::new(resources.tools()).unwrap_or_default();
        Self {
            listings: Listings::new(&runner),
            prompts: runner.clone().with_tool_set(prompts),
            resource_runner: runner.clone().with_tool_set(resource_tools),
            resources,
            runner,
            settings,
            calls,
        }
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
        let mut capabilities = ServerCapabilities::default();
        let mut tools = ToolsCapability::default();
        tools.list_changed = self.0.has_providers().then_some(true);
        capabilities.tools = Some(tools);
        if self.0.prompts.tools().iter().len() > 0 {
            capabilities.prompts = Some(PromptsCapability::default());
            capabilities.completions = Some(JsonObject::new());
        }
        if !self.0.resources.is_empty() {
            capabilities.resources = Some(ResourcesCapability::default());
        }
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
        Ok(match Call::make(&self.0, &self.0.runner, request, &context).await? {
            Outcome::Result(result, meta) => content::call_result(&result, output, meta).into(),
            Outcome::InputRequired(input) => input.into(),
        })
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list(self.0.prompts.tools())))
    }

    async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if self.0.prompts.tools().get(&params.name).is_none() {
            return Err(ErrorData::invalid_params(format!("unknown prompt: {}", shown(&params.name)), None));
        }
        let request = Request {
            name: params.name,
            kind: "prompt",
            arguments: params.arguments.unwrap_or_default(),
            request_state: params.request_state,
            input_responses: params.input_responses,
        };
        Ok(match Call::make(&self.0, &self.0.prompts, request, &context).await? {
            Outcome::Result(result, _) => prompts::messages(&result)?.into(),
            Outcome::InputRequired(input) => input.into(),
        })
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Ok(prompts::complete(self.0.prompts.tools(), &request))
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(self.0.resources.list()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(self.0.resources.list_templates()))
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Some((name, arguments)) = self.0.resources.find(&params.uri) else {
            return Err(ErrorData::resource_not_found("unknown resource", Some(json!({"uri": params.uri}))));
        };
        let (request_state, input_responses) = (params.request_state, params.input_responses);
        let request = Request { name, kind: "resource", arguments, request_state, input_responses };
        Ok(match Call::make(&self.0, &self.0.resource_runner, request, &context).await? {
            Outcome::Result(result, _) => resources::contents(&params.uri, &result)?.into(),
            Outcome::InputRequired(input) => input.into(),
        })
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
