//! Chat Completions: OpenAI's protocol, which most servers implement, each with its own differences.

mod chunk;
mod chunk_parser;
mod content;
mod content_parts;
mod dialect;
mod error;
mod model;
mod parts;
mod reasoning;
mod request;
mod schema;
mod settings;
mod stream_reader;
mod tool_calls;
mod tools;
mod usage;

pub(crate) use content::{
    AudioForm, Displayed, DocumentForm, Media, NO_AUDIO, Part, arguments, joined, result_parts, system_text,
};
pub(crate) use dialect::Dialect;
pub(crate) use error::{classify, refused};
pub(crate) use model::{Chat, chat_model};
#[cfg_attr(not(feature = "openai"), expect(unreachable_pub, reason = "only an option of OpenAI's builder"))]
pub use reasoning::ReasoningReplay;
pub(crate) use schema::described;
pub(crate) use settings::{Settings, field_setters, penalty_setters};
pub(crate) use tools::{AllTools, Function, word};
pub(crate) use usage::{cost, last_events};

/// Returns a reader of responses, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn reader(limit: usize) -> impl crate::http::ResponseReader {
    stream_reader::ChatReader::new(std::sync::Arc::new(Dialect::openai("openai", ReasoningReplay::Never)), limit)
}
