//! What can go wrong when exchanges are recorded and replayed.

use std::io;
use std::sync::Arc;

use super::RequestDifference;
use super::exchange::VERSION;

/// Why exchanges are missing from a recording. What was written before is whole.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The sink did not take a line.
    #[error("exchange {exchange} could not be written to the recording, which ends before it")]
    Write {
        /// The exchange's number.
        exchange: u64,
        /// What the sink said.
        #[source]
        source: Arc<io::Error>,
    },
    /// An answer was larger than a recorder holds.
    #[error("the answer of exchange {exchange} exceeds {limit} bytes, so the recording ends before it")]
    TooLarge {
        /// The exchange's number.
        exchange: u64,
        /// The most bytes of an answer that are held.
        limit: usize,
    },
}

/// Why a recording can't be read, or does not answer a request.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The recording can't be read.
    #[error("the recording could not be read")]
    Read(#[source] io::Error),
    /// It is no recording.
    #[error("the first line is not that of a recording, `{{\"version\":1,..}}`; was it written by a `Recorder`?")]
    NotARecording(#[source] Option<serde_json::Error>),
    /// It is of a newer version.
    #[error("the recording is of version {version}, and this library reads up to {VERSION}; update it or record again")]
    Version {
        /// The recording's version.
        version: u64,
    },
    /// A line is not an exchange.
    #[error("line {line} of the recording is not an exchange; a recording that was cut short ends so: record again")]
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// What was wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The request is not the one that was recorded.
    #[error(
        "exchange {exchange} of the recording answers another request: {}; record again if the change is meant, or \
         loosen `Replay::matching`",
        differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Mismatch {
        /// The exchange's number.
        exchange: u64,
        /// What differs.
        differences: Vec<RequestDifference>,
    },
    /// There is one request more than was recorded.
    #[error("all {exchanges} exchanges of the recording are used up, and there is another request; record again")]
    Exhausted {
        /// How many there are.
        exchanges: usize,
    },
    /// The recorded program read no further than this.
    #[error("exchange {exchange} of the recording ends here: whoever recorded it stopped reading; do so here, too")]
    Dropped {
        /// The exchange's number.
        exchange: u64,
    },
    /// Exchanges are left over.
    #[error("{used} of the recording's {exchanges} exchanges were asked for; the others were not")]
    Unused {
        /// How many were asked for.
        used: usize,
        /// How many there are.
        exchanges: usize,
    },
}

crate::error_chain::debug_with_sources!(RecordingError, ReplayError);
