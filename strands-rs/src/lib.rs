//! Agents in Rust: plain functions as tools, a typed agentic loop, any model provider.

pub use strands_core::*;

pub mod models;
