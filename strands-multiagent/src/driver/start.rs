//! Start of a run: a new one, or the continuation of one in a session, or of an interrupted one.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use strands_core::message::{ContentBlock, Role};
use strands_core::models::StopReason;
use strands_core::multiagent::{BeforeRun, MultiAgentContext, NodeStatus};
use strands_core::session::MultiAgentSession;
use strands_core::{AgentError, AgentEvent, Prompt, PromptRequest, PromptScope};
use uuid::Uuid;

use super::node::NodeRequests;
use super::saves::Saves;
use super::visit_key::VisitKey;
use super::{RunError, in_hook, random_id};
use crate::emitting::Emitter;
use crate::machine::{Machine, Orchestrator, Phase, RestoreError};

/// A run that can be performed.
pub(super) struct Begun<M> {
    pub(crate) run: M,
    pub(crate) scope: Arc<PromptScope>,
    pub(crate) context: MultiAgentContext,
    pub(crate) saves: Saves,
    pub(crate) keeps_conversation: bool,
    pub(crate) requests: NodeRequests,
    /// True if the run is as the session has it, and does not go on: its earlier end is returned again.
    pub(crate) is_as_stored: bool,
    /// Events of nodes that ended when the run was restored.
    pub(crate) events: Vec<AgentEvent>,
    /// False for a nested run that was stopped before it started: hooks have not seen its task, and it begins anew.
    pub(crate) has_state: bool,
    /// Set if the request was stopped before the run started.
    pub(crate) stopped: Option<StopReason>,
}

/// Starts or continues a run. Nothing is stored yet.
pub(crate) async fn begin<O: Orchestrator>(
    orchestrator: &Arc<O>,
    mut request: PromptRequest,
    emitter: &Emitter,
) -> Result<Begun<O::Run>, AgentError> {
    let settings = orchestrator.settings();
    for inject in &settings.inject {
        request = inject(request);
    }
    for (node, key) in &settings.requires {
        if !request.has_injected(key) {
            return Err(AgentError::MissingInjectedValue { tool: node.to_string(), ty: key.type_name() });
        }
    }
    // Checks how deep the run is nested, before the session is read.
    let reading = PromptScope::new(&request, settings.limits)?;
    reading.check_timers()?;
    let opened = tokio::select! {
        biased;
        reason = reading.stopped() => Err(reason),
        opened = open(&**orchestrator) => Ok(opened?),
    };
    let mut stopped = opened.as_ref().err().cloned();
    let (session, stored) = opened.ok().unwrap_or_default();
    let not_restored = |reason| failed(&settings.name, RunError::NotRestored { reason });
    let continued = match (&stored, request.continuation.take()) {
        (None, Some(continuation)) => {
            Some(continuation.read::<Value>().map_err(|error| not_restored(error.to_string()))?)
        }
        _ => None,
    };
    let document = stored.as_ref().or(continued.as_ref());
    let task = std::mem::replace(&mut request.prompt, Prompt::none());
    let restored = document.map(|document| match orchestrator.restore(document) {
        // A run that is over does not bind the next release of a program to its nodes.
        Err(error) if error.is_of_earlier && is_over(document, &task) => orchestrator.restore_ended(document),
        restored => restored,
    });
    let restored = restored.transpose().map_err(|RestoreError { reason, .. }| not_restored(reason))?;
    let is_nested = request.injected::<MultiAgentContext>().is_some();
    let mut run = match (stopped.is_some(), restored) {
        // Nothing runs. A run that was to go on stays as it is.
        (true, Some(run)) => run,
        // Nothing was read.
        (true, None) => orchestrator.begin(task, random_id(), None, !is_nested),
        (false, restored) => chosen(orchestrator, restored, task, &request, is_nested)?,
    };
    let spent = run.spent();
    let scope = PromptScope::resumed(&request, settings.limits, spent.usage, spent.turns, spent.elapsed)?;
    drop(reading);
    let is_resumed = run.is_restored();
    let mut context =
        MultiAgentContext::new(settings.kind, Arc::clone(&settings.name), run.id(), &scope).resumed(is_resumed);
    let mut start = AgentEvent::start(random_id(), Arc::clone(&settings.id), Arc::clone(&settings.name));
    if let Some(manager) = &settings.session_manager {
        context = context.with_session(manager.session_id());
        start = start.with_session(manager.session_id());
    }
    let has_ended = matches!(run.phase(), Phase::Interrupted(_) | Phase::Completed | Phase::Limited(_));
    let is_as_stored = is_resumed && has_ended && request.resume.is_empty();
    let mut events = Vec::new();
    // Nothing has taken the responses of the request.
    let was_early = stopped.is_some();
    if stopped.is_none() {
        if is_resumed {
            events = run.repeat_started();
            run.resume(&request.resume)?;
        }
        let mut task = if is_resumed { Prompt::none() } else { run.task().clone() };
        let hooks = async {
            for hook in &settings.hooks {
                let mut event = BeforeRun::new(&context, &mut task, &request.resume);
                hook.before_run(&mut event).await.map_err(in_hook("before_run"))?;
            }
            Ok::<(), AgentError>(())
        };
        tokio::select! {
            biased;
            reason = scope.stopped() => stopped = Some(reason),
            called = hooks => called?,
        }
        if !is_resumed && task.messages() != run.task().messages() {
            let asked = digest(run.task());
            run.set_task(task, asked);
        }
    }
    // The error of a prompt that is rejected comes in its place: a request that gave responses can be made again.
    emitter.emit(start).await;
    let asked = PromptRequest::new(Prompt::none()).output_of(&request);
    let is_stored = session.is_some();
    let visit = request.injected::<VisitKey>().filter(|visit| request.idempotency_key.as_ref() == Some(&visit.of));
    let visit = visit.filter(|_| !is_stored).map(|visit| Arc::clone(&visit.key));
    let run_key: Arc<str> =
        request.idempotency_key.filter(|_| !is_stored).unwrap_or_else(|| run.id().to_owned()).into();
    let saves = Saves::new(session, stored);
    Ok(Begun {
        run,
        scope: Arc::new(scope),
        context,
        saves,
        keeps_conversation: request.keeps_conversation,
        requests: NodeRequests {
            effect_key: visit.unwrap_or_else(|| Arc::clone(&run_key)),
            run_key,
            is_durable: request.is_durable || is_stored,
            is_stored,
            asked,
        },
        is_as_stored,
        events,
        has_state: !is_nested || !was_early && (stopped.is_none() || is_resumed),
        stopped,
    })
}

