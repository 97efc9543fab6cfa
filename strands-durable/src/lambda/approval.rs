//! Approvals by callback: a suspended execution waits for the responses to the interrupts of its agent.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use aws_durable_execution_sdk::{BoxError, LambdaClient};
use serde::{Deserialize, Serialize};
use strands_core::{BoxFuture, Interrupt};

use crate::Answers;

/// Request to respond to the interrupts of a suspended agent.
///
/// The execution waits until [`respond`] sends the responses to the callback, or until another program or a person does:
/// the result of the callback is the JSON of [`Answers`], `{"responses": [{"interruptId": "..", "response": true}]}`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApprovalRequest {
    /// Id of the callback. A response needs it, and the permission `lambda:SendDurableExecutionCallbackSuccess`.
    pub callback_id: String,
    /// Id of the session.
    pub session_id: String,
    /// Id of the run: the ARN of the execution.
    pub run_id: String,
    /// The pending interrupts. That of an approval has the tool and the arguments as its reason.
    pub interrupts: Vec<Interrupt>,
    /// Reason for which the responses to an earlier request were refused. They have changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl fmt::Debug for ApprovalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interrupts: Vec<&str> = self.interrupts.iter().map(|interrupt| interrupt.id.as_str()).collect();
        f.debug_struct("ApprovalRequest")
            .field("run_id", &self.run_id)
            .field("interrupts", &interrupts)
            .finish_non_exhaustive()
    }
}

/// Sends approval requests.
pub(super) type Approver = Arc<dyn Fn(ApprovalRequest) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

pub(super) fn approver<F, Fut, E>(send: F) -> Approver
where
    F: Fn(ApprovalRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError>,
{
    Arc::new(move |request| {
        let sent = send(request);
        Box::pin(async move {
            sent.await.map_err(|error| {
                // The text may quote the request, and the execution records errors of steps.
                tracing::error!(error = format!("{:?}", error.into()), "an approval request could not be sent");
                BoxError::from("the approval request could not be sent; the log of the function has the error")
            })
        })
    })
}

/// Sends the responses to an [`ApprovalRequest`], and thereby continues the execution.
///
/// A callback takes one result. If responses to some interrupts are missing or are refused, the execution sends a new
/// request.
///
/// ```no_run
/// use strands::durable::Answers;
/// use strands::durable::lambda::{self, ApprovalRequest, sdk};
///
/// async fn approve(client: &sdk::LambdaClient, request: ApprovalRequest) -> Result<(), lambda::RespondError> {
///     let answers = Answers::new(request.interrupts.iter().map(|each| each.respond(true)));
///     lambda::respond(client, &request.callback_id, &answers).await
/// }
/// ```
///
/// # Errors
///
/// Returns [`RespondError`] if the service does not accept the result: the callback has a result, has timed out, or the
/// permission is missing.
pub async fn respond(client: &LambdaClient, callback_id: &str, answers: &Answers) -> Result<(), RespondError> {
    let failed = |source: BoxError| RespondError { source };
    let result = serde_json::to_vec(answers).map_err(|error| failed(error.into()))?;
    let sending = client.send_durable_execution_callback_success().callback_id(callback_id).result(result.into());
    sending.send().await.map(drop).map_err(|error| failed(error.into()))
}

/// An error of [`respond`].
#[derive(thiserror::Error)]
#[error("the responses could not be sent to the execution")]
#[non_exhaustive]
pub struct RespondError {
    /// Reason.
    source: BoxError,
}

strands_core::__debug_with_sources!(RespondError);
