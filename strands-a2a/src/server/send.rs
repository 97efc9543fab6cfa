//! Messages of clients: they start tasks, and continue those that wait for input.

use std::sync::Arc;

use a2a::{Message, Part, PartContent, Role, SendMessageRequest, SendMessageResponse, Task, TaskState};
use chrono::Utc;
use strands_core::{Prompt, PromptRequest};
use strands_http::Caller;
use uuid::Uuid;

use super::context::A2aContext;
use super::core::{Core, check_history_length, with_history};
use super::failure::{Failure, quote};
use super::interrupts;
use super::live_task::{LiveEvents, LiveTask, add_to_history};
use super::occupation::FreeContext;
use super::outcome::{Suspended, status};
use super::registry::ContextClaim;
use super::run::{Run, new_lease};
use super::store::{PushConfig, RecordKind, StoredRecord, TaskRecord, Versioned};
use crate::parts;

/// Maximum length of an id of a client, in bytes.
const MAX_ID: usize = 256;

/// A task that was started or continued.
pub(super) struct Started {
    pub(super) live: Arc<LiveTask>,
    /// The task before its first event.
    pub(super) task: Arc<Task>,
    pub(super) events: LiveEvents,
    /// True if the response is a message, unless the task does not complete.
    pub(super) is_message: bool,
}

impl Core {
    /// Responds to a message with its task: at its end, or at its start if the client does not want to wait.
    pub(super) async fn send(
        self: &Arc<Self>,
        caller: &Caller,
        request: SendMessageRequest,
        is_v03: bool,
    ) -> Result<SendMessageResponse, Failure> {
        let configuration = request.configuration.as_ref();
        let history_length = configuration.and_then(|configuration| configuration.history_length);
        let returns_immediately =
            configuration.and_then(|configuration| configuration.return_immediately) == Some(true);
        let Started { live, task, events, is_message } = self.start(caller, request, is_v03).await?;
        drop(events);
        if returns_immediately && !is_message {
            return with_history(Arc::unwrap_or_clone(task), history_length).map(SendMessageResponse::Task);
        }
        drop(task);
        live.ended().await;
        let task = live.task();
        if is_message && task.status.state == TaskState::Completed {
            return Ok(SendMessageResponse::Message(response_message(task)));
        }
        with_history(task, history_length).map(SendMessageResponse::Task)
    }

    /// Starts or continues the task of a message.
    pub(super) async fn start(
        self: &Arc<Self>,
        caller: &Caller,
        mut request: SendMessageRequest,
        is_v03: bool,
    ) -> Result<Started, Failure> {
        // A client may write a field that is not set.
        let SendMessageRequest { message, .. } = &mut request;
        for id in [&mut message.task_id, &mut message.context_id] {
            id.take_if(|id| id.is_empty());
        }
        self.check(&request.message)?;
        // The response has it, and the task must not run in vain.
        check_history_length(request.configuration.as_ref().and_then(|configuration| configuration.history_length))?;
        // The task is stored as one that runs: from there on it must run, also if the client goes away.
        let started = self.work.spawn(Arc::clone(self).begin(caller.clone(), request, is_v03));
        started.await.map_err(Failure::internal)?
    }

