//! [`DurableAgent`]: one turn of an agent as one durable execution.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_durable_execution_sdk::lambda_runtime::{self, LambdaEvent, service_fn};
use aws_durable_execution_sdk::{
    self as sdk, BoxError, DurableContext, InvocationPayload, InvocationResponse, OperationErrorKind, Options,
};
use serde_json::{Map, Value};
use strands_core::models::StopReason;
use strands_core::{
    Agent, AgentError, AgentResponse, BoxFuture, InterruptResponse, Journal as _, JournalStep, Prompt, PromptContent,
};

use super::approval::{self, ApprovalRequest, Approver};
use super::failure::{self, Failure};
use super::journal::LambdaJournal;
use super::record::Text;
use super::request::{ExecutionRequest, ExecutionResult};
use crate::answerer::{Answerer, Inject};
use crate::answers::{is_refusal, refusal};
use crate::{AgentTemplate, Answers, FailureKind, TurnFailure, TurnInfo, TurnResponse};

/// Maximum number of consecutive requests whose responses are refused.
const MAX_REFUSALS: u32 = 10;

/// An agent as a durable function: each execution is one turn, from a prompt to the response, over as many invocations of
/// the function as it takes.
///
/// Each model response and each tool result is a step of the execution. After a crash, a timeout of the function, or a wait,
/// Lambda invokes the function again, and recorded steps are not repeated. What was in progress is executed again: at least
/// once. So the timeout of the function must be above the longest model call and the longest tool.
///
/// The event is an [`ExecutionRequest`], and the result an [`ExecutionResult`]: it has a snapshot of the conversation, with
/// which the next execution continues. Events of the agent are not streamed.
///
/// If a turn fails, the result has a [`TurnFailure`], whose text has nothing of the conversation, and the snapshot. The
/// execution itself fails for good if there is no conversation to return, such as with an invalid event; its error type is
/// `strands.` with the name of the kind, such as `strands.invalid_request`.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use strands::Agent;
/// use strands::durable::lambda::DurableAgent;
/// # use strands::testing::ScriptedModel;
///
/// # async fn example() -> Result<(), strands::durable::lambda::sdk::BoxError> {
/// # let model = ScriptedModel::responding("hi");
/// let template = Agent::builder().model(model).system_prompt("You book trips.");
/// DurableAgent::new(template)
///     .approver(async |request| {
///         // To a queue, a chat, or a mail: a response needs the id of the callback.
///         println!("{}", serde_json::to_string(&request)?);
///         Ok::<_, serde_json::Error>(())
///     })
///     .approval_timeout(Duration::from_secs(7 * 24 * 3600))
///     .run()
///     .await
/// # }
/// ```
pub struct DurableAgent {
    template: Box<dyn AgentTemplate>,
    approver: Option<Approver>,
    answerer: Answerer,
    approval_timeout: Option<Duration>,
}

impl DurableAgent {
    /// Creates the durable function of an agent.
    pub fn new(template: impl AgentTemplate) -> Self {
        Self { template: Box::new(template), approver: None, answerer: Answerer::default(), approval_timeout: None }
    }

    /// Sets the function that sends a request when the agent is interrupted, such as for an approval. The execution then waits
    /// for the responses, at no cost. A function that fails is called again, six times in all, and it may be called twice for
    /// one request. The execution ends with the stop reason `interrupt` if that does not help, and after 10 refused responses
    /// in a row. Default: none, and the execution ends with that stop reason.
    #[must_use]
    pub fn approver<F, Fut, E>(mut self, send: F) -> Self
    where
        F: Fn(ApprovalRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.approver = Some(approval::approver(send));
        self
    }

