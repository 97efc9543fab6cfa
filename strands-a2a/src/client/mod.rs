//! Agents on A2A servers, as agents of this program: [`A2aAgent`].
//!
//! 1. `builder.rs` has the settings. It reads the agent card (`card.rs`), which names the endpoints, and chooses one.
//! 2. `agent.rs` is the [`Promptable`](strands_core::Promptable). A prompt becomes a message (`message.rs`), and `run.rs` turns what the
//!    server sends into events. What is generated is collected in `transcript.rs`; `outcome.rs` is for the end of a task.
//! 3. `exchange.rs` is one request and the events of its task. It goes on with a task whose stream was cut off, and cancels a task that is
//!    not wanted any more. `discard.rs` cancels one whose questions get no response.
//! 4. `endpoint` has the requests in the forms of JSON-RPC and HTTP+JSON, over `http.rs`.
//!
//! The requests are sent by our own code rather than by `a2a-client-lf`, whose types are used. Its transports (0.2) read responses and
//! events of any size into memory, have no way to limit them, and turn all failures into texts; and it brings a generated protobuf
//! crate and all features of Tokio.

mod agent;
mod bearer;
mod builder;
mod card;
mod conversation;
mod discard;
mod endpoint;
mod error;
mod event_lines;
mod event_stream;
mod exchange;
mod http;
mod message;
mod outcome;
mod proto_json;
mod run;
mod structured_output;
mod transcript;

pub use agent::A2aAgent;
pub use builder::A2aAgentBuilder;
pub use endpoint::Transport;
pub use error::{A2aError, TaskFailure};
