//! Loopback servers for the tests of strands-rs, so that a provider is tested over a real socket without a network.
//!
//! - [`Server`] serves a script of [`Response`]s over HTTP/1.1 and records every [`Request`]; a [`Response`] defines
//!   down to the byte how its body is sent: split, cut, stalled, held at a [`Gate`], or not HTTP at all.
//! - [`ports`] are addresses that fail before HTTP begins: refused, unanswered, silent, untrusted TLS.
//! - [`recording`] reads real exchanges from the folder that `STRANDS_SHARED` names.
//! - [`eventstream`], [`converse`] and [`bedrock`] build and read Amazon's binary stream without the AWS SDK, so that what
//!   a test expects does not come from the code it tests.
//! - [`expectation`] computes the expected content of a response of any provider, in one vocabulary.
//! - `case` (with the feature `provider`) runs a small conversation from a file with an agent.
//! - `provider` (a feature) is one test suite for every model provider: faults, recordings, requests on the wire.
//! - `schemas` (a feature) are JSON schemas of Rust types and of functions, with matching values.
//! - `s3` (a feature) is a bucket with conditional writes and injectable faults.
//!
//! ```
//! use strands_testkit::{Cut, Response, Server};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let server = Server::sequence([
//!     Response::json(429, &serde_json::json!({"message": "slow down"})).header("retry-after", "1"),
//!     Response::new(200).body("half an answer").cut_at(4, Cut::Close),
//! ])
//! .await;
//! let endpoint = server.url(); // hand this to the client under test
//! assert!(endpoint.starts_with("http://127.0.0.1:"));
//! assert_eq!(server.requests().len(), 0);
//! # });
//! ```
#![allow(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "not published: tests create and match its types"
)]
#![expect(clippy::panic, reason = "a test crate: a failing set-up fails the test")]

pub mod bedrock;
#[cfg(feature = "provider")]
pub mod case;
pub mod converse;
mod delivery;
mod drip;
pub mod eventstream;
pub mod expectation;
mod fault;
pub mod ports;
#[cfg(feature = "provider")]
pub mod provider;
pub mod recording;
mod request;
mod response;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "schemas")]
pub mod schemas;
mod server;
mod thoroughness;

pub use drip::Drip;
pub use fault::{Cut, Framing, Gate, Splits};
pub use recording::{Exchange, Recording, recordings, shared_dir};
pub use request::Request;
pub use response::Response;
pub use server::{Counts, Server};
pub use thoroughness::is_thorough;
