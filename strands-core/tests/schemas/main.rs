//! Schemas as providers accept them: many schemas, each rewritten for each provider, held against what the provider refuses.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod acceptance;
mod corpus;
mod forms;
mod random;
mod refusals;
mod suite;
mod support;
