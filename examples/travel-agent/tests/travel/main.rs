//! Tests of the travel agent: its command line, conversations, store and tools.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test that fails panics")]

mod access;
mod cli;
mod conversation;
mod home;
#[cfg(feature = "aws")]
mod knowledge_base;
#[cfg(feature = "s3")]
mod object_database;
mod store;
mod team;
#[cfg(feature = "jwt")]
mod token;
mod tools;
#[cfg(feature = "weather")]
mod web_services;