    /// Sets the function that makes a value of the metadata of [`Answers`], which is injected into the invocation that they
    /// resume: for approvals, the `Approver`. An error refuses them. It is called again in each replay, so it must decide by the
    /// metadata alone: verify tokens before you call [`respond`](super::respond). Default: none; metadata is refused, and the user
    /// for whom the agent works is the approver.
    ///
    /// ```
    /// use strands::Agent;
    /// use strands::durable::lambda::DurableAgent;
    /// use strands::identity::{Approver, Identity};
    /// use strands::testing::ScriptedModel;
    ///
    /// let agent = DurableAgent::new(Agent::builder().model(ScriptedModel::responding("Good morning.")));
    /// let agent = agent.answered_by(|metadata| {
    ///     let user = metadata.get("user").and_then(|user| user.as_str()).ok_or("the metadata has no `user`")?;
    ///     Ok::<_, &str>(Approver::new(Identity::new(user).with_role("manager")))
    /// });
    /// ```
    #[must_use]
    pub fn answered_by<V, E>(mut self, of: impl Fn(&Map<String, Value>) -> Result<V, E> + Send + Sync + 'static) -> Self
    where
        V: Send + Sync + 'static,
        E: Into<BoxError>,
    {
        self.answerer = Answerer::new(of);
        self
    }

    /// Sets the time after which an execution does not wait for responses any longer, rounded up to whole seconds, at least 1. It then
    /// ends with the stop reason `interrupt`, and another execution can resume its snapshot. Default: until the end of the execution.
    #[must_use]
    pub fn approval_timeout(mut self, timeout: Duration) -> Self {
        self.approval_timeout = Some(timeout);
        self
    }

    /// Performs the turn of an execution, as its handler: for a handler that does other work as well, and for tests with the
    /// `LocalRunner` of the SDK.
    ///
    /// # Errors
    ///
    /// Returns a [`TurnFailure`] as a `TypedError` of the SDK, for the SDK to report. An error of the template, or of a tool
    /// provider that can't list its tools, has the type `strands.unavailable`: it fails the execution in a handler of your own,
    /// while with [`run`](Self::run) Lambda repeats the invocation.
    pub async fn turn(&self, event: Value, context: DurableContext) -> Result<ExecutionResult, BoxError> {
        Box::pin(self.execute(event, context)).await.map_err(BoxError::from)
    }

    /// Runs the function until the process is stopped.
    ///
    /// # Errors
    ///
    /// Returns an error if this process is not a Lambda function, or if the runtime API fails.
    pub async fn run(self) -> Result<(), BoxError> {
        self.run_with_options(Options::default()).await
    }

    /// Like [`run`](Self::run), with options of the SDK, such as its client or the batching of checkpoints.
    ///
    /// # Errors
    ///
    /// Returns an error if this process is not a Lambda function, or if the runtime API fails.
    pub async fn run_with_options(self, options: Options) -> Result<(), BoxError> {
        // The runtime panics without it.
        if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
            return Err("not a Lambda function: `AWS_LAMBDA_RUNTIME_API` is not set".into());
        }
        lambda_runtime::run(service_fn(self.into_service(options))).await
    }

    /// Returns the function for the Lambda runtime, as [`run`](Self::run) uses it: to add middleware of your own.
    pub fn into_service(
        self,
        options: Options,
    ) -> impl Fn(LambdaEvent<InvocationPayload>) -> BoxFuture<'static, Result<InvocationResponse, BoxError>> + Send + Sync
    {
        let agent = Arc::new(self);
        let handler = move |event, context| {
            let agent = Arc::clone(&agent);
            async move { agent.turn(event, context).await }
        };
        let service = sdk::wrap(handler, options);
        move |event| {
            let response = service(event);
            Box::pin(async move { failure::response_or_retry(response.await?) })
        }
    }

    async fn execute(&self, event: Value, context: DurableContext) -> Result<ExecutionResult, Failure> {
        // The text of a deserialization error may quote the prompt.
        let request: ExecutionRequest = serde_json::from_value(event).map_err(|_| {
            let expected = r#"{"prompt": .., "session_id": .., "metadata": {..}, "snapshot": {..}, "answers": {..}}"#;
            TurnFailure::new(FailureKind::InvalidRequest, format!("invalid event: expected {expected}"))
        })?;
        let ExecutionRequest { prompt, answers, session_id, metadata, snapshot } = request;
        let run_id = context.execution_arn().to_owned();
        let session_id = session_id.unwrap_or_else(|| run_id.clone());
        let turn = TurnInfo::new(session_id, run_id, &metadata);
        let builder = self.template.agent(&turn).await.map_err(Failure::of_template)?;
        let mut agent = builder.build().await?;
        if let Some(snapshot) = snapshot {
            agent.restore(snapshot).map_err(|error| {
                TurnFailure::new(FailureKind::InvalidRequest, format!("the snapshot can't be restored: {error}"))
            })?;
        }
        let prompt =
            prompt.map_or_else(|| Ok(Prompt::none()), PromptContent::into_prompt).map_err(TurnFailure::from)?;
        let journal = LambdaJournal::start(context.clone()).await?;
        let outcome = self.perform(&mut agent, (prompt, answers), &turn, &journal, &context).await;
        let outcome = match outcome {
            Ok(response) => Ok(TurnResponse::new(&response, &turn.session_id, &turn.run_id)),
            Err(Ended::Invocation(error)) => Err(failure::of_invocation(&error)?),
            Err(Ended::Refused(text)) => {
                Err(TurnFailure::new(FailureKind::InvalidRequest, format!("the responses are refused: {text}")))
            }
            Err(Ended::Execution(failure)) => return Err(failure),
        };
        ExecutionResult::new(outcome, agent.snapshot()?)
    }