type Opened = (Option<Box<dyn MultiAgentSession>>, Option<Value>);

/// Returns true if a document is of a run that does not go on with this task.
fn is_over(document: &Value, task: &Prompt) -> bool {
    match status(document) {
        Some(NodeStatus::Completed) => true,
        Some(NodeStatus::Failed) => !task.messages().is_empty(),
        _ => false,
    }
}

/// Returns the status of the run in a document.
pub(super) fn status(document: &Value) -> Option<NodeStatus> {
    NodeStatus::deserialize(document.get("status")?).ok()
}

/// Opens and reads the session, if there is one.
pub(super) async fn open<O: Orchestrator>(orchestrator: &O) -> Result<Opened, AgentError> {
    let settings = orchestrator.settings();
    let Some(manager) = &settings.session_manager else { return Ok((None, None)) };
    let mut session = manager.open_multi_agent(&settings.id).await?;
    let stored = session.read().await?;
    Ok((Some(session), stored))
}

/// Returns the run to perform: a new one, or the restored one.
fn chosen<O: Orchestrator>(
    orchestrator: &Arc<O>,
    restored: Option<O::Run>,
    task: Prompt,
    request: &PromptRequest,
    is_nested: bool,
) -> Result<O::Run, AgentError> {
    let is_new = !task.messages().is_empty();
    let Some(run) = restored else {
        return match request.resume.first() {
            Some(response) => Err(AgentError::UnknownInterrupt { id: response.interrupt_id.clone() }),
            None if is_new => Ok(orchestrator.begin(task, random_id(), None, !is_nested)),
            None => Err(AgentError::NothingToRespondTo),
        };
    };
    match run.phase() {
        Phase::Completed if is_new => Ok(orchestrator.begin(task, random_id(), Some(&run), false)),
        Phase::Completed => match request.resume.first() {
            Some(response) => Err(AgentError::UnknownInterrupt { id: response.interrupt_id.clone() }),
            // Its response again, which may have been lost.
            None => Ok(run),
        },
        Phase::Failed { .. } if is_new => Ok(orchestrator.begin(task, random_id(), Some(&run), false)),
        Phase::Interrupted(interrupts) if is_new => {
            Err(AgentError::Interrupted { interrupts: interrupts.into_iter().map(|interrupt| interrupt.id).collect() })
        }
        // The same task again, such as by a client that repeats its request after a crash.
        Phase::Active | Phase::Limited(_) if is_new && !is_asked(&run, &task) => {
            Err(failed(&orchestrator.settings().name, RunError::Unfinished))
        }
        Phase::Active | Phase::Limited(_) | Phase::Interrupted(_) | Phase::Failed { .. } => Ok(run),
    }
}

/// Returns true if a run is of a task, as it was before hooks have changed it.
fn is_asked(run: &impl Machine, task: &Prompt) -> bool {
    match run.asked() {
        Some(asked) => asked == digest(task),
        None => is_same(task, run.task()),
    }
}

fn is_same(one: &Prompt, other: &Prompt) -> bool {
    content(one).eq(content(other))
}

pub(super) fn digest(task: &Prompt) -> Uuid {
    let content: Vec<_> = content(task).collect();
    // Its maps have texts as keys, so that this does not fail.
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &serde_json::to_vec(&content).unwrap_or_default())
}

fn content(prompt: &Prompt) -> impl Iterator<Item = (Role, &[ContentBlock])> {
    prompt.messages().iter().map(|message| (message.role, message.content.as_slice()))
}

/// Returns the error of a run.
pub(super) fn failed(name: &str, error: RunError) -> AgentError {
    AgentError::Promptable { name: name.to_owned(), source: Box::new(error) }
}
