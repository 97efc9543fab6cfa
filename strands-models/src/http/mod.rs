//! Shared parts of the providers over HTTP: options, client, endpoints, event streams and error classification.

mod arguments;
mod body;
mod byte_order_mark;
mod client;
mod conversation;
mod documents;
mod endpoint;
mod error;
mod error_response;
mod event;
mod exchange;
mod fields;
mod form;
mod framing;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod json_end;
mod limit;
mod line_splitter;
mod lines;
mod options;
mod response_stream;
mod sampling;
mod sent_secrets;
#[cfg(any(feature = "_chat", feature = "anthropic", feature = "gemini"))]
mod token_count;
// Ollama runs none.
#[cfg(any(feature = "_chat", feature = "ollama"))]
mod permanent_errors;
#[cfg(any(feature = "_chat", feature = "anthropic", feature = "gemini"))]
mod server_tools;
mod split_pairs;
mod sse;
#[cfg(any(feature = "_chat", feature = "anthropic", feature = "ollama"))]
pub(crate) mod stop_reasons;
pub(crate) mod tolerant;

#[cfg(test)]
mod complete_response;

pub(crate) use arguments::StreamedArguments;
#[cfg(any(feature = "anthropic", feature = "openai"))]
pub(crate) use body::Deadline;
#[cfg(test)]
pub(crate) use complete_response::complete_response;
pub(crate) use conversation::Conversation;
pub(crate) use endpoint::{ApiKey, Connection};
pub use error::{ModelBuildError, ModelCallError};
pub(crate) use error_response::ErrorResponse;
pub(crate) use event::Event;
pub(crate) use exchange::Exchange;
pub(crate) use fields::{Fields, body, without};
pub(crate) use framing::Framing;
pub(crate) use limit::ContentLimit;
pub(crate) use options::{DefaultEndpoint, Options, check, http_setters};
#[cfg(any(feature = "_chat", feature = "ollama"))]
pub(crate) use permanent_errors::permanent_error;
pub(crate) use response_stream::{ReadError, ResponseReader};
pub(crate) use sampling::{Sampling, SamplingFields, request_setters};
#[cfg(any(feature = "_chat", feature = "anthropic", feature = "gemini"))]
pub(crate) use server_tools::ServerTools;
