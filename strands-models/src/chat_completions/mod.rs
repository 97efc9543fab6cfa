//! Chat Completions: the protocol that OpenAI began and most servers speak, each with differences of its own.

mod calls;
mod chunk;
mod content;
mod content_parts;
mod dialect;
mod effort;
mod error;
mod model;
mod parts;
mod reasoning;
mod request;
mod schema;
mod settings;
mod stream;
mod tools;
mod usage;

pub(crate) use content::{
    Documents, Media, NO_AUDIO, Part, Shown, Sounds, arguments, joined, result_parts, system_text,
};
pub(crate) use dialect::Dialect;
pub use effort::ReasoningEffort;
pub(crate) use error::{refused, sort};
pub(crate) use model::{Chat, chat_model};
// Only the builders of `openai` let a program choose it.
#[cfg_attr(not(feature = "openai"), allow(unreachable_pub))]
pub use reasoning::ReasoningReplay;
pub(crate) use schema::described;
pub(crate) use settings::{Settings, chat_options, sampling_options, server_tool_option, setting_methods};
pub(crate) use tools::{AllTools, Function, word};
pub(crate) use usage::{cost, last_events};

/// What reads answers, for the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn reader(limit: usize) -> impl crate::http::AnswerReader {
    stream::ChatReader::new(std::sync::Arc::new(Dialect::openai("openai", ReasoningReplay::Never)), limit)
}
