//! Errors of an execution as its service sees them: final ones, and those of an invocation that is repeated.

use std::error::Error as StdError;

use aws_durable_execution_sdk::{BoxError, InvocationResponse, OperationError, TypedError, lambda_runtime};
use serde::Deserialize;
use serde_json::Value;
use strands_core::{AgentError, BuildError, JournalError};

use super::record::RecordTooLarge;
use crate::{FailureKind, TurnFailure};

/// Error type of an execution whose invocation is to be repeated.
const UNAVAILABLE: &str = "strands.unavailable";

/// The error of an attempt of a turn.
pub(super) enum Failure {
    /// The execution fails for good.
    Final(TurnFailure),
    /// The agent can't be built now.
    Unavailable(BoxError),
}

impl From<TurnFailure> for Failure {
    fn from(failure: TurnFailure) -> Self {
        Self::Final(failure)
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::ToolProvider { .. } => Self::Unavailable(error.into()),
            error => TurnFailure::new(FailureKind::Configuration, error.to_string()).into(),
        }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Journal(error) => error.into(),
            error => {
                tracing::error!(error = format!("{error:?}"), "a turn failed");
                TurnFailure::of(&error).into()
            }
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        tracing::error!(error = format!("{error:?}"), "a step of a turn could not be recorded");
        let too_large = sources(&error).find_map(|source| source.downcast_ref::<RecordTooLarge>());
        let (kind, reason) = match too_large {
            Some(too_large) => (FailureKind::TooLarge, too_large.to_string()),
            None => (FailureKind::Agent, "the execution did not record it".to_owned()),
        };
        TurnFailure::new(kind, format!("step `{}` failed: {reason}", error.step())).into()
    }
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        tracing::error!(error = format!("{error:?}"), "an operation of a turn failed");
        TurnFailure::new(FailureKind::Agent, "an operation of the execution failed").into()
    }
}

impl From<Failure> for BoxError {
    fn from(failure: Failure) -> Self {
        let (name, error) = match failure {
            Failure::Final(failure) => (error_type(failure.kind), failure.into()),
            Failure::Unavailable(error) => (UNAVAILABLE.to_owned(), error),
        };
        TypedError::with_type(name, error).into()
    }
}

fn error_type(kind: FailureKind) -> String {
    match serde_json::to_value(kind) {
        Ok(Value::String(name)) => format!("strands.{name}"),
        _ => "strands".to_owned(),
    }
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// Returns the response of an invocation, or its error if the service is to invoke the function again.
pub(super) fn response_or_retry(response: InvocationResponse) -> Result<InvocationResponse, lambda_runtime::Error> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "Error")]
        error: Option<WireError>,
    }
    #[derive(Deserialize)]
    struct WireError {
        #[serde(rename = "ErrorType")]
        error_type: String,
        #[serde(rename = "ErrorMessage")]
        message: String,
    }
    // Opaque to programs, but not to the service.
    let json = serde_json::to_value(&response)?;
    let Ok(Envelope { error: Some(error) }) = serde_json::from_value(json) else { return Ok(response) };
    match error.error_type == UNAVAILABLE {
        true => Err(error.message.into()),
        false => Ok(response),
    }
}
