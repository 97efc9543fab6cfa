//! Template of an agent: each attempt of a turn builds its own agent.

use std::error::Error as StdError;
use std::future::Future;

use async_trait::async_trait;
use serde_json::{Map, Value};
use strands_core::AgentBuilder;

/// A turn, as an [`AgentTemplate`] sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TurnInfo {
    /// Id of the session.
    pub session_id: String,
    /// Id of the run: that of the engine's execution, which is the same in each attempt.
    pub run_id: String,
    /// Metadata of the request, such as the tenant.
    pub metadata: Map<String, Value>,
}

impl TurnInfo {
    /// Creates the info of a turn, for tests of a template.
    pub fn new(session_id: impl Into<String>, run_id: impl Into<String>, metadata: &Map<String, Value>) -> Self {
        Self { session_id: session_id.into(), run_id: run_id.into(), metadata: metadata.clone() }
    }
}

/// Template of an agent: a builder, or an async function from a [`TurnInfo`] to one.
///
/// It is called in each attempt of a turn. A replay assumes that the builder has the same hooks as in the attempt before;
/// another prompt or other tools take effect with the next model call that is not recorded. The builder has no session manager,
/// since the engine stores the conversation.
///
/// ```
/// use strands::Agent;
/// use strands::durable::{AgentTemplate, TurnInfo};
/// use strands::testing::ScriptedModel;
///
/// # fn is_template(_: impl AgentTemplate) {}
/// let template = async |turn: TurnInfo| {
///     let tenant = turn.metadata.get("tenant").and_then(|tenant| tenant.as_str()).ok_or("no tenant")?;
///     let model = ScriptedModel::responding("Good morning.");
///     Ok::<_, &str>(Agent::builder().model(model).system_prompt(format!("You work for {tenant}.")))
/// };
/// # is_template(template);
/// # is_template(Agent::builder().model(ScriptedModel::responding("hi")));
/// ```
#[async_trait]
pub trait AgentTemplate: Send + Sync + 'static {
    /// Returns the builder of the agent for a turn.
    ///
    /// # Errors
    ///
    /// Returns an error if the agent can't be built now. The engine repeats the attempt later, except with a
    /// [`TurnFailure`](crate::TurnFailure), which ends the turn: for a request without a user, for example. The text of the
    /// error appears in the engine's records, so it must not contain secrets.
    async fn agent(&self, turn: &TurnInfo) -> Result<AgentBuilder, Box<dyn StdError + Send + Sync>>;
}

#[async_trait]
impl AgentTemplate for AgentBuilder {
    async fn agent(&self, _: &TurnInfo) -> Result<AgentBuilder, Box<dyn StdError + Send + Sync>> {
        Ok(self.clone())
    }
}

#[async_trait]
impl<F, Fut, E> AgentTemplate for F
where
    F: Fn(TurnInfo) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<AgentBuilder, E>> + Send,
    E: Into<Box<dyn StdError + Send + Sync>> + 'static,
{
    async fn agent(&self, turn: &TurnInfo) -> Result<AgentBuilder, Box<dyn StdError + Send + Sync>> {
        self(turn.clone()).await.map_err(Into::into)
    }
}