    /// Stores the task of a message as one that runs, and runs it.
    async fn begin(
        self: Arc<Self>,
        caller: Caller,
        request: SendMessageRequest,
        is_v03: bool,
    ) -> Result<Started, Failure> {
        let SendMessageRequest { message, configuration, .. } = request;
        let mut run = match message.task_id.clone() {
            Some(id) => self.continued(&caller, &id, message).await?,
            None => self.new_task(&caller, message).await?,
        };
        if let Some(config) = configuration.and_then(|configuration| configuration.task_push_notification_config) {
            let config = self.push_config_of_message(&run.record.task.id, config)?;
            self.add_push_config(&mut run.record.push, PushConfig { config, is_v03 })?;
        }
        let key = caller.key();
        run.record.run = Some(new_lease(self.limits.lease));
        run.record.updated = Utc::now();
        let stored = self.records.put_task(&key, &run.record, run.known.as_ref()).await?.ok_or(Failure::Busy)?;

        let Prepared { record, known, context, claim, mut request, before, is_message } = run;
        let context = match self.occupy(&caller, context, &record.task.id).await {
            Ok(context) => context,
            Err(failure) => {
                // A failure of this has been logged: the task has failed after its lease.
                let _ = self.give_up(&key, &record, known, &stored).await;
                return Err(failure);
            }
        };
        if before.is_none() {
            request.continuation = context.conversation;
        }
        let live = LiveTask::new(key, record.task.clone(), record.push.clone(), self.limits.history());
        let live = Arc::new(live);
        let request = request.cancel_with(live.cancellation().clone());
        self.registry.add(&live);
        let (task, events) = live.subscribe();
        let stored = Versioned { record, stored };
        let run = Run {
            core: Arc::clone(&self),
            caller,
            live: Arc::clone(&live),
            stored,
            claim,
            request,
            before,
            is_message,
        };
        self.work.spawn(run.run());
        Ok(Started { live, task, events, is_message })
    }

    /// Takes back a task that did not begin.
    async fn give_up(
        &self,
        caller: &str,
        record: &TaskRecord,
        known: Option<StoredRecord>,
        stored: &StoredRecord,
    ) -> Result<(), Failure> {
        match known {
            None => self.records.delete(caller, RecordKind::Task, &record.task.id).await,
            Some(known) => self.records.restore_task(caller, &record.task.id, known, stored).await,
        }
    }

    async fn new_task(&self, caller: &Caller, mut message: Message) -> Result<Prepared, Failure> {
        let context_id = match message.context_id.take() {
            Some(id) => checked_context_id(id)?,
            None => Uuid::new_v4().to_string(),
        };
        let claim = self.registry.claim(&caller.key(), &context_id, &self.limits)?;
        let prompt = Prompt::from(parts::blocks_of(message.parts.clone()));
        let request = PromptRequest::new(prompt).keep_conversation();
        let task_id = Uuid::new_v4().to_string();
        let context = self.free_context(caller, &context_id, &task_id).await?;
        if context.record.is_too_large {
            return Err(Failure::Unsupported(format!(
                "the conversation of this context is larger than {} bytes: start another context",
                self.limits.context_bytes
            )));
        }
        let (request, is_message) = self.injected(request, caller, &context_id, &task_id, &message.message_id);
        (message.context_id, message.task_id) = (Some(context_id.clone()), Some(task_id.clone()));
        let mut task = Task {
            id: task_id,
            context_id,
            status: status(TaskState::Submitted, None),
            artifacts: None,
            history: None,
            metadata: None,
        };
        add_to_history(&mut task, message, self.limits.history());
        let record = TaskRecord {
            task,
            interrupts: Vec::new(),
            continuation: None,
            push: Vec::new(),
            run: None,
            updated: Utc::now(),
        };
        Ok(Prepared { record, known: None, context, claim, request, before: None, is_message })
    }

    async fn continued(&self, caller: &Caller, id: &str, mut message: Message) -> Result<Prepared, Failure> {
        let key = caller.key();
        if let Some(live) = self.registry.get(&key, id) {
            check_context(&message, &live.context_id)?;
            return Err(Failure::Busy);
        }
        let stored = self.stored_task(caller, id).await?;
        check_context(&message, &stored.record.task.context_id)?;
        let claim = self.registry.claim(&key, &stored.record.task.context_id, &self.limits)?;
        // Another message may have been first.
        let Versioned { mut record, stored } = self.stored_task(caller, id).await?;
        match record.task.status.state {
            TaskState::InputRequired => {}
            TaskState::Submitted | TaskState::Working => return Err(Failure::Busy),
            _ => {
                return Err(Failure::Unsupported(
                    "the task has ended: send a message with its `contextId` and without a `taskId`".to_owned(),
                ));
            }
        }
        let context = self.free_context(caller, &record.task.context_id, id).await?;
        let before = Suspended { interrupts: record.interrupts.clone(), continuation: record.continuation.clone() };
        let mut request = if before.interrupts.is_empty() {
            PromptRequest::new(Prompt::from(parts::blocks_of(message.parts.clone())))
        } else {
            let responses = interrupts::responses_of(message.parts.clone(), &before.interrupts)?;
            PromptRequest::new(Prompt::none()).resume(responses)
        };
        request.continuation.clone_from(&before.continuation);
        let request = request.keep_conversation();
        let (request, _) = self.injected(request, caller, &record.task.context_id, id, &message.message_id);
        message.context_id = Some(record.task.context_id.clone());
        let question = std::mem::replace(&mut record.task.status, status(TaskState::Submitted, None)).message;
        for message in question.into_iter().chain([message]) {
            add_to_history(&mut record.task, message, self.limits.history());
        }
        Ok(Prepared { record, known: Some(stored), context, claim, request, before: Some(before), is_message: false })
    }

