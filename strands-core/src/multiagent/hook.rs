//! [`NodeHook`], the hooks of graphs and swarms.

use async_trait::async_trait;

use super::{AfterNode, AfterRun, BeforeHandoff, BeforeNode, BeforeRun};
use crate::hook::HookResult;

/// User code that observes and controls the nodes of a graph, or the members of a swarm. Implement the methods of the events you need.
/// Events within an agent are those of a [`Hook`](crate::hook::Hook).
///
/// Hooks run in the order in which they were added, and in reverse order for `after_` events.
///
/// # Contract
///
/// - A hook may be called for several runs, and for several nodes, at once.
/// - It returns an error only if the run must end. Before a node, the node has no result, and runs when the run is resumed. After a node, its
///   end is recorded, and it does not run again, unless another attempt was planned.
/// - It does not block the thread. A cancelled run ends within 50 ms, and does not wait for hooks any longer.
/// - Its futures may be dropped at any await point, and a run between any two events, so that an `after_` event may never follow.
///
/// `Arc<H>` and `Box<H>` are hooks as well. Annotate implementations with `#[async_trait]`, which is re-exported.
///
/// # Examples
///
/// A hook that requires approval before the node `payments` runs:
///
/// ```
/// use strands::async_trait;
/// use strands::hook::HookResult;
/// use strands::multiagent::{BeforeNode, NodeHook};
///
/// struct ApprovedPayments;
///
/// #[async_trait]
/// impl NodeHook for ApprovedPayments {
///     async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
///         if event.node == "payments"
///             && let Some(response) = event.interrupt("approval", event.prompt.text())
///             && response != true
///         {
///             event.deny = Some("the payments were not approved".into());
///         }
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait NodeHook: Send + Sync {
    /// Called before a run, or its continuation; may change the task of a new run.
    async fn before_run(&self, event: &mut BeforeRun<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Called before each attempt of a node; may change its prompt, deny it, or raise an interrupt.
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Called after each attempt of a node, with its result, before the result is recorded; may repeat a node that failed. Also
    /// called for one that hooks have denied or interrupted before it, and for one whose agent has refused the responses to its interrupts:
    /// its status is [`Interrupted`](super::NodeStatus::Interrupted).
    async fn after_node(&self, event: &mut AfterNode<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Called before a member of a swarm hands over to another one; may deny it.
    async fn before_handoff(&self, event: &mut BeforeHandoff<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Called after a run, successful or not.
    async fn after_run(&self, event: &mut AfterRun<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }
}
