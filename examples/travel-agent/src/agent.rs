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
    team,
    tools::{MyLocation, TodaysDate},
    trip::Traveller,
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
    is_team: bool,
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
        Ok(Self { model: Arc::new(model), desk, clock, services, access, privacy, is_team: false })
    }

    /// Sets whether the agent is a planner with agents for policies and bookings, instead of one agent with all tools.
    #[must_use]
    pub fn team(self, is_team: bool) -> Self {
        Self { is_team, ..self }
    }

    /// Returns the agent of one user. The hosts call it for each turn, and add the user's session.
    ///
    /// The host has authenticated the user: by a verified token, or by the login on the command line. The model gets the name from the
    /// system prompt. Tools act for the injected traveller, or for the user of the token that travels to the MCP server; policies
    /// read the injected identity. None of it comes from the conversation.
    pub async fn call_agent(&self, user: &Identity) -> Result<AgentBuilder, TravelError> {
        let traveller = self.desk.traveller(user).await?;
        let agent = match self.is_team {
            true => team::planner(self, user, &traveller)?,
            false => {
                // Tools in this process, and those of the travel desk.
                let agent = self.agent_of(&traveller, include_str!("prompt.md")).tools(tools![TodaysDate, MyLocation]);
                self.desk.equip(agent, user, |_| true)?
            }
        };
        let agent = agent.agent_id("travel_agent");
        let agent = agent.inject(self.clock).inject(self.services.clone());
        Ok(agent.inject(ClientAddress::of(user)).inject(traveller).inject(user.clone()))
    }

    /// Returns an agent with these rules, and with the checks that all have: a team has them at each level.
    pub(crate) fn agent_of(&self, traveller: &Traveller, rules: &str) -> AgentBuilder {
        Agent::builder()
            .model(Arc::clone(&self.model))
            .system_prompt(format!("{}\n\n{TRAVELLER}{traveller}.", rules.trim_end()))
            .plugin(self.access.clone())
            .hook(self.privacy.clone())
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
