//! Recording of exchanges with a model, and their replay in tests: responses of a real provider without network access,
//! cost or key.
//!
//! # The format
//!
//! A recording consists of lines of JSON. The first holds the format's version and the properties of the model; each of the
//! others is one exchange, numbered in the order of the requests. Readers ignore unknown fields; a breaking change raises
//! the version.
//!
//! ```json
//! {"version": 1, "modelId": "..", "contextWindow": 200000, "capabilities": {"toolChoice": true, "structuredOutput": false}}
//! {"exchange": 0, "request": {"messages": 1, "userText": "..", "system": "..", "tools": [".."]}, "ended": "complete", "events": [..]}
//! {"exchange": 1, "request": {..}, "ended": "refused", "events": [], "error": {"kind": "throttled", "status": 429, "retryAfterMs": 2000}}
//! ```
//!
//! `events` are [`StreamEvent`](super::StreamEvent)s. `ended` is `complete`, `refused` (an error before the first event),
//! `broken` (an error after it) or `dropped` (the program dropped the stream).

mod delta_scrubbing;
mod difference;
mod error;
mod exchange;
mod recorder;
mod replay;
mod request_summary;
mod scrub;

pub use difference::{RequestDifference, RequestMatching, RequestPart};
pub use error::{RecordingError, ReplayError};
pub(crate) use exchange::RecordedError;
pub use recorder::Recorder;
pub use replay::Replay;
pub(super) use scrub::text_without_secrets;
