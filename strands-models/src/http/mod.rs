//! What every provider over HTTP shares: the client, the way to an endpoint, event streams, and how failures are sorted.

mod answer;
mod body;
mod client;
mod connection;
mod error;
mod refusal;
mod sse;

pub(crate) use answer::{AnswerReader, ReadError, answer_stream};
pub(crate) use connection::{Connection, Endpoint};
pub use error::{ModelBuildError, ModelCallError};
pub(crate) use refusal::{Kind, Refusal};