    fn injected(
        &self,
        request: PromptRequest,
        caller: &Caller,
        context_id: &str,
        task_id: &str,
        message_id: &str,
    ) -> (PromptRequest, bool) {
        let context = A2aContext {
            caller: caller.id().map(str::to_owned),
            context_id: context_id.to_owned(),
            task_id: task_id.to_owned(),
            message_id: message_id.to_owned(),
        };
        let is_message = self.message_responses.as_ref().is_some_and(|choose| choose(&context));
        (caller.inject_into_request(request.inject(context)), is_message)
    }

    /// Checks a message before anything is done with it.
    fn check(&self, message: &Message) -> Result<(), Failure> {
        let invalid = |text: String| Err(Failure::InvalidParams(text));
        if message.message_id.is_empty() || message.message_id.len() > MAX_ID {
            return invalid(format!("`message.messageId` must have 1 to {MAX_ID} bytes"));
        }
        if message.role != Role::User {
            return invalid("`message.role` must be `ROLE_USER`".to_owned());
        }
        if message.parts.is_empty() || message.parts.len() > self.limits.parts {
            return invalid(format!("`message.parts` must have 1 to {} parts", self.limits.parts));
        }
        match message.parts.iter().find_map(|part| self.unsupported(part)) {
            Some(media_type) => Err(Failure::ContentType(quote(&media_type))),
            None => Ok(()),
        }
    }

    /// Returns the media type of a part that the agent does not support.
    fn unsupported(&self, part: &Part) -> Option<String> {
        let default = match &part.content {
            PartContent::Text(_) => "text/plain",
            PartContent::Data(_) if interrupts::is_response(part) => return None,
            PartContent::Data(_) => "application/json",
            PartContent::Raw(_) | PartContent::Url(_) => "application/octet-stream",
        };
        let declared = part.media_type.as_deref().filter(|media_type| !media_type.is_empty());
        let media_type = declared.unwrap_or(default);
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, _) = essence.split_once('/').unwrap_or((&essence, ""));
        let is_accepted = |mode: &String| {
            mode == "*/*" || *mode == essence || mode.strip_suffix("/*").is_some_and(|accepted| accepted == kind)
        };
        (!self.input_modes.iter().any(is_accepted)).then(|| media_type.to_owned())
    }
}

/// A task that is about to run.
struct Prepared {
    record: TaskRecord,
    known: Option<StoredRecord>,
    context: FreeContext,
    claim: ContextClaim,
    request: PromptRequest,
    before: Option<Suspended>,
    is_message: bool,
}

/// Returns the message that stands for a completed task.
pub(super) fn response_message(task: Task) -> Message {
    let parts = task.artifacts.into_iter().flatten().flat_map(|artifact| artifact.parts).collect();
    let mut message = Message::new(Role::Agent, parts);
    message.context_id = Some(task.context_id);
    message
}

fn checked_context_id(id: String) -> Result<String, Failure> {
    if id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) {
        return Err(Failure::InvalidParams(format!(
            "`message.contextId` must have 1 to {MAX_ID} bytes, without control characters"
        )));
    }
    Ok(id)
}

fn check_context(message: &Message, context_id: &str) -> Result<(), Failure> {
    match &message.context_id {
        Some(id) if id != context_id => {
            Err(Failure::InvalidParams("`message.contextId` is not the context of the task".to_owned()))
        }
        _ => Ok(()),
    }
}
