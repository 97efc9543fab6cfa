//! Real exchanges with a model, recorded once and replayed in tests: the answers of a real provider without its cost, its
//! moods and its key.
//!
//! # The format
//!
//! A recording is lines of JSON. The first is its version and what the model says of itself; each of the others is one
//! exchange, numbered in the order in which the requests were made. Fields that a reader does not know are left alone; a
//! change that a reader must know of raises the version.
//!
//! ```json
//! {"version": 1, "modelId": "..", "contextWindow": 200000, "capabilities": {"toolChoice": true, "structuredOutput": false}}
//! {"exchange": 0, "request": {"messages": 1, "userText": "..", "system": "..", "tools": [".."]}, "ended": "complete", "events": [..]}
//! {"exchange": 1, "request": {..}, "ended": "refused", "events": [], "error": {"kind": "throttled", "status": 429, "retryAfterMs": 2000}}
//! ```
//!
//! `events` are [`StreamEvent`](super::StreamEvent)s. An exchange has `ended` as `complete`, `refused` (an error before the
//! first event), `broken` (an error after it) or `dropped` (nobody read on).

mod assembled;
mod difference;
mod error;
mod exchange;
mod recorder;
mod replay;
mod request;
mod scrub;

pub use difference::{RequestDifference, RequestMatching, RequestPart};
pub use error::{RecordingError, ReplayError};
pub(crate) use exchange::RecordedError;
pub use recorder::Recorder;
pub use replay::Replay;
pub(super) use scrub::text_without_secrets;
