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

impl Failure {
    /// Creates the failure of a template.
    pub(super) fn of_template(error: BoxError) -> Self {
        match error.downcast::<TurnFailure>() {
            Ok(failure) => Self::Final(*failure),
            Err(error) => Self::Unavailable(error),
        }
    }
}

/// Logs the error of an invocation, and returns its failure.
pub(super) fn of_invocation(error: &AgentError) -> Result<TurnFailure, Failure> {
    tracing::error!(error = format!("{error:?}"), "a turn failed");
    let AgentError::Journal(error) = error else { return Ok(TurnFailure::of(error)) };
    if let Some(too_large) = sources(error).find_map(|source| source.downcast_ref::<RecordTooLarge>()) {
        let text = format!("step `{}` failed: {too_large}", error.step());
        return Ok(TurnFailure::new(FailureKind::TooLarge, text));
    }
    Err(of_journal(error))
}

/// Returns the failure of a journal. Records that this release can't read may be readable for another one.
fn of_journal(error: &JournalError) -> Failure {
    let step = error.step();
    match sources(error).any(|source| source.is::<OperationError>()) {
        true => TurnFailure::new(FailureKind::Agent, format!("step `{step}` could not be recorded")).into(),
        false => Failure::Unavailable(format!("the record of step `{step}` does not fit this release").into()),
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        of_invocation(&error).map_or_else(|failure| failure, Self::Final)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        AgentError::from(error).into()
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
