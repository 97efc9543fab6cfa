//! Extensions of strands as a program would write them: one trait and one file each.

pub mod authorizer;
pub mod conversation;
pub mod guardrail;
pub mod hook;
pub mod model;
pub mod promptable;
pub mod provider;
pub mod server;
pub mod tool;
