//! [`Node`]: an agent, a function or a nested graph, with its settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use strands_core::message::{Message, Role};
use strands_core::multiagent::NodeResult;
use strands_core::{InjectedKey, Prompt, PromptRequest, Promptable, RetryPolicy, StructuredOutput};

use super::input::read;
use super::{IntoNodeOutput, NodeContext, NodeError, NodeInput, NodeOutput, Update};
use crate::machine::{NodePolicy, Returned};

type Prepare = Arc<dyn Fn(PromptRequest) -> PromptRequest + Send + Sync>;
type Run<S> =
    Arc<dyn Fn(NodeContext<S>, NodeInput) -> BoxFuture<'static, Result<Returned<Update<S>>, NodeError>> + Send + Sync>;
type MakePrompt<S> = Arc<dyn Fn(&S, &NodeInput) -> Prompt + Send + Sync>;
type ListItems<S> = Arc<dyn Fn(&S, &NodeInput) -> Result<Vec<Value>, NodeError> + Send + Sync>;
pub(crate) type Apply<S> = Arc<dyn Fn(&NodeResult) -> Result<Update<S>, NodeError> + Send + Sync>;

/// Consequence of a node that has failed for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The run fails: nodes that run already go on to their end, and no others start.
    #[default]
    Run,
    /// The node counts as skipped: its edges don't fire.
    Skip,
    /// The edges of the node don't fire, and this node gets the error as its input instead.
    Route(String),
}

impl Failure {
    /// Routes failures to a node.
    pub fn route(node: impl Into<String>) -> Self {
        Self::Route(node.into())
    }
}

/// A node of a graph with a state of type `S`: an agent, a function, or anything else that takes prompts, such as another graph.
///
/// An [`AgentBuilder`](strands_core::AgentBuilder) is a template: each run of the node builds a new agent.
pub struct Node<S = ()> {
    pub(crate) body: Body<S>,
    pub(crate) policy: NodePolicy,
    pub(crate) failure: Failure,
    pub(crate) items: Option<ListItems<S>>,
    /// Number of items that are in progress at the same time.
    pub(crate) concurrency: usize,
    pub(crate) input: Option<MakePrompt<S>>,
    pub(crate) apply: Vec<Apply<S>>,
}

/// Body of a node: an agent or a function.
pub(crate) enum Body<S> {
    Agent { agent: Arc<dyn Promptable>, prepare: Prepare, requires: Vec<InjectedKey> },
    Function(Run<S>),
}

impl<S: 'static> Node<S> {
    /// Creates a node from an agent template, a shared agent, a graph, or anything else that takes prompts.
    pub fn new(agent: impl Promptable + 'static) -> Self {
        let requires = agent.requires();
        Self::of(Body::Agent { agent: Arc::new(agent), prepare: Arc::new(|request| request), requires })
    }

    fn of(body: Body<S>) -> Self {
        let policy =
            NodePolicy { timeout: None, retry: RetryPolicy::never(), keeps_conversation: false, runs_once: false };
        let failure = Failure::Run;
        Self { body, policy, failure, items: None, concurrency: usize::MAX, input: None, apply: Vec::new() }
    }

    /// Sets the maximum time of an attempt. An attempt that takes longer fails with [`NodeError::Timeout`]. Default: none.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = Some(timeout);
        self
    }

    /// Sets how failed attempts are repeated. Default: [`RetryPolicy::never`]. Model calls of an agent have a policy of their own.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Sets what happens when the node has failed for good. Default: [`Failure::Run`].
    #[must_use]
    pub fn on_failure(mut self, failure: Failure) -> Self {
        self.failure = failure;
        self
    }

    /// Runs the node once for each item of a list, concurrently. An agent gets the item as its prompt, a function as
    /// [`NodeInput::item`]. The node ends when all have ended; its output are theirs, in the order of the list, and its structured
    /// output is an array. If one fails for good, no others start, and the node fails.
    ///
    /// In events, paths and ids of interrupts, an item is named by the node and its zero-based index, such as `check[0]`. Hooks get the id of
    /// the node, and the index apart from it. Items don't keep a conversation.
    ///
    /// A list with more than `max` items fails the node.
    #[must_use]
    pub fn for_each<T: Serialize>(
        mut self,
        max: usize,
        items: impl Fn(&S, &NodeInput) -> Vec<T> + Send + Sync + 'static,
    ) -> Self {
        let list = Arc::new(move |state: &S, input: &NodeInput| {
            let items = items(state, input);
            if items.len() > max {
                return Err(NodeError::TooManyItems { count: items.len(), max });
            }
            let values = items.into_iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
            values.map_err(|error| NodeError::Function(error.into()))
        });
        self.items = Some(list);
        self
    }

    /// Sets how many items of [`for_each`](Self::for_each) are in progress at the same time. Default: as many as the graph allows. Has
    /// no effect on other nodes.
    #[must_use]
    pub fn concurrency(mut self, items: usize) -> Self {
        self.concurrency = items.max(1);
        self
    }

    /// Sets whether an agent that runs again goes on with its conversation, rather than starting a new one. Default: false. The
    /// conversation is part of the run. Has no effect on functions.
    #[must_use]
    pub fn keeps_conversation(mut self, keeps: bool) -> Self {
        self.policy.keeps_conversation = keeps;
        self
    }

    /// Declares that the node must never run twice for the same input. If the process ends, a limit is reached or the run is cancelled
    /// while it is running, the node fails with [`NodeError::OutcomeUnknown`] instead of running again. Failed attempts are not repeated.
    #[must_use]
    pub fn runs_once(mut self) -> Self {
        self.policy.runs_once = true;
        self
    }

    /// Sets the prompt of an agent, made of the state and the input. Default: [`NodeInput::prompt`]. Has no effect on functions, which get the
    /// [`NodeInput`].
    #[must_use]
    pub fn input<P: Into<Prompt>>(mut self, prompt: impl Fn(&S, &NodeInput) -> P + Send + Sync + 'static) -> Self {
        self.input = Some(Arc::new(move |state, input| prompt(state, input).into()));
        self
    }

    /// Changes the state by the result of the node; of a list, by the result of each item. The change and the result are recorded
    /// together.
    #[must_use]
    pub fn then(mut self, change: impl Fn(&mut S, &NodeResult) + Send + Sync + 'static) -> Self {
        let change = Arc::new(change);
        self.apply.push(Arc::new(move |result| {
            let (change, result) = (Arc::clone(&change), result.clone());
            Ok(Box::new(move |state: &mut S| change(state, &result)))
        }));
        self
    }

    /// Requests structured output of an agent. Nodes after it get the JSON. Has no effect on functions, whose output is their own.
    #[must_use]
    pub fn output<T: StructuredOutput>(mut self) -> Self {
        if let Body::Agent { prepare, .. } = &mut self.body {
            let before = Arc::clone(prepare);
            *prepare = Arc::new(move |request| before(request).output::<T>());
        }
        self
    }

    /// Requests structured output of an agent, or reads that of a function, and changes the state by it. Of a list, by that of each item.
    #[must_use]
    pub fn output_into<T>(self, change: impl Fn(&mut S, T) + Send + Sync + 'static) -> Self
    where
        T: StructuredOutput + DeserializeOwned + Send + 'static,
    {
        let change = Arc::new(change);
        let mut node = self.output::<T>();
        node.apply.push(Arc::new(move |result| {
            let output: T = read(result.output.as_ref())?;
            let change = Arc::clone(&change);
            Ok(Box::new(move |state: &mut S| change(state, output)))
        }));
        node
    }

    /// Returns true if an agent has a session of its own.
    pub(crate) fn has_session(&self) -> bool {
        matches!(&self.body, Body::Agent { agent, .. } if agent.has_session())
    }

    /// Returns the keys of the injected values that the node needs.
    pub(crate) fn requires(&self) -> &[InjectedKey] {
        match &self.body {
            Body::Agent { requires, .. } => requires,
            Body::Function(_) => &[],
        }
    }
}

