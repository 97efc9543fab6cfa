//! A draft that a judge sends back until it is good enough.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strands_core::Prompt;
use strands_core::message::{ContentBlock, Message};

use crate::graph::{Graph, GraphBuilder};
use crate::node::{IntoNode, NodeContext, NodeError, NodeInput, NodeOutput, function};

/// Id of the node that returns the last draft.
const LAST: &str = "final";

/// Verdict of a judge, its structured output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Verdict {
    /// True if the draft is good enough.
    pub accepted: bool,
    /// Points to improve. Empty if the draft is accepted.
    #[serde(default)]
    pub feedback: String,
}

impl Verdict {
    /// Creates the verdict that a draft is good enough.
    pub fn accepted() -> Self {
        Self { accepted: true, feedback: String::new() }
    }

    /// Creates the verdict that a draft needs changes, with the points to improve.
    pub fn rejected(feedback: impl Into<String>) -> Self {
        Self { accepted: false, feedback: feedback.into() }
    }
}

/// State of an [`evaluator_optimizer`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revision {
    /// Number of drafts so far.
    pub rounds: u32,
    /// True once the judge has accepted a draft.
    pub accepted: bool,
    /// Feedback on the last draft.
    pub feedback: String,
    /// The last draft.
    pub draft: Option<Arc<Message>>,
}

/// Creates a graph in which an optimizer writes a draft, and an evaluator judges it with a [`Verdict`]. A draft that is not accepted
/// goes back with the feedback, until there are `max_rounds` drafts, at least 2. The response is the last draft, accepted or not:
/// [`Revision::accepted`] tells.
///
/// The evaluator is an agent, or a function whose structured output is a verdict. A node `final` returns the draft.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::multiagent::patterns::evaluator_optimizer;
/// # use strands::{serde_json::json, testing::{ScriptedModel, ScriptedTurn}};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let drafts = ScriptedModel::new([ScriptedTurn::text("Bees, bees, bees."), ScriptedTurn::text("Bees walk on six legs.")]);
/// # let verdict = |accepted, feedback| ScriptedTurn::tool_use("Verdict", json!({"accepted": accepted, "feedback": feedback}));
/// # let verdicts = ScriptedModel::new([verdict(false, "Add a fact."), verdict(true, "")]);
/// let writer = Agent::builder().system_prompt("Write a sentence.").model(drafts);
/// let critic = Agent::builder().system_prompt("Accept what has a fact in it.").model(verdicts);
/// let essay = evaluator_optimizer("essay", ("writer", writer), ("critic", critic), 3).build()?;
/// let response = essay.run("Write about bees.").await?;
/// assert_eq!(response.text(), "Bees walk on six legs.");
/// assert_eq!((response.state.rounds, response.state.accepted), (2, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn evaluator_optimizer<I: Into<String>, J: Into<String>>(
    name: impl Into<String>,
    (optimizer, optimize): (I, impl IntoNode<Revision>),
    (evaluator, evaluate): (J, impl IntoNode<Revision>),
    max_rounds: u32,
) -> GraphBuilder<Revision> {
    let (optimizer, evaluator) = (optimizer.into(), evaluator.into());
    let mut optimize = optimize.into_node().then(|revision, result| {
        revision.rounds = revision.rounds.saturating_add(1);
        revision.draft = Some(Arc::clone(&result.message));
    });
    if optimize.input.is_none() {
        optimize = optimize.input(next_prompt);
    }
    let evaluate = evaluate.into_node().output_into(|revision: &mut Revision, verdict: Verdict| {
        (revision.accepted, revision.feedback) = (verdict.accepted, verdict.feedback);
    });
    let last = function(|ctx: NodeContext<Revision>, _: NodeInput| async move {
        let draft = ctx.state().draft.as_ref().ok_or_else(|| NodeError::new("there is no draft"))?;
        Ok::<_, NodeError>(NodeOutput::content(draft.content.iter().cloned()))
    });
    Graph::with_state(name, Revision::default())
        .node(optimizer.clone(), optimize)
        .node(evaluator.clone(), evaluate)
        .node(LAST, last)
        .edge(optimizer.clone(), evaluator.clone())
        .edge(evaluator.clone(), LAST)
        .loop_if(evaluator, optimizer, max_rounds, |revision| !revision.accepted)
}

/// Returns the prompt of a draft: the task, and after the first draft that draft with its feedback.
fn next_prompt(revision: &Revision, input: &NodeInput) -> Prompt {
    let Some(draft) = &revision.draft else { return input.task.clone() };
    let mut content: Vec<ContentBlock> = vec![format!("Task: {}\n\nYour draft:", input.task.text()).into()];
    content.extend(draft.content.iter().cloned());
    content.push(format!("Feedback: {}\n\nWrite a better draft.", revision.feedback).into());
    Prompt::from(content)
}
