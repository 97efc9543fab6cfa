//! Agents with an observed hook, and their invocations.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::super::polling::{MAX_WAIT, within};
use super::super::validity::check_history;
use super::super::violation::{ContractViolation, Promise, ensure};
use super::observations::Observations;
use super::observed_hook::ObservedHook;
use super::scenarios::{self, Scenario};
use crate::agent::{Agent, AgentBuilder};
use crate::hook::Hook;
use crate::message::Message;
use crate::models::RetryPolicy;
use crate::outcome::AgentError;
use crate::prompt::Prompt;

/// The most consecutive interrupts of an invocation.
const MAX_INTERRUPTS: usize = 16;

/// The parts of each agent.
pub(super) struct Fixture<'a> {
    hook: Arc<dyn Hook>,
    configure: &'a dyn Fn(AgentBuilder) -> AgentBuilder,
    pub(super) observations: Arc<Observations>,
    agents: AtomicUsize,
}

/// An agent, and the mark that all its messages contain.
pub(super) struct TestAgent<'a> {
    agent: Agent,
    mark: String,
    scenario: Scenario,
    observations: &'a Observations,
}

impl<'a> Fixture<'a> {
    pub(super) fn new(hook: Arc<dyn Hook>, configure: &'a dyn Fn(AgentBuilder) -> AgentBuilder) -> Self {
        Self { hook, configure, observations: Arc::default(), agents: AtomicUsize::new(0) }
    }

    /// Builds another agent.
    pub(super) async fn test_agent(&self, scenario: Scenario) -> Result<TestAgent<'_>, ContractViolation> {
        let number = self.agents.fetch_add(1, Ordering::Relaxed);
        // No mark is a substring of another one.
        let mark = format!("mark-{number}-of-this-agent");
        let delay = Duration::from_millis(1);
        let builder = (self.configure)(Agent::builder().tools(scenarios::tools(&self.observations)))
            .model(scenarios::model(scenario, mark.clone()))
            .retry(RetryPolicy::new().initial_delay(delay).max_delay(delay))
            .agent_id(format!("agent-{number}"))
            .hook(ObservedHook::new(Arc::clone(&self.hook), &self.observations));
        let failed = |error| ContractViolation::error(Promise::HookSucceeds, "an agent to be built", error);
        Ok(TestAgent {
            agent: builder.build().await.map_err(failed)?,
            mark,
            scenario,
            observations: &self.observations,
        })
    }
}

impl TestAgent<'_> {
    /// Prompts the agent, and responds to its interrupts. Returns `None` after a panic.
    pub(super) async fn invocation(&mut self, token: &CancellationToken) -> Option<Result<bool, AgentError>> {
        AssertUnwindSafe(self.prompted(token)).catch_unwind().await.ok()
    }

    /// Returns false if the interrupts do not end.
    async fn prompted(&mut self, token: &CancellationToken) -> Result<bool, AgentError> {
        let mut prompt = Some(format!("This is a prompt for {}.", self.mark));
        for _ in 0..MAX_INTERRUPTS {
            let interrupts = self.agent.interrupts();
            let invocation = if interrupts.is_empty() {
                let Some(prompt) = prompt.take() else { return Ok(true) };
                self.agent.prompt(prompt)
            } else {
                self.agent.prompt(Prompt::none()).resume(interrupts.iter().map(|interrupt| interrupt.respond(true)))
            };
            invocation.cancel_with(token.clone()).await?;
            if token.is_cancelled() {
                return Ok(true);
            }
        }
        Ok(self.agent.interrupts().is_empty())
    }

    /// Runs an invocation to its end, and checks the hook's calls and the resulting history.
    pub(super) async fn runs(
        &mut self,
        token: &CancellationToken,
        promise: Promise,
        when: &str,
    ) -> Result<(), ContractViolation> {
        let scenario = self.scenario;
        let ended = within(MAX_WAIT, self.invocation(token)).await;
        self.observations.outcome()?;
        let expected = format!("{when} to end well");
        match ended {
            None => return Err(ContractViolation::new(promise, expected, format!("no end after {MAX_WAIT:?}"))),
            Some(None) => return Err(ContractViolation::new(promise, expected, "a panic")),
            Some(Some(Ok(true))) => {}
            Some(Some(Ok(false))) => {
                let expected = format!("at most {MAX_INTERRUPTS} consecutive interrupts");
                return Err(ContractViolation::new(Promise::HookBoundedRepeats, expected, "another one"));
            }
            Some(Some(Err(AgentError::Model { .. }))) if scenario == Scenario::Failing => {}
            Some(Some(Err(AgentError::Hook { .. }))) if token.is_cancelled() => {}
            Some(Some(Err(error))) => return Err(ContractViolation::error(promise, expected, error)),
        }
        check_history(promise, self.agent.messages())
    }

    /// Runs an invocation without a cancellation.
    pub(super) async fn runs_to_end(&mut self, promise: Promise, when: &str) -> Result<(), ContractViolation> {
        if self.scenario == Scenario::Cancelled {
            self.agent.set_model(scenarios::model(Scenario::Plain, self.mark.clone()));
        }
        self.runs(&CancellationToken::new(), promise, when).await
    }

    /// Checks that the conversation has no messages of another agent.
    pub(super) fn is_independent_of(&self, other: &Self) -> Result<(), ContractViolation> {
        let json = |message: &Arc<Message>| serde_json::to_string(message).unwrap_or_default();
        let leaked = self.agent.messages().iter().map(json).find(|json| json.contains(&other.mark));
        let expected = format!("no message with `{}` in the conversation of `{}`", other.mark, self.mark);
        let is_apart = self.mark == other.mark || leaked.is_none();
        ensure(is_apart, Promise::HookAgentsIndependent, expected, || leaked.unwrap_or_default())
    }
}