impl<S> Clone for Node<S> {
    fn clone(&self) -> Self {
        Self {
            body: self.body.clone(),
            policy: self.policy,
            failure: self.failure.clone(),
            items: self.items.clone(),
            concurrency: self.concurrency,
            input: self.input.clone(),
            apply: self.apply.clone(),
        }
    }
}

impl<S> Clone for Body<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Agent { agent, prepare, requires } => {
                Self::Agent { agent: Arc::clone(agent), prepare: Arc::clone(prepare), requires: requires.clone() }
            }
            Self::Function(run) => Self::Function(Arc::clone(run)),
        }
    }
}

/// Creates a node from an async function of its context and its input.
///
/// The function returns an output, such as a text, or a `Result` with one: see [`IntoNodeOutput`].
///
/// ```
/// use strands::multiagent::{Graph, NodeContext, NodeInput, NodeOutput, function};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let count = function(|ctx: NodeContext<u32>, input: NodeInput| async move {
///     let text = format!("{} after {}", input.text(), ctx.state());
///     NodeOutput::text(text).update(|state: &mut u32| *state += 1)
/// });
/// let graph = Graph::with_state("counter", 7_u32).node("count", count).build()?;
/// let response = graph.run("hi").await?;
/// assert_eq!((response.text().as_str(), response.state), ("hi after 7", 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn function<S, F, R>(run: F) -> Node<S>
where
    S: 'static,
    F: Fn(NodeContext<S>, NodeInput) -> R + Send + Sync + 'static,
    R: Future<Output: IntoNodeOutput<S>> + Send + 'static,
{
    Node::of(Body::Function(Arc::new(move |ctx, input| {
        let running = run(ctx, input);
        async move {
            let NodeOutput { content, output, updates } = running.await.into_node_output()?.checked()?;
            Ok(Returned { message: Message::new(Role::Assistant, content), output, updates })
        }
        .boxed()
    })))
}

/// A trait for everything that can be a node of a graph: a [`Node`] with settings, and everything that takes prompts.
pub trait IntoNode<S> {
    /// Converts the value to a node.
    fn into_node(self) -> Node<S>;
}

impl<S> IntoNode<S> for Node<S> {
    fn into_node(self) -> Self {
        self
    }
}

impl<S: 'static, P: Promptable + 'static> IntoNode<S> for P {
    fn into_node(self) -> Node<S> {
        Node::new(self)
    }
}

impl<S> fmt::Debug for Node<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("policy", &self.policy).field("failure", &self.failure).finish_non_exhaustive()
    }
}
