//! The list of a server's tools: its pages, its cache, and its changes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use strands_core::Tool;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::error::McpError;
use super::filter::is_allowed;
use super::mcp_client::{Caller, McpClient};
use super::tool::McpTool;
use super::tool_spec::tool_specs;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const MOST_RETRY: Duration = Duration::from_secs(60);

/// Tools as they were listed.
pub(super) struct Listing {
    generation: u64,
    tools: Vec<Arc<McpTool>>,
}

impl Listing {
    pub(super) fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.tools.iter().map(|tool| Arc::clone(tool) as Arc<dyn Tool>).collect()
    }
}

impl McpClient {
    /// Returns the tools as they were listed last, or lists them after a change.
    pub(super) async fn listing(&self) -> Result<Arc<Listing>, McpError> {
        let caller = &self.inner.caller;
        // A server that restarts may have other tools.
        caller.link.connection().await?;
        let generation = caller.shared.generation();
        if let Some(listing) = self.cached().filter(|listing| listing.generation == generation) {
            return Ok(listing);
        }
        let listed = caller.list().await?;
        let known = self.cached();
        let listing = Arc::new(Listing { generation, tools: self.tools_of(&listed, known.as_deref()) });
        *self.inner.listing.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&listing));
        Ok(listing)
    }

    /// Returns the tools for an agent. A running agent keeps the last list while the server is down, and an optional server
    /// that can't be reached has no tools.
    pub(super) async fn provided_tools(&self) -> Result<Vec<Arc<dyn Tool>>, McpError> {
        let error = match self.listing().await {
            Ok(listing) => return Ok(listing.tools()),
            Err(error) => error,
        };
        if let Some(listing) = self.cached() {
            tracing::warn!(server = self.name(), %error, "can't list the tools of the MCP server; the last list stays");
            // After a lost connection, the next one lists again. Here the change that was announced would be lost.
            if self.inner.caller.link.is_connected() {
                self.retry_later();
            }
            return Ok(listing.tools());
        }
        if !self.inner.is_optional {
            return Err(error);
        }
        tracing::warn!(server = self.name(), %error, "the optional MCP server is not available and is tried again later");
        self.retry_later();
        Ok(Vec::new())
    }

    fn cached(&self) -> Option<Arc<Listing>> {
        self.inner.listing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns tools with these specs. A tool whose spec is unchanged stays the same, so that its schema is not compiled again.
    fn tools_of(&self, listed: &[rmcp::model::Tool], known: Option<&Listing>) -> Vec<Arc<McpTool>> {
        let server = self.name();
        let known = known.map(|listing| &*listing.tools).unwrap_or_default();
        let known: HashMap<&str, &Arc<McpTool>> = known.iter().map(|tool| (tool.own_name(), tool)).collect();
        let allowed: Vec<_> =
            listed.iter().filter(|tool| is_allowed(tool, &self.inner.allow, &self.inner.deny)).cloned().collect();
        let mut tools = Vec::with_capacity(allowed.len());
        for (tool, spec) in allowed.iter().zip(tool_specs(&allowed, self.inner.prefix.as_deref())) {
            let spec = match spec {
                Ok(spec) => spec,
                Err(error) => {
                    tracing::warn!(server, %error, "a tool of the MCP server is left out");
                    continue;
                }
            };
            match known.get(&*tool.name) {
                Some(known) if *known.known_spec() == spec => tools.push(Arc::clone(known)),
                before => {
                    if before.is_some_and(|before| before.known_spec().description != spec.description) {
                        let name = &spec.name;
                        tracing::warn!(server, tool = name, "the MCP server changed the description of a known tool");
                    }
                    tools.push(Arc::new(McpTool::new(Arc::clone(&self.inner.caller), tool.name.to_string(), spec)));
                }
            }
        }
        tools
    }

    /// Tries a server again in the background, until it is reached or the client is dropped.
    fn retry_later(&self) {
        let mut retry = self.inner.retry.lock().unwrap_or_else(PoisonError::into_inner);
        if retry.as_ref().is_some_and(|retry| !retry.is_finished()) {
            return;
        }
        // The task holds no part of the client while it waits.
        *retry = Some(AbortOnDropHandle::new(tokio::spawn(reach(Arc::downgrade(&self.inner.caller)))));
    }
}

/// Connects to a server that was not reached, and announces its tools.
async fn reach(caller: Weak<Caller>) {
    let mut delay = FIRST_RETRY;
    loop {
        sleep(delay.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        delay = (delay * 2).min(MOST_RETRY);
        let Some(caller) = caller.upgrade() else { return };
        if caller.link.connection().await.is_ok() {
            caller.shared.tools_may_have_changed();
            return;
        }
    }
}

impl Caller {
    /// Lists the tools of all pages.
    async fn list(&self) -> Result<Vec<rmcp::model::Tool>, McpError> {
        let page = |peer: rmcp::Peer<rmcp::RoleClient>, params| async move {
            let page = peer.list_tools(params).await?;
            Ok((page.tools, page.next_cursor))
        };
        self.read_pages(page).await
    }
}
