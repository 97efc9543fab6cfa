//! OpenAI's two protocols, Chat Completions and Responses, which many other servers speak too.

mod chat;
mod content;
mod error;
mod known;
mod options;
mod responses;
mod tools;
mod usage;

pub use chat::{OpenAiModel, OpenAiModelBuilder, ReasoningReplay};
pub use options::ReasoningEffort;
pub use responses::{OpenAiResponsesModel, OpenAiResponsesModelBuilder, ReasoningSummary};
