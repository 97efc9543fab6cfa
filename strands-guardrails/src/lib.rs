//! Guardrails for strands-rs: redaction of personal data in prompts, responses and tool results.
//!
//! [`PiiRedactor`] is a [`Guardrail`](strands_core::guardrails::Guardrail), which a
//! [`GuardrailHook`](strands_core::guardrails::GuardrailHook) applies to an agent. With a [`PiiVault`], the redaction can be
//! undone for the user: in the final response, in streamed text, and in the arguments of chosen tools.
//!
//! ```
//! use strands::Agent;
//! use strands::guardrails::{GuardrailHook, PiiRedactor};
//! # use strands::testing::ScriptedModel;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! # let model = ScriptedModel::responding("I wrote to ada@example.org.");
//! let mut agent = Agent::builder().model(model).hook(GuardrailHook::new(PiiRedactor::new())).build().await?;
//! let response = agent.prompt("Write to ada@example.org.").await?;
//! assert_eq!(response.text(), "I wrote to [EMAIL].");
//! assert_eq!(agent.messages()[0].text(), "Write to [EMAIL].");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

mod build_error;
mod detectors;
mod placeholders;
mod redactor;
mod restorer;
mod restoring_tool;
mod vault;

pub use build_error::PiiBuildError;
pub use detectors::PiiKind;
pub use redactor::{PiiRedactor, PiiRedactorBuilder};
pub use restorer::Restorer;
pub use restoring_tool::RestoringTool;
pub use vault::PiiVault;
