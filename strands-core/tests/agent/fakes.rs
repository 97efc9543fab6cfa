//! Fakes for tests of journals, rounds, tool lists and budgets: journals, tool providers, hooks and sessions.

use std::error::Error;
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::{Value, json};
use strands_core::hook::{AfterInvocation, Hook, HookResult};
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    AgentBuilder, BoxFuture, Journal, JournalError, JournalStep, Promptable, Tool, ToolError, ToolOutput, ToolPolicy,
    ToolProvider,
};
use tokio::time::Instant;

use crate::support::{FnTool, Log, agent, naming, template, tool};

/// The journal of the documentation, keyed by the name of the step. `crash_after` ends the attempt after so many entries.
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) entries: Mutex<Vec<(String, Value)>>,
    pub(crate) crash_after: Option<usize>,
    /// Names in the order of the requests.
    pub(crate) requested: Mutex<Vec<String>>,
    /// Hours to report as elapsed, one for each query of the time. `None`: the time of the runtime.
    pub(crate) hours: Option<Mutex<u64>>,
}

impl Recorded {
    pub(crate) fn replaying(&self) -> Self {
        Self { entries: Mutex::new(self.entries.lock().unwrap().clone()), ..Self::default() }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Journal for Recorded {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(async move {
            self.requested.lock().unwrap().push(step.name.to_owned());
            let recorded = self.entries.lock().unwrap().iter().find(|(name, _)| name == step.name).cloned();
            if let Some((_, value)) = recorded {
                return Ok(value);
            }
            if self.crash_after == Some(self.entries.lock().unwrap().len()) {
                return Err(JournalError::new(step.name, "crashed"));
            }
            let value = effect.await;
            self.entries.lock().unwrap().push((step.name.to_owned(), value.clone()));
            Ok(value)
        })
    }

    fn sleep<'a>(&'a self, _: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    fn random(&self) -> u64 {
        4
    }

    fn now(&self) -> Duration {
        static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
        let Some(hours) = &self.hours else { return Instant::now().saturating_duration_since(*EPOCH) };
        let mut hours = hours.lock().unwrap();
        *hours += 1;
        Duration::from_secs(3600 * *hours)
    }
}

/// A hook that requests this many more rounds.
pub(crate) struct Resumes {
    pub(crate) left: AtomicU32,
    pub(crate) log: Log,
}

#[async_trait]
impl Hook for Resumes {
    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        if let Ok(response) = event.outcome {
            self.log.add(format!("{} {:?}", response.text(), response.stop_reason));
            let is_suspended = response.stop_reason == StopReason::Interrupt;
            if !is_suspended && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
            {
                event.resume = Some("more".into());
            }
        }
        Ok(())
    }
}

pub(crate) fn resumes(times: u32) -> (Resumes, Log) {
    let log = Log::default();
    (Resumes { left: AtomicU32::new(times), log: log.clone() }, log)
}

/// A tool that prompts an agent, which makes this many model calls.
pub(crate) fn nested(name: &str, turns: u32, made: &Arc<AtomicU32>) -> FnTool {
    let made = Arc::clone(made);
    tool(name, move |_, _| {
        let counted = Arc::clone(&made);
        let model = ScriptedModel::from_fn(move |request| {
            counted.fetch_add(1, Ordering::SeqCst);
            match request.messages.len() / 2 + 1 < usize::try_from(turns).unwrap() {
                true => ScriptedTurn::tool_use("leaf", json!({})),
                false => ScriptedTurn::text("nested is done"),
            }
        });
        async move {
            let mut agent = agent(&model, [naming("leaf")]).await;
            let response = agent.prompt("go").await.map_err(ToolError::from_source)?;
            Ok(ToolOutput::text(format!("{:?}", response.stop_reason)))
        }
    })
}

pub(crate) fn asks() -> FnTool {
    naming("wipe").policy(ToolPolicy::new().with_approval(true))
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "only asked for")]
pub(crate) struct Trip {
    pub(crate) city: String,
}

pub(crate) struct Hangs;

#[async_trait]
impl ToolProvider for Hangs {
    fn name(&self) -> &str {
        "hangs"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        pending().await
    }
}

pub(crate) fn deep(level: u32, deepest: &Arc<AtomicU32>) -> AgentBuilder {
    let seen = Arc::clone(deepest);
    let deeper = tool("deeper", move |ctx, _| {
        let seen = Arc::clone(&seen);
        async move {
            seen.fetch_max(level, Ordering::SeqCst);
            let mut events = deep(level + 1, &seen).stream("go".into());
            while let Some(event) = events.next().await {
                let event = event.map_err(ToolError::from_source)?;
                ctx.forward("deeper", event).await;
            }
            Ok(ToolOutput::text("ok"))
        }
    });
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
        None => ScriptedTurn::tool_uses([("deeper", json!({})), ("deeper", json!({}))]),
        Some(_) => ScriptedTurn::text("done"),
    });
    let (hook, _) = resumes(0);
    template(&model, [deeper])
        .hook(hook)
        .session_manager(InMemorySessionManager::new("s"))
        .tool_timeout(Duration::from_secs(9))
}
