//! Contract between the driver, which performs a run, and the state machines of graphs and swarms, which decide what runs next.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_core::message::Message;
use strands_core::models::StopReason;
use strands_core::multiagent::{MultiAgentKind, NodeHook, NodeResult};
use strands_core::session::SessionManager;
use strands_core::{
    AgentError, AgentEvent, Continuation, ErrorChain, InjectedKey, Interrupt, InterruptResponse, Limits, Prompt,
    PromptRequest, Promptable, RetryPolicy,
};
use uuid::Uuid;

use crate::document::DocumentError;
use crate::given_values::Inject;
use crate::node::{FunctionCall, NodeError};

/// A graph or a swarm: creates its runs, and has what the driver needs to perform them.
pub(crate) trait Orchestrator: Send + Sync + 'static {
    type Run: Machine;

    fn settings(&self) -> &Settings;

    /// Creates a run of a task. Agents that keep their conversation go on with that of an earlier run. `is_first` is false if others
    /// may have asked under the same ids of interrupts: earlier runs in the session, or those of a loop around this one.
    fn begin(self: &Arc<Self>, task: Prompt, run_id: String, earlier: Option<&Self::Run>, is_first: bool) -> Self::Run;

    /// Restores a run from a document of a session or a continuation.
    ///
    /// # Errors
    ///
    /// Returns an error if the document is not of this graph or swarm, or is not valid.
    fn restore(self: &Arc<Self>, document: &Value) -> Result<Self::Run, RestoreError>;

    /// Restores a run from a document as one that is over: nodes that have not ended are skipped, and no other one runs. The nodes, the
    /// edges and the type of the state may have changed since.
    ///
    /// # Errors
    ///
    /// Returns an error if the document is not of this graph or swarm, or is not valid.
    fn restore_ended(self: &Arc<Self>, document: &Value) -> Result<Self::Run, RestoreError>;
}

/// Settings of a graph or a swarm that the driver uses.
pub(crate) struct Settings {
    pub(crate) kind: MultiAgentKind,
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) limits: Limits,
    /// Maximum number of nodes that run at the same time.
    pub(crate) concurrency: usize,
    pub(crate) hooks: Vec<Arc<dyn NodeHook>>,
    pub(crate) session_manager: Option<Arc<dyn SessionManager>>,
    /// Inject values into a request that has none of their types.
    pub(crate) inject: Vec<Inject>,
    /// Values that a request must have, with the nodes that need them.
    pub(crate) requires: Vec<(Arc<str>, InjectedKey)>,
}

/// The error of a document from which a run can't be restored.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct RestoreError {
    pub(crate) reason: String,
    /// True if the graph or swarm has changed since: it is valid, and was of an earlier release of the program.
    pub(crate) is_of_earlier: bool,
}

impl From<DocumentError> for RestoreError {
    fn from(error: DocumentError) -> Self {
        let is_of_earlier = matches!(error, DocumentError::UnknownNode { .. } | DocumentError::OtherState);
        Self { reason: ErrorChain::new(&error).to_string(), is_of_earlier }
    }
}

/// State of a run between two steps, with its definition: a value without I/O that decides what happens next.
pub(crate) trait Machine: Send + 'static {
    /// Effect of a node on the run, beyond its result.
    type Update: Send + 'static;

    /// Returns the id of the run.
    fn id(&self) -> &str;

    /// Returns the task of the run.
    fn task(&self) -> &Prompt;

    /// Returns the digest of the task as it was asked, if hooks have changed it.
    fn asked(&self) -> Option<Uuid>;

    /// Replaces the task of a run that has not started, with the digest of the one that was asked.
    fn set_task(&mut self, task: Prompt, asked: Uuid);

    /// Returns true if the run was restored.
    fn is_restored(&self) -> bool;

    /// Records nodes that are ready as started, at most `most`, and returns their work. Adds events of nodes that ended meanwhile.
    fn start(&mut self, most: usize, events: &mut Vec<AgentEvent>) -> Vec<Work<Self::Update>>;

    /// Records the end of a node and what follows from it. Returns events of that, such as skipped nodes and handoffs.
    fn finish(&mut self, ended: Ended<Self::Update>) -> Vec<AgentEvent>;

    /// Returns the state of the run.
    fn phase(&self) -> Phase;

    /// Records responses to interrupts. Nodes with a response are ready again.
    ///
    /// # Errors
    ///
    /// Returns an error, without a change, if a response is to no pending interrupt.
    fn resume(&mut self, responses: &[InterruptResponse]) -> Result<(), AgentError>;

    /// Makes nodes ready again that had started when the run was stored, or were stopped.
    fn repeat_started(&mut self) -> Vec<AgentEvent>;

    /// Returns the agents that wait for responses, with the states from which they go on.
    fn waiting(&self) -> Vec<(Arc<dyn Promptable>, Option<Continuation>)>;

    /// Adds usage and time of this part of the run.
    fn spend(&mut self, spent: Spent);

    /// Returns usage and time of the run.
    fn spent(&self) -> Spent;

    /// Returns the last message of the run, for its response.
    fn response(&self) -> (Arc<Message>, Option<Value>);

    /// Returns the document that a session stores, in the form of Strands. `stored` is the document that was last read or written:
    /// its unknown fields stay.
    ///
    /// # Errors
    ///
    /// Returns an error if the state of the run can't be stored.
    fn document(&self, stored: Option<&Value>) -> Result<Value, DocumentError>;
}

