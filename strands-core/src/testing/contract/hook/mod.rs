//! The contract of hooks: agents that share one, and invocations that are dropped and cancelled at every await.

mod changes;
mod repeats;
mod script;
mod stage;
mod watch;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::polling::{ATTEMPTS, LONGEST_STOP, LONGEST_WAIT, Moment, poll_times, within};
use super::violation::{ContractViolation, Promise, ensure};
use crate::agent::AgentBuilder;
use crate::hook::Hook;
use script::Scene;
use stage::{Actor, Stage};

/// The number of agents that share the hook at the same time.
const AGENTS: usize = 12;

/// After so many polls an invocation is no longer dropped.
const MOST_POLLS: usize = 256;

/// After so many events an invocation is no longer cancelled.
const MOST_EVENTS: usize = 256;

/// Checks the contract of a [`Hook`].
///
/// Agents with scripted models are prompted a few hundred times. Their invocations have all nine events: plain responses,
/// concurrent tool calls that succeed, fail, are invalid or unknown, model calls that fail and are retried, and ones that
/// fail for good. Agents share the hook at the same time, and invocations are dropped at every await and cancelled at every
/// event.
///
/// `configure` gets the builder of each agent. It injects what the hook needs and adds tools that the hook looks for,
/// which the models call with arguments made from their schemas. Questions for humans are answered with `true`. Models,
/// agent ids and retry policies are set by the suite.
///
/// Time is that of the Tokio runtime. With a paused clock (`#[tokio::test(start_paused = true)]`) the suite takes no longer
/// than the hook computes; an invocation that takes more than 30 s is a violation.
///
/// # Errors
///
/// Returns the first promise that is broken.
///
/// # Examples
///
/// ```
/// use strands::async_trait;
/// use strands::hook::{BeforeToolCall, Hook, HookResult};
/// use strands::testing::contract::check_hook;
///
/// struct User {
///     is_manager: bool,
/// }
///
/// struct ManagersOnly;
///
/// #[async_trait]
/// impl Hook for ManagersOnly {
///     async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
///         let user = event.context.injected::<User>().ok_or("no user was injected")?;
///         if !user.is_manager {
///             event.deny = Some(format!("only managers can use `{}`", event.tool_use.name));
///         }
///         Ok(())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// check_hook(ManagersOnly, |builder| builder.inject(User { is_manager: false })).await?;
/// # Ok::<(), strands::testing::contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_hook(
    hook: impl Hook + 'static,
    configure: impl Fn(AgentBuilder) -> AgentBuilder,
) -> Result<(), ContractViolation> {
    let stage = Stage::new(Arc::new(hook), &configure);
    ordinary(&stage).await?;
    shared(&stage).await?;
    dropped(&stage).await?;
    cancelled(&stage).await
}

/// One agent for each scene, one after the other.
async fn ordinary(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    for _ in 0..ATTEMPTS {
        stage.watch.forget_slow_polls();
        for scene in Scene::ALL {
            let mut actor = stage.actor(scene).await?;
            for _ in 0..2 {
                actor.converses(Promise::HookSucceeds, "an ordinary invocation").await?;
            }
        }
        if stage.watch.slow_poll().is_none() {
            return Ok(());
        }
    }
    let expected = format!("awaits that return within {LONGEST_STOP:?}");
    let observed = || format!("the thread was blocked for {:?}", stage.watch.slow_poll().unwrap_or_default());
    ensure(false, Promise::HookDoesNotBlock, expected, observed)
}

/// All scenes at the same time, several times.
async fn shared(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::HookAgentsApart;
    let mut actors = Vec::new();
    for scene in Scene::ALL.into_iter().cycle().take(AGENTS) {
        actors.push(stage.actor(scene).await?);
    }
    let all = actors.iter_mut().map(|actor| actor.converses(promise, "agents that share the hook"));
    for ended in join_all(all).await {
        ended?;
    }
    actors.iter().try_for_each(|actor| actors.iter().try_for_each(|other| actor.says_nothing_of(other)))
}

/// Invocations that are dropped at every await. Each time the next ones work, of this agent and of another one.
async fn dropped(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::HookDropped;
    for moment in Moment::ALL {
        for polls in 1..=MOST_POLLS {
            let mut actor = stage.actor(Scene::Tools).await?;
            let token = CancellationToken::new();
            let polled = within(LONGEST_WAIT, poll_times(actor.invocation(&token), polls, moment)).await;
            stage.watch.outcome()?;
            let expected = format!("an invocation that is dropped after {polls} poll(s) to be woken");
            ensure(polled.is_some(), promise, expected, || format!("nothing for {LONGEST_WAIT:?}"))?;
            if let Some(ended) = polled.flatten() {
                ensure(ended.is_some(), promise, "an invocation to end", || "a panic".to_owned())?;
                break;
            }
            let when = format!("an invocation after one that was dropped at poll {polls}");
            actor.converses(promise, &when).await?;
            stage.actor(Scene::Plain).await?.converses(promise, &when).await?;
        }
    }
    Ok(())
}

/// Invocations that are cancelled while the hook is called, at every event, or by a tool that doesn't return.
async fn cancelled(stage: &Stage<'_>) -> Result<(), ContractViolation> {
    for scene in [Scene::Tools, Scene::Retried] {
        for events in 0..MOST_EVENTS {
            if !cancelled_at(stage, scene, events).await? {
                break;
            }
        }
    }
    cancelled_at(stage, Scene::Cancelled, MOST_EVENTS).await.map(drop)
}

/// Cancels an invocation at one of its events. Returns false if it has ended before.
async fn cancelled_at(stage: &Stage<'_>, scene: Scene, events: usize) -> Result<bool, ContractViolation> {
    let promise = Promise::HookDoesNotBlock;
    for attempt in 1..=ATTEMPTS {
        let mut actor = stage.actor(scene).await?;
        let Some(took) = stopped(stage, &mut actor, events).await? else { return Ok(false) };
        let expected = format!("an invocation that is cancelled at event {events} to end within {LONGEST_STOP:?}");
        let in_time = took <= LONGEST_STOP || attempt < ATTEMPTS;
        ensure(in_time, promise, expected, || format!("an end after {took:?}"))?;
        if took <= LONGEST_STOP {
            let when = format!("an invocation after one that was cancelled at event {events}");
            actor.converses(Promise::HookDropped, &when).await?;
            break;
        }
    }
    Ok(true)
}

/// Cancels an invocation at one of its events, and waits for its end. Returns the time from one to the other, or `None` if
/// it ended before.
async fn stopped(
    stage: &Stage<'_>,
    actor: &mut Actor<'_>,
    events: usize,
) -> Result<Option<Duration>, ContractViolation> {
    let token = CancellationToken::new();
    stage.watch.cancel_at(events, token.clone());
    actor.runs(&token, Promise::HookDoesNotBlock, "an invocation that is cancelled").await?;
    Ok(stage.watch.since_cancelled())
}
