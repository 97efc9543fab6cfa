//! [`SwarmResponse`], the response of a run.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use strands_core::AgentResponse;
use strands_core::multiagent::NodeResult;

use super::run::SwarmRun;
use super::shared_context::SharedContext;
use crate::driver::Finished;

/// Response of a run of a swarm. `Display` prints the text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SwarmResponse {
    /// The response as that of an agent: its message is that of the last member. Its stop reason is
    /// [`EndTurn`](strands_core::models::StopReason::EndTurn) if the task is complete.
    pub response: AgentResponse,
    /// Results of the members that had a turn, in the order of their first turns: of the latest turn, with the usage of all.
    pub results: IndexMap<Arc<str>, NodeResult>,
    /// The members whose turns have ended, in order.
    pub history: Vec<Arc<str>>,
    /// Knowledge that the members have handed over.
    pub shared_context: SharedContext,
}

impl SwarmResponse {
    pub(super) fn new(finished: Finished<SwarmRun>) -> Self {
        let Finished { run, response } = finished;
        let (results, history, shared_context) = run.into_results();
        Self { response, results, history, shared_context }
    }

    /// Returns the text of the response.
    pub fn text(&self) -> String {
        self.response.text()
    }
}

impl fmt::Display for SwarmResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.response.fmt(f)
    }
}
