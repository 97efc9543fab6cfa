//! The travel agent: model, prompt, tools and injected values. The command line and the other hosts use the same one.

use std::{error::Error, fmt, sync::Arc};

use strands::{
    Agent, AgentBuilder, Plugin, async_trait,
    guardrails::{GuardrailHook, PiiRedactor},
    identity::{Audit, CedarError, Identity},
    models::Model,
    serve::{AgentService, AgentServiceBuilder, AgentTemplate},
    session::SessionStore,
    tools,
};

use crate::{
    access::access,
    clock::Clock,
    desk::Desk,
    error::TravelError,
    location::ClientAddress,
    services::Services,
    tools::{MyLocation, TodaysDate},
};

/// Start of the system prompt's line with the traveller.
pub(crate) const TRAVELLER: &str = "Traveller: ";

/// The travel agent of all employees: what is shared by all turns.
#[derive(Clone)]
pub struct TravelAgent {
    model: Arc<dyn Model>,
    desk: Desk,
    clock: Clock,
    services: Services,
    access: Plugin,
    privacy: GuardrailHook,
}

impl TravelAgent {
    /// Creates the agent.
    ///
    /// # Errors
    ///
    /// Returns [`CedarError`] if the policies are invalid.
    pub fn new(
        model: impl Model + 'static,
        desk: Desk,
        (clock, services): (Clock, Services),
        audit: Audit,
    ) -> Result<Self, CedarError> {
        let access = access(desk.clone(), audit)?;
        let privacy = GuardrailHook::new(PiiRedactor::new());
        Ok(Self { model: Arc::new(model), desk, clock, services, access, privacy })
    }

    /// Returns the agent of one user. The hosts call it for each turn, and add the user's session.
    ///
    /// The host has authenticated the user: by a verified token, or by the login on the command line. The model gets the name from the
    /// system prompt. Tools act for the injected traveller, or for the user of the token that travels to the MCP server; policies
    /// read the injected identity. None of it comes from the conversation.
    pub async fn call_agent(&self, user: &Identity) -> Result<AgentBuilder, TravelError> {
        let traveller = self.desk.traveller(user).await?;
        let rules = include_str!("prompt.md").trim_end();
        let prompt = format!("{rules}\n\n{TRAVELLER}{traveller}.");
        let agent = Agent::builder()
            .agent_id("travel_agent")
            .model(Arc::clone(&self.model))
            .system_prompt(prompt)
            // Tools in this process, and those of the travel desk.
            .tools(tools![TodaysDate, MyLocation])
            .plugin(self.access.clone())
            .hook(self.privacy.clone())
            .inject(self.clock)
            .inject(self.services.clone())
            .inject(ClientAddress::of(user))
            .inject(traveller)
            .inject(user.clone());
        self.desk.equip(agent, user)
    }

    /// Returns the travel desk.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Returns a builder for the service of the agent, with the store of the conversations.
    pub fn service(self, sessions: SessionStore) -> AgentServiceBuilder {
        AgentService::builder(self, sessions)
    }
}

#[async_trait]
impl AgentTemplate for TravelAgent {
    async fn agent(&self, user: &Identity) -> Result<AgentBuilder, Box<dyn Error + Send + Sync>> {
        Ok(self.call_agent(user).await?)
    }
}

impl fmt::Debug for TravelAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TravelAgent").field("desk", &self.desk).finish_non_exhaustive()
    }
}
