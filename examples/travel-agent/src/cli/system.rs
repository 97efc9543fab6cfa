//! System: the parts of the program that its hosts share, as the options choose them.

use std::{sync::Arc, time::Duration};

use strands::{
    identity::Identity,
    models::{Model, ModelIdError, from_id},
    serve::AgentService,
    session::SessionStore,
};

use super::{Args, BoxError, Telemetry};
use crate::{agent::TravelAgent, desk::Desk, offline::paced_model, services::Services};

/// The agent, with the user of the command line.
pub(crate) struct System {
    pub(crate) args: Args,
    pub(crate) agent: TravelAgent,
    pub(crate) user: Identity,
    /// For the verification of tokens.
    #[cfg(all(feature = "jwt", feature = "serve"))]
    pub(crate) audit: strands::identity::Audit,
    pub(crate) telemetry: Telemetry,
}

impl System {
    pub(crate) async fn new(args: Args, telemetry: Telemetry) -> Result<Self, BoxError> {
        let audit = args.audit()?;
        let desk = args.desk().await?;
        let user = args.identity.user(&audit).await?;
        let model: Arc<dyn Model> = match args.model.as_deref() {
            Some(id) if !args.is_offline() => Arc::new(from_id(id).await.map_err(explained)?),
            _ => Arc::new(paced_model(Duration::from_millis(args.pace.into()))),
        };
        let agent = TravelAgent::new(model, desk, (args.clock(), Services::from_env().await?), audit.clone())?;
        let agent = agent.team(args.team);
        Ok(Self {
            args,
            agent,
            user,
            #[cfg(all(feature = "jwt", feature = "serve"))]
            audit,
            telemetry,
        })
    }

    /// Returns the service of the agent: the one that all hosts call.
    pub(crate) fn service(&self, sessions: SessionStore) -> AgentService {
        self.telemetry.observe(self.agent.clone().service(sessions)).build()
    }
}

impl Args {
    /// Returns the travel desk: the MCP server, or the database in this process.
    async fn desk(&self) -> Result<Desk, BoxError> {
        #[cfg(feature = "mcp")]
        if let Some(url) = self.desk_url.as_deref().filter(|url| !url.is_empty()) {
            use crate::desk::{DeskSecret, RemoteDesk};
            return Ok(Desk::Remote(Arc::new(RemoteDesk::new(url, DeskSecret::from_env()?)?)));
        }
        Ok(Desk::Local(Arc::new(self.store().await?), self.clock()))
    }
}

/// Replaces the hint about `Cargo.toml` by one about this program's features.
fn explained(error: ModelIdError) -> BoxError {
    match error {
        ModelIdError::FeatureOff { id, feature } => {
            format!("`{id}` is not compiled in: start with `cargo run -p travel-agent --features {feature} --`").into()
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_feature_of_a_model_that_is_not_compiled_in() {
        let off = ModelIdError::FeatureOff { id: "bedrock/amazon.nova-lite-v1:0".into(), feature: "bedrock" };
        assert!(explained(off).to_string().contains("cargo run -p travel-agent --features bedrock --"));
    }
}
