//! Agents whose hook is under observation, and their invocations.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::super::polling::{LONGEST_WAIT, within};
use super::super::valid::check_history;
use super::super::violation::{ContractViolation, Promise, ensure};
use super::script::{self, Scene};
use super::watch::Watch;
use super::watched::Watched;
use crate::agent::{Agent, AgentBuilder};
use crate::hook::Hook;
use crate::message::Message;
use crate::models::RetryPolicy;
use crate::outcome::AgentError;
use crate::prompt::Prompt;

/// The most times in a row that a human is asked in an invocation.
const MOST_QUESTIONS: usize = 16;

/// The parts that agents are built from.
pub(super) struct Stage<'a> {
    hook: Arc<dyn Hook>,
    configure: &'a dyn Fn(AgentBuilder) -> AgentBuilder,
    pub(super) watch: Arc<Watch>,
    agents: AtomicUsize,
}

/// An agent, and the mark that all its messages have.
pub(super) struct Actor<'a> {
    agent: Agent,
    mark: String,
    scene: Scene,
    watch: &'a Watch,
}

impl<'a> Stage<'a> {
    pub(super) fn new(hook: Arc<dyn Hook>, configure: &'a dyn Fn(AgentBuilder) -> AgentBuilder) -> Self {
        Self { hook, configure, watch: Arc::default(), agents: AtomicUsize::new(0) }
    }

    /// Builds another agent.
    pub(super) async fn actor(&self, scene: Scene) -> Result<Actor<'_>, ContractViolation> {
        let number = self.agents.fetch_add(1, Ordering::Relaxed);
        // No mark is a part of another one.
        let mark = format!("mark-{number}-of-this-agent");
        let delay = Duration::from_millis(1);
        let builder = (self.configure)(Agent::builder().tools(script::tools(&self.watch)))
            .model(script::model(scene, mark.clone()))
            .retry(RetryPolicy::new().initial_delay(delay).max_delay(delay))
            .agent_id(format!("agent-{number}"))
            .hook(Watched::new(Arc::clone(&self.hook), &self.watch));
        let failed = |error| ContractViolation::error(Promise::HookSucceeds, "an agent to be built", error);
        Ok(Actor { agent: builder.build().await.map_err(failed)?, mark, scene, watch: &self.watch })
    }
}

impl Actor<'_> {
    /// Prompts the agent, and answers its questions for humans. Returns `None` after a panic.
    pub(super) async fn invocation(&mut self, token: &CancellationToken) -> Option<Result<bool, AgentError>> {
        AssertUnwindSafe(self.prompted(token)).catch_unwind().await.ok()
    }

    /// Returns false if there is no end to the questions.
    async fn prompted(&mut self, token: &CancellationToken) -> Result<bool, AgentError> {
        let mut prompt = Some(format!("This is a prompt for {}.", self.mark));
        for _ in 0..MOST_QUESTIONS {
            let asked = self.agent.interrupts();
            let invocation = if asked.is_empty() {
                let Some(prompt) = prompt.take() else { return Ok(true) };
                self.agent.prompt(prompt)
            } else {
                self.agent.prompt(Prompt::none()).resume(asked.iter().map(|asked| asked.respond(true)))
            };
            invocation.cancel_with(token.clone()).await?;
            if token.is_cancelled() {
                return Ok(true);
            }
        }
        Ok(self.agent.interrupts().is_empty())
    }

    /// Runs an invocation to its end, and checks what the hook has done and what is left.
    pub(super) async fn runs(
        &mut self,
        token: &CancellationToken,
        promise: Promise,
        when: &str,
    ) -> Result<(), ContractViolation> {
        let scene = self.scene;
        let ended = within(LONGEST_WAIT, self.invocation(token)).await;
        self.watch.outcome()?;
        let expected = format!("{when} to end well");
        match ended {
            None => return Err(ContractViolation::new(promise, expected, format!("no end after {LONGEST_WAIT:?}"))),
            Some(None) => return Err(ContractViolation::new(promise, expected, "a panic")),
            Some(Some(Ok(true))) => {}
            Some(Some(Ok(false))) => {
                let expected = format!("at most {MOST_QUESTIONS} questions in a row for humans");
                return Err(ContractViolation::new(Promise::HookBoundedRepeats, expected, "another one"));
            }
            Some(Some(Err(AgentError::Model { .. }))) if scene == Scene::Failing => {}
            Some(Some(Err(AgentError::Hook { .. }))) if token.is_cancelled() => {}
            Some(Some(Err(error))) => return Err(ContractViolation::error(promise, expected, error)),
        }
        check_history(promise, self.agent.messages())
    }

    /// Runs an invocation that nobody cancels.
    pub(super) async fn converses(&mut self, promise: Promise, when: &str) -> Result<(), ContractViolation> {
        if self.scene == Scene::Cancelled {
            self.agent.set_model(script::model(Scene::Plain, self.mark.clone()));
        }
        self.runs(&CancellationToken::new(), promise, when).await
    }

    /// Checks that nothing of another agent is in the conversation.
    pub(super) fn says_nothing_of(&self, other: &Self) -> Result<(), ContractViolation> {
        let json = |message: &Arc<Message>| serde_json::to_string(message).unwrap_or_default();
        let told = self.agent.messages().iter().map(json).find(|json| json.contains(&other.mark));
        let expected = format!("no message with `{}` in the conversation of `{}`", other.mark, self.mark);
        let is_apart = self.mark == other.mark || told.is_none();
        ensure(is_apart, Promise::HookAgentsApart, expected, || told.unwrap_or_default())
    }
}
