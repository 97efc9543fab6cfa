//! The travel agent: model, prompt, tools and injected values. The command line and the other hosts use the same one.

use std::{error::Error, fmt, sync::Arc};

use strands::{
    Agent, AgentBuilder, ToolProvider, async_trait,
    identity::{Audit, CedarError, Identity},
    models::Model,
    serve::{AgentService, AgentServiceBuilder, AgentTemplate},
    session::SessionStore,
    tools,
};

use crate::{
    access::{User, access},
    clock::Clock,
    location::ClientAddress,
    services::Services,
    store::Store,
    tools::{
        AllBookings, BookTrip, CancelBooking, CheckPolicy, GetCars, GetHotels, GetTravelPolicies, MyBookings,
        MyLocation, SearchFlights, SearchPolicies, TodaysDate,
    },
};

/// Start of the system prompt's line with the traveller.
pub(crate) const TRAVELLER: &str = "Traveller: ";

/// The agent's id in a session.
const AGENT_ID: &str = "travel_agent";

/// The travel agent of all employees.
///
/// The model, the tools, the policies and the database are shared; [`for_user`](Self::for_user) adds what depends on the user.
#[derive(Clone)]
pub struct TravelAgent {
    template: AgentBuilder,
    store: Arc<Store>,
}

impl TravelAgent {
    /// Creates the agent.
    ///
    /// # Errors
    ///
    /// Returns [`CedarError`] if the policies are invalid.
    pub fn new(model: impl Model + 'static, store: Arc<Store>, clock: Clock, audit: Audit) -> Result<Self, CedarError> {
        let template = Agent::builder()
            .agent_id(AGENT_ID)
            .model(model)
            .tools(tools![
                TodaysDate,
                MyLocation,
                GetTravelPolicies,
                SearchPolicies,
                SearchFlights,
                GetHotels,
                GetCars,
                CheckPolicy,
                BookTrip,
                MyBookings,
                AllBookings,
                CancelBooking,
            ])
            .plugin(access(Arc::clone(&store), clock, audit)?)
            .inject(Arc::clone(&store))
            .inject(clock)
            .inject(ClientAddress::default());
        #[cfg(feature = "weather")]
        let template = template.tool(crate::tools::Weather);
        Ok(Self { template, store })
    }

    /// Sets the services that tools use. Without them, the tools that need one fail.
    #[must_use]
    pub fn services(mut self, services: Services) -> Self {
        self.template = self.template.inject(services);
        self
    }

    /// Adds tools of MCP servers.
    #[must_use]
    pub fn tool_providers(mut self, providers: impl IntoIterator<Item = impl ToolProvider + 'static>) -> Self {
        self.template = self.template.tool_providers(providers);
        self
    }

    /// Returns a builder for the agent of one user. The caller can add settings, such as a session.
    ///
    /// The caller authenticates the user: by the login on the command line, by a verified token in a server. The model gets the
    /// name from the system prompt; the tools borrow the injected [`Traveller`](crate::trip::Traveller), and the policies read
    /// the injected [`Identity`], neither of which the conversation can change.
    pub fn for_user(&self, user: User) -> AgentBuilder {
        let User { traveller, identity } = user;
        let rules = include_str!("prompt.md").trim_end();
        let prompt =
            format!("{rules}\n\n{TRAVELLER}{}, {}, based in {}.", traveller.name, traveller.department, traveller.home);
        self.template.clone().system_prompt(prompt).inject(traveller).inject(identity)
    }

    /// Returns a builder for the service of the agent, with the store of the conversations: the one function that all hosts
    /// call is its [`turn`](AgentService::turn).
    pub fn service(self, sessions: SessionStore) -> AgentServiceBuilder {
        AgentService::builder(self, sessions)
    }
}

#[async_trait]
impl AgentTemplate for TravelAgent {
    async fn agent(&self, identity: &Identity) -> Result<AgentBuilder, Box<dyn Error + Send + Sync>> {
        Ok(self.for_user(User::identified(&self.store, identity.clone())?))
    }
}

impl fmt::Debug for TravelAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TravelAgent").field("template", &self.template).finish_non_exhaustive()
    }
}
