//! Approval of tool calls by humans: requests, checked responses, and trust in tools.

mod approver;
mod binding;
mod builder;
mod checking;
mod error;
mod hook;
mod recording;
mod report;
mod request;
mod response;
mod rules;
mod time;
mod trust;

pub use approver::Approver;
pub use builder::ApprovalHookBuilder;
pub use error::ApprovalError;
pub use hook::ApprovalHook;
pub use request::ApprovalRequest;
pub use trust::Trust;
