//! What every provider over HTTP shares: its options, the client, the way to an endpoint, streams of events, and how
//! failures are sorted.

mod answer;
mod arguments;
mod body;
mod client;
mod connection;
mod conversation;
#[cfg(any(feature = "_chat", feature = "anthropic", feature = "gemini"))]
mod counting;
mod documents;
mod error;
mod exchange;
mod fields;
mod form;
mod framing;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod json_end;
mod limit;
mod lines;
mod options;
mod refusal;
mod sent_secrets;
// Ollama runs none.
#[cfg(any(feature = "_chat", feature = "anthropic", feature = "gemini"))]
mod server_tools;
mod split_pairs;
mod sse;
#[cfg(any(feature = "_chat", feature = "anthropic", feature = "ollama"))]
pub(crate) mod stop_words;
pub(crate) mod tolerant;
#[cfg(any(feature = "_chat", feature = "ollama"))]
mod unanswerable;
mod utf8;

#[cfg(test)]
mod whole_answer;

pub(crate) use answer::{AnswerReader, ReadError};
pub(crate) use arguments::StreamedArguments;
pub use client::install_crypto_provider;
pub(crate) use connection::{ApiKey, Connection};
pub(crate) use conversation::Conversation;
pub use error::{ModelBuildError, ModelCallError};
pub(crate) use exchange::Exchange;
pub(crate) use fields::{Fields, body, without};
pub(crate) use framing::Framing;
pub(crate) use limit::ContentLimit;
pub(crate) use options::{Options, Place, check, http_options};
pub(crate) use refusal::Refusal;
#[cfg(any(feature = "_chat", feature = "anthropic", feature = "gemini"))]
pub(crate) use server_tools::ServerTools;
#[cfg(any(feature = "_chat", feature = "ollama"))]
pub(crate) use unanswerable::unanswerable;
#[cfg(test)]
pub(crate) use whole_answer::whole_answer;
