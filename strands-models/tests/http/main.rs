//! Every provider over HTTP, against loopback servers: the suite that all of them share, and what each promises by itself.
//! A provider is a folder here, and a line.
#![cfg(feature = "_http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "what fails here fails the test"
)]

#[cfg(feature = "anthropic")]
mod anthropic;
mod blank_content;
mod call_ids;
mod case;
#[cfg(feature = "_chat")]
// Not every server needs all of it.
#[cfg_attr(not(all(feature = "llamacpp", feature = "mistral", feature = "openai")), allow(dead_code))]
mod chat_completions;
mod endings;
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
mod providers;
#[cfg(feature = "openai")]
mod reasoning_replay;
mod refusals;
mod schemas;
mod switching;
mod told_usage;
mod tolerant_fields;
