//! Tests of every provider over HTTP, against loopback servers: the shared test suite, and tests of single providers.
//! Each provider has a folder and a `mod` line here.
#![cfg(feature = "_http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a failure here fails the test"
)]

#[cfg(feature = "anthropic")]
mod anthropic;
mod blank_content;
mod call_ids;
mod case;
#[cfg(feature = "_chat")]
// Some servers need only a part of it.
#[cfg_attr(not(all(feature = "llamacpp", feature = "mistral", feature = "openai")), allow(dead_code))]
mod chat_completions;
mod endings;
mod error_responses;
mod forms;
#[cfg(feature = "gemini")]
mod gemini;
#[cfg(feature = "openai")]
mod interleaved_calls;
#[cfg(feature = "llamacpp")]
mod llamacpp;
mod made_images;
#[cfg(feature = "mistral")]
mod mistral;
#[cfg(feature = "ollama")]
mod ollama;
#[cfg(feature = "openai")]
mod openai;
mod partial_usage;
mod providers;
#[cfg(feature = "openai")]
mod reasoning_replay;
mod schemas;
mod switching;
mod tolerant_fields;
