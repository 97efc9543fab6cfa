//! Test suites for the contracts of the traits, for crates that implement them.
//!
//! Each suite is a function that exercises an implementation and returns a [`ContractViolation`] with the broken
//! [`Promise`], the expected behavior and the observed one. A test unwraps it:
//!
//! | trait | suite |
//! |---|---|
//! | [`SessionManager`](crate::session::SessionManager), [`Session`](crate::session::Session) | [`check_session_manager`] |
//! | [`MultiAgentSession`](crate::session::MultiAgentSession) | [`check_multi_agent_session`] |
//! | [`Model`](crate::models::Model) | [`check_model`], [`check_model_failure`], [`check_model_secret`] |
//! | [`Tool`](crate::Tool) | [`check_tool`] |
//! | [`ToolProvider`](crate::ToolProvider) | [`check_tool_provider`] |
//! | [`ConversationManager`](crate::conversation::ConversationManager) | [`check_conversation_manager`] |
//! | [`Hook`](crate::hook::Hook) | [`check_hook`] |
//! | [`Promptable`](crate::Promptable) | [`check_promptable`] |
//!
//! The suites are deterministic: random choices have fixed seeds, and only the ids of sessions are new each time. They wait
//! for nothing but the implementation. The suites of hooks, promptables and tool providers report a wait of more than 30 s;
//! for the others, give the test a timeout if the implementation may hang.
//!
//! # Examples
//!
//! ```
//! use strands::testing::{ScriptedModel, contract};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! contract::check_model(&ScriptedModel::responding("Hello.")).await?;
//! # Ok::<(), contract::ContractViolation>(())
//! # }).unwrap();
//! ```

mod conversation;
mod first_violation;
mod hook;
mod model;
mod multi_agent_session;
mod polling;
mod promptable;
mod provider;
mod sample;
mod session;
mod tool;
mod validity;
mod violation;

pub use conversation::check_conversation_manager;
pub use hook::check_hook;
pub use model::{check_model, check_model_failure, check_model_secret};
pub use multi_agent_session::check_multi_agent_session;
pub use promptable::check_promptable;
pub use provider::check_tool_provider;
pub use session::check_session_manager;
pub use tool::check_tool;
pub use violation::{ContractViolation, Promise};
