//! Agents on [Restate](https://restate.dev): a virtual object for each session, whose turns survive crashes of workers and of the
//! server.

mod agent;
mod depth;
mod events;
mod journal;
mod messages;
mod object;
mod run_id;
mod running;
mod server;
mod setup;
mod state;
mod turn;
mod watch;

pub use agent::{DurableAgent, ServiceNameError};
pub use events::{EventPublisher, TurnEvent, TurnEventKind};
pub use messages::{FailedTurn, GrantedLimits, RunReference, SessionHistory, WaitingTurn, WatchedTurn};
pub use object::{ObjectAgent, ObjectAgentBuilder, ObjectAgentError, ObjectError, ObjectErrorKind};
// Types of these are part of the public API.
#[doc(no_inline)]
pub use restate_sdk;
#[doc(no_inline)]
pub use secrecy::SecretString;
pub use server::serve;
#[doc(no_inline)]
pub use tokio::net::TcpListener;
