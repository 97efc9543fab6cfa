//! Rewriting of schemas: many schemas, rewritten for each provider and checked against the provider's restrictions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]

mod corpus;
mod forms;
mod random;
mod rejections;
mod restrictions;
mod suite;
mod support;