/// State of a run.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nodes are ready, or are running.
    Active,
    /// Nodes wait for responses, and no others can run.
    Interrupted(Vec<Interrupt>),
    Completed,
    /// A limit of the graph or the swarm stops the run, which goes on if the limit is higher later.
    Limited(StopReason),
    /// The run failed, in this node if it is known.
    Failed {
        node: Option<Arc<str>>,
        error: RunFailure,
    },
}

/// Cause of a failed run.
#[derive(Debug)]
pub(crate) enum RunFailure {
    Node(Arc<NodeError>),
    /// The members of a swarm handed over in circles: so many different ones had the latest turns.
    Repetition {
        window: usize,
        unique: usize,
    },
    /// Text of a failure in an earlier process.
    Earlier(String),
    /// No node can run, although some have not ended: the stored run was not consistent.
    Stalled,
}

/// Usage and time of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) usage: strands_core::metrics::Usage,
    pub(crate) turns: u32,
    pub(crate) elapsed: Duration,
}

/// A node that the driver has to run.
pub(crate) struct Work<U> {
    /// Position of the node in the machine.
    pub(crate) key: (usize, usize),
    /// Id of the node, for hooks.
    pub(crate) id: Arc<str>,
    /// Zero-based index of the item of its list.
    pub(crate) item: Option<usize>,
    /// The id, with the index of the item, for events and interrupts.
    pub(crate) node: Arc<str>,
    /// One-based number of the attempt, over all starts of the node in this run.
    pub(crate) attempt: u32,
    /// Ids of the nodes whose outputs it gets.
    pub(crate) from: Vec<Arc<str>>,
    /// Prompt of an agent, which hooks may change.
    pub(crate) prompt: Prompt,
    /// Text that differs in each visit of the node, of all runs. Ids of interrupts have it, so that a late response to an earlier
    /// question does not count for a later one.
    pub(crate) visit: Arc<str>,
    /// The same text each time that this start is repeated after a crash, and another one for each other start of the node.
    pub(crate) start: String,
    /// True for the first visit in the first run. Then ids of hooks' interrupts are those of Strands.
    pub(crate) is_first: bool,
    /// Responses to all interrupts of the node, with the ids that they have outside of it.
    pub(crate) responses: Vec<InterruptResponse>,
    /// Those to its last interrupts.
    pub(crate) new_responses: Vec<InterruptResponse>,
    /// State from which an agent goes on: after an interrupt, or that of its last run if it keeps its conversation. For a graph or a
    /// swarm, also that of a run that was cut off, which goes on without a prompt.
    pub(crate) continuation: Option<Continuation>,
    /// True if the agent was interrupted, and goes on with the responses instead of the prompt.
    pub(crate) is_resumed: bool,
    pub(crate) executor: Executor<U>,
    pub(crate) policy: NodePolicy,
}

/// Settings of a node that the driver uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodePolicy {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) keeps_conversation: bool,
    pub(crate) runs_once: bool,
}

/// Function that reads the effects of a node on the run from its result.
pub(crate) type ReadResult<U> = Arc<dyn Fn(&NodeResult) -> Result<Vec<U>, NodeError> + Send + Sync>;
/// Function of a node.
pub(crate) type CallFunction<U> =
    Arc<dyn Fn(FunctionCall) -> BoxFuture<'static, Result<Returned<U>, NodeError>> + Send + Sync>;

/// Body of a node: an agent or a function.
pub(crate) enum Executor<U> {
    Agent {
        agent: Arc<dyn Promptable>,
        /// Adds options to the request: structured output, tools.
        prepare: Arc<dyn Fn(PromptRequest) -> PromptRequest + Send + Sync>,
        /// Reads the effects on the run from a result. An error fails the attempt.
        read: ReadResult<U>,
    },
    Function {
        call: CallFunction<U>,
        /// As for an agent.
        read: ReadResult<U>,
    },
}

/// Return value of a function.
pub(crate) struct Returned<U> {
    pub(crate) message: Message,
    pub(crate) output: Option<Value>,
    pub(crate) updates: Vec<U>,
}

/// End of a node.
pub(crate) struct Ended<U> {
    pub(crate) key: (usize, usize),
    /// Result of this start of the node: its usage and time alone.
    pub(crate) result: NodeResult,
    pub(crate) updates: Vec<U>,
    /// State from which the agent goes on later.
    pub(crate) continuation: Option<Continuation>,
    /// True if the agent was interrupted, and not a hook before it.
    pub(crate) is_suspended: bool,
    /// True if the agent has rejected the responses that it got, and waits as before.
    pub(crate) is_unchanged: bool,
    /// The failure, if the node failed.
    pub(crate) error: Option<NodeError>,
}

impl<U> Ended<U> {
    /// Creates the end of a node with a result alone.
    pub(crate) fn without_effect(key: (usize, usize), result: NodeResult) -> Self {
        let (is_suspended, is_unchanged) = (false, false);
        Self { key, result, updates: Vec::new(), continuation: None, is_suspended, is_unchanged, error: None }
    }
}
