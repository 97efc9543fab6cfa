//! Errors of recording and replay.

use std::io;
use std::sync::Arc;

use super::RequestDifference;
use super::exchange::VERSION;

/// An error of a [`Recorder`](super::Recorder): exchanges are missing from the end of its recording.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// Error when the sink fails to write a line.
    #[error("failed to write exchange {exchange} to the recording, which ends before it")]
    Write {
        /// Zero-based number of the exchange.
        exchange: u64,
        /// Error of the sink.
        #[source]
        source: Arc<io::Error>,
    },
    /// Error when a response exceeds the maximum size of a recorded response.
    #[error("the response of exchange {exchange} exceeds {limit} bytes, so the recording ends before it")]
    TooLarge {
        /// Zero-based number of the exchange.
        exchange: u64,
        /// Maximum size of a recorded response, in bytes.
        limit: usize,
    },
}

/// An error of a [`Replay`](super::Replay): the recording can't be read, or does not match the requests.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Error when reading the recording fails.
    #[error("failed to read the recording")]
    Read(#[source] io::Error),
    /// Error when the first line is not the header of a recording.
    #[error("the first line is not that of a recording, `{{\"version\":1,..}}`; was it written by a `Recorder`?")]
    NotARecording(#[source] Option<serde_json::Error>),
    /// Error when the recording has a newer format.
    #[error(
        "the recording has version {version}, and this library supports up to {VERSION}; update the library or record \
         again"
    )]
    Version {
        /// Version of the recording.
        version: u64,
    },
    /// Error when a line is not an exchange.
    #[error("line {line} of the recording is not an exchange; the recording may be truncated: record again")]
    Malformed {
        /// One-based number of the line.
        line: usize,
        /// Error of the JSON parser.
        #[source]
        source: serde_json::Error,
    },
    /// Error when a request differs from the recorded one.
    #[error(
        "exchange {exchange} of the recording has another request: {}; record again if the change is intended, or relax \
         `Replay::matching`",
        differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Mismatch {
        /// Zero-based number of the exchange.
        exchange: u64,
        /// Parts of the request that differ.
        differences: Vec<RequestDifference>,
    },
    /// Error when there are more requests than recorded exchanges.
    #[error("request after all {exchanges} recorded exchanges; record again")]
    Exhausted {
        /// Number of recorded exchanges.
        exchanges: usize,
    },
    /// Error when a response is read beyond the point at which the recorded program dropped it.
    #[error(
        "the recording of exchange {exchange} ends here, since the recorded program dropped the response; drop it, too"
    )]
    Dropped {
        /// Zero-based number of the exchange.
        exchange: u64,
    },
    /// Error when recorded exchanges have not been requested.
    #[error("only {used} of {exchanges} recorded exchanges were requested")]
    Unused {
        /// Number of exchanges that were requested.
        used: usize,
        /// Number of recorded exchanges.
        exchanges: usize,
    },
}

crate::error_chain::debug_with_sources!(RecordingError, ReplayError);
