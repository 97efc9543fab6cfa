//! What every provider over HTTP shares: the client, the way to an endpoint, event streams, and how failures are sorted.

mod answer;
mod body;
mod client;
mod connection;
mod error;
mod exchange;
mod refusal;
mod sse;

pub(crate) use answer::{AnswerReader, ReadError};
pub(crate) use connection::Connection;
pub use error::{ModelBuildError, ModelCallError};
pub(crate) use exchange::Exchange;
pub(crate) use refusal::Refusal;
