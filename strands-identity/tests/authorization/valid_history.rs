//! The check of a history that the tests of the loop use.

#[path = "../../../strands-core/tests/agent/valid_history.rs"]
mod shared;

pub(crate) use shared::flaw;
