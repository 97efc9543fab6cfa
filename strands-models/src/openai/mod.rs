//! OpenAI's two protocols, Chat Completions and Responses, which many other servers implement too.

mod chat;
mod hosts;
mod model_catalog;
mod options;
mod responses;
mod service;

pub use chat::{OpenAiModel, OpenAiModelBuilder};
#[cfg(fuzzing)]
pub(crate) use responses::reader;
pub use responses::{OpenAiResponsesModel, OpenAiResponsesModelBuilder, ReasoningSummary};
pub use service::Service;

pub use crate::chat_completions::ReasoningReplay;
