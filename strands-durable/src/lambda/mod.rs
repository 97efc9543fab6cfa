//! AWS Lambda durable functions: a turn of an agent as a durable execution.
//!
//! [`DurableAgent`] is the function. [`LambdaJournal`] is the journal that it uses, for handlers of your own.
//!
//! The SDK of AWS is an experimental preview, and its types are part of this module: a new version of it may be a breaking
//! change here. It brings a second TLS library, aws-lc, which needs a C compiler to build.

mod agent;
mod approval;
mod failure;
mod journal;
mod record;
mod request;

pub use aws_durable_execution_sdk as sdk;

pub use agent::DurableAgent;
pub use approval::{ApprovalRequest, RespondError, respond};
pub use journal::LambdaJournal;
pub use record::RecordTooLarge;
pub use request::{ExecutionRequest, ExecutionResult};