    /// Prompts the agent, and resumes it as responses to its interrupts arrive.
    async fn perform(
        &self,
        agent: &mut Agent,
        (prompt, answers): (Prompt, Option<Answers>),
        turn: &TurnInfo,
        journal: &LambdaJournal,
        context: &DurableContext,
    ) -> Result<AgentResponse, Ended> {
        let mut response = match answers {
            None => agent.prompt(prompt).journal(journal).await?,
            Some(Answers { responses, metadata }) => {
                // Not in a step: the event is the same in each replay, as the metadata must decide alone.
                let inject = self.answerer.of(&metadata).map_err(|error| Ended::Refused(error.to_string()))?;
                let resumed = inject(agent.prompt(prompt).resume(responses).journal(journal)).await;
                resumed.map_err(|error| match is_refusal(&error) {
                    true => Ended::Refused(refusal(&error)),
                    false => error.into(),
                })?
            }
        };
        let Some(approver) = &self.approver else { return Ok(response) };
        let (mut refused, mut refusals, mut number) = (None, 0, 0_u32);
        while response.stop_reason == StopReason::Interrupt && refusals < MAX_REFUSALS {
            number = number.saturating_add(1);
            let request = ApprovalRequest {
                callback_id: String::new(),
                session_id: turn.session_id.clone(),
                run_id: turn.run_id.clone(),
                // After a refusal within an agent that is a tool, others may have taken their responses.
                interrupts: agent.interrupts(),
                refused: refused.take(),
            };
            let Some(answer) = self.ask(approver, request, number, context).await.map_err(Ended::Execution)? else {
                break;
            };
            let read = self.read(&answer);
            // Recorded, so that a replay goes the same way. It records the time as well.
            let verdict = Value::from(read.as_ref().err().map(String::as_str));
            let step = format!("approval/{number}/time");
            let verdict = journal.step(JournalStep::new(&step), Box::pin(async { verdict })).await;
            let resumed = match (verdict.map_err(AgentError::from)?, read) {
                (Value::String(text), _) => {
                    refused = Some(text);
                    refusals += 1;
                    continue;
                }
                (_, Ok((responses, inject))) => {
                    inject(agent.prompt(Prompt::none()).resume(responses).journal(journal)).await
                }
                (_, Err(text)) => {
                    let error = format!("responses that were accepted are refused in a replay: {text}");
                    return Err(Ended::Execution(Failure::Unavailable(error.into())));
                }
            };
            match resumed {
                Ok(next) => (response, refusals) = (next, 0),
                Err(error) if is_refusal(&error) => {
                    refused = Some(refusal(&error));
                    refusals += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(response)
    }

    /// Reads the result of a callback: the responses, and who responds. An error is for the approver.
    fn read(&self, answer: &str) -> Result<(Vec<InterruptResponse>, Inject), String> {
        let Answers { responses, metadata } = serde_json::from_str(answer).map_err(|error| {
            format!("expected JSON like {{\"responses\": [{{\"interruptId\": \"..\", \"response\": true}}]}}: {error}")
        })?;
        Ok((responses, self.answerer.of(&metadata).map_err(|error| error.to_string())?))
    }

    /// Sends an approval request, and waits for the result of its callback. `None` if there will be none.
    async fn ask(
        &self,
        approver: &Approver,
        mut request: ApprovalRequest,
        number: u32,
        context: &DurableContext,
    ) -> Result<Option<String>, Failure> {
        let name = format!("approval/{number}");
        let mut callback = context.create_callback::<String>().name(&name).serdes(Text);
        if let Some(timeout) = self.approval_timeout {
            // No time at all would be no limit.
            callback = callback.timeout(timeout.max(Duration::from_secs(1)));
        }
        let callback = callback.await?;
        callback.id().clone_into(&mut request.callback_id);
        let approver = Arc::clone(approver);
        let sent = context.step(move |_| approver(request)).name(format!("{name}/request")).await;
        if sent.is_err() {
            return Ok(None);
        }
        match callback.result().await {
            Ok(result) => Ok(Some(result)),
            Err(error) if matches!(error.kind(), OperationErrorKind::Callback(_)) => {
                tracing::warn!(%error, "an approval request has no responses; the execution ends with its interrupts");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for DurableAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableAgent")
            .field("has_approver", &self.approver.is_some())
            .field("approval_timeout", &self.approval_timeout)
            .finish_non_exhaustive()
    }
}

/// End of a turn without a response.
enum Ended {
    Invocation(AgentError),
    /// The responses of the event were refused.
    Refused(String),
    Execution(Failure),
}

impl From<AgentError> for Ended {
    fn from(error: AgentError) -> Self {
        Self::Invocation(error)
    }
}
