//! The whole system on one machine: issuer, MCP server, agent and, on request, an S3 server and a durable agent with its Restate
//! server, as processes of this program.
//!
//! Each process is what a deployment runs, configured by the same variables. [`UpArgs::run`] starts them, restarts one that ends, and
//! stops them all.

mod args;
mod children;
mod error;
mod folder;
mod install;
mod orphans;
mod output;
mod ports;
mod probe;
mod process;
mod programs;
mod registration;
mod restate;
mod s3;
mod summary;
mod supervisor;

pub use args::{Shared, UpArgs};
pub use error::SystemError;
pub use orphans::end_with_parent;
