//! Durable execution for strands-rs: agents on Restate and on AWS Lambda durable functions. Their turns survive crashes and
//! deploys: an engine records each model response and each tool result, and replays a turn after a crash from its records.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "lambda", feature = "restate"))]
mod answerer;
#[cfg(any(feature = "lambda", feature = "restate"))]
mod answers;
#[cfg(any(feature = "lambda", feature = "restate"))]
mod failure;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "restate")]
pub mod restate;
#[cfg(any(feature = "lambda", feature = "restate"))]
mod template;
#[cfg(any(feature = "lambda", feature = "restate"))]
mod turn;

#[cfg(any(feature = "lambda", feature = "restate"))]
pub use answers::Answers;
#[cfg(any(feature = "lambda", feature = "restate"))]
pub use failure::{FailureKind, TurnFailure};
#[cfg(any(feature = "lambda", feature = "restate"))]
pub use template::{AgentTemplate, TurnInfo};
#[cfg(any(feature = "lambda", feature = "restate"))]
pub use turn::{TurnOutput, TurnRequest, TurnResponse};
