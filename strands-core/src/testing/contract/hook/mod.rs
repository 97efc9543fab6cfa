//! Contract of hooks: agents share a hook, and invocations are dropped and cancelled at every await.

mod changes;
mod fixture;
mod observations;
mod observed_hook;
mod observed_stream;
mod repeats;
mod scenarios;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::polling::{ATTEMPTS, DropPoint, MAX_STOP_TIME, MAX_WAIT, poll_times, within};
use super::violation::{ContractViolation, Promise, ensure};
use crate::agent::AgentBuilder;
use crate::hook::Hook;
use fixture::{Fixture, TestAgent};
use scenarios::Scenario;

/// Number of agents that share the hook at the same time.
const AGENTS: usize = 12;

/// The most polls after which an invocation is dropped.
const MAX_POLLS: usize = 256;

/// The most events after which an invocation is cancelled.
const MAX_EVENTS: usize = 256;

/// Checks the contract of a [`Hook`].
///
/// Agents with scripted models are prompted a few hundred times. Their invocations have all events: plain responses,
/// concurrent tool calls that succeed, fail, are invalid or unknown, and model calls that fail with and without a
/// successful retry. Agents share the hook at the same time, and invocations are dropped at every await and cancelled at
/// every event.
///
/// `configure` receives the builder of each agent. It injects the values that the hook needs, and adds the tools that the
/// hook handles, which the models call with arguments generated from their schemas. Interrupts get the response `true`. The
/// suite sets models, agent ids and retry policies.
///
/// The suite uses the clock of the Tokio runtime. With a paused clock (`#[tokio::test(start_paused = true)]`) it runs as
/// fast as the hook computes; an invocation that takes more than 30 s is a violation.
///
/// # Errors
///
/// Returns the first broken promise.
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
    let fixture = Fixture::new(Arc::new(hook), &configure);
    ordinary(&fixture).await?;
    shared(&fixture).await?;
    dropped(&fixture).await?;
    cancelled(&fixture).await
}

/// Runs one agent for each scenario, one after the other.
async fn ordinary(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    for _ in 0..ATTEMPTS {
        fixture.observations.reset_slow_polls();
        for scenario in Scenario::ALL {
            let mut test_agent = fixture.test_agent(scenario).await?;
            for _ in 0..2 {
                test_agent.runs_to_end(Promise::HookSucceeds, "an ordinary invocation").await?;
            }
        }
        if fixture.observations.slow_poll().is_none() {
            return Ok(());
        }
    }
    let expected = format!("awaits that return within {MAX_STOP_TIME:?}");
    let observed = || format!("the thread was blocked for {:?}", fixture.observations.slow_poll().unwrap_or_default());
    ensure(false, Promise::HookDoesNotBlock, expected, observed)
}

/// Runs all scenarios at the same time, several times.
async fn shared(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::HookAgentsIndependent;
    let mut test_agents = Vec::new();
    for scenario in Scenario::ALL.into_iter().cycle().take(AGENTS) {
        test_agents.push(fixture.test_agent(scenario).await?);
    }
    let all = test_agents.iter_mut().map(|test_agent| test_agent.runs_to_end(promise, "agents that share the hook"));
    for ended in join_all(all).await {
        ended?;
    }
    test_agents
        .iter()
        .try_for_each(|test_agent| test_agents.iter().try_for_each(|other| test_agent.is_independent_of(other)))
}

/// Drops invocations at every await. Later invocations must work, of the same agent and of another one.
async fn dropped(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::HookDropped;
    for drop_point in DropPoint::ALL {
        for polls in 1..=MAX_POLLS {
            let mut test_agent = fixture.test_agent(Scenario::Tools).await?;
            let token = CancellationToken::new();
            let polled = within(MAX_WAIT, poll_times(test_agent.invocation(&token), polls, drop_point)).await;
            fixture.observations.outcome()?;
            let expected = format!("an invocation that is dropped after {polls} poll(s) to be woken");
            ensure(polled.is_some(), promise, expected, || format!("nothing for {MAX_WAIT:?}"))?;
            if let Some(ended) = polled.flatten() {
                ensure(ended.is_some(), promise, "an invocation to end", || "a panic".to_owned())?;
                break;
            }
            let when = format!("an invocation after one that was dropped at poll {polls}");
            test_agent.runs_to_end(promise, &when).await?;
            fixture.test_agent(Scenario::Plain).await?.runs_to_end(promise, &when).await?;
        }
    }
    Ok(())
}

/// Cancels invocations during each hook call, and while a tool doesn't return.
async fn cancelled(fixture: &Fixture<'_>) -> Result<(), ContractViolation> {
    for scenario in [Scenario::Tools, Scenario::Retried] {
        for events in 0..MAX_EVENTS {
            if !cancelled_at(fixture, scenario, events).await? {
                break;
            }
        }
    }
    cancelled_at(fixture, Scenario::Cancelled, MAX_EVENTS).await.map(drop)
}

/// Cancels an invocation at one of its events. Returns false if it ended before.
async fn cancelled_at(fixture: &Fixture<'_>, scenario: Scenario, events: usize) -> Result<bool, ContractViolation> {
    let promise = Promise::HookDoesNotBlock;
    for attempt in 1..=ATTEMPTS {
        let mut test_agent = fixture.test_agent(scenario).await?;
        let Some(took) = stopped(fixture, &mut test_agent, events).await? else { return Ok(false) };
        let expected = format!("an invocation that is cancelled at event {events} to end within {MAX_STOP_TIME:?}");
        let in_time = took <= MAX_STOP_TIME || attempt < ATTEMPTS;
        ensure(in_time, promise, expected, || format!("an end after {took:?}"))?;
        if took <= MAX_STOP_TIME {
            let when = format!("an invocation after one that was cancelled at event {events}");
            test_agent.runs_to_end(Promise::HookDropped, &when).await?;
            break;
        }
    }
    Ok(true)
}

/// Cancels an invocation at one of its events, and waits for its end. Returns the time in between, or `None` if the
/// invocation ended before.
async fn stopped(
    fixture: &Fixture<'_>,
    test_agent: &mut TestAgent<'_>,
    events: usize,
) -> Result<Option<Duration>, ContractViolation> {
    let token = CancellationToken::new();
    fixture.observations.cancel_at(events, token.clone());
    test_agent.runs(&token, Promise::HookDoesNotBlock, "an invocation that is cancelled").await?;
    Ok(fixture.observations.since_cancelled())
}
