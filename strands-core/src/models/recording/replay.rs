//! Replay: a model that replays a recording.

use std::fmt;
use std::io::Read;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::exchange::{Ended, Exchange, Header, VERSION};
use super::request_summary::summary;
use super::scrub::Scrubbers;
use super::{ReplayError, RequestMatching};
use crate::lenient_json;
use crate::models::{ErrorDetails, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, estimate_tokens};

/// A model that replays the exchanges of a recording in order. Clones share the position.
///
/// Each request is compared with the recorded one by [`matching`](Self::matching). A request that differs, or that has no
/// recorded exchange left, fails with [`ModelError::InvalidRequest`], which is not retried. Its source is a [`ReplayError`],
/// whose text is also the error's [`body`](ErrorDetails::body). Recorded errors are returned again, so an agent waits again
/// for a recorded `Retry-After`: use paused time in tests.
///
/// ```
/// use strands::Agent;
/// use strands::models::Replay;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// // Usually a file: `include_str!("recordings/hello.jsonl")`.
/// let replay: Replay = concat!(
///     r#"{"version":1,"modelId":"some-model"}"#,
///     "\n",
///     r#"{"exchange":0,"request":{"messages":1,"userText":"Hi"},"ended":"complete","events":["#,
///     r#"{"messageStart":{"role":"assistant"}},"#,
///     r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Hello."}}},"#,
///     r#"{"messageStop":{"stopReason":"end_turn"}}]}"#,
/// )
/// .parse()?;
///
/// let mut agent = Agent::builder().model(replay.clone()).build().await?;
/// assert_eq!(agent.prompt("Hi").await?.text(), "Hello.");
/// replay.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// Token counts are estimates, since counts of the provider are not recorded.
#[derive(Clone)]
pub struct Replay {
    recording: Arc<Recording>,
    matching: RequestMatching,
    scrubbers: Scrubbers,
}

struct Recording {
    header: Header,
    exchanges: Vec<Exchange>,
    progress: Mutex<Progress>,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    used: usize,
    /// A request was made after the last exchange.
    exhausted: bool,
}

impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// Returns a [`ReplayError`] if reading fails, or the content is not a recording of a supported version.
    pub fn read(mut recording: impl Read) -> Result<Self, ReplayError> {
        let mut text = String::new();
        recording.read_to_string(&mut text).map_err(ReplayError::Read)?;
        text.parse()
    }

    /// Sets the parts of a request that must equal the recorded ones. Default: [`RequestMatching::new`].
    #[must_use]
    pub fn matching(mut self, matching: RequestMatching) -> Self {
        self.matching = matching;
        self
    }

    /// Adds a function that changes each request before it is compared: the one given to
    /// [`Recorder::scrub`](super::Recorder::scrub).
    #[must_use]
    pub fn scrub(mut self, scrub: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.scrubbers.push(scrub);
        self
    }

    /// Returns the number of exchanges that have not been requested yet.
    pub fn remaining(&self) -> usize {
        self.recording.exchanges.len().saturating_sub(self.progress().used)
    }

    /// Checks that all recorded exchanges were requested, and no more. Call it at the end of a test.
    ///
    /// # Errors
    ///
    /// Returns [`ReplayError::Unused`] if exchanges were not requested, and [`ReplayError::Exhausted`] if there were more
    /// requests than exchanges.
    pub fn finish(&self) -> Result<(), ReplayError> {
        let Progress { used, exhausted } = *self.progress();
        let exchanges = self.recording.exchanges.len();
        if exhausted {
            return Err(ReplayError::Exhausted { exchanges });
        }
        if used < exchanges { Err(ReplayError::Unused { used, exchanges }) } else { Ok(()) }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.recording.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next exchange, if its request matches.
    fn next(&self, request: &ModelRequest<'_>) -> Result<&Exchange, ReplayError> {
        let actual = self.scrubbers.scrubbed(summary(request));
        let mut progress = self.progress();
        let Some(exchange) = self.recording.exchanges.get(progress.used) else {
            progress.exhausted = true;
            return Err(ReplayError::Exhausted { exchanges: progress.used });
        };
        let differences = self.matching.differences(&exchange.request, &actual);
        if !differences.is_empty() {
            return Err(ReplayError::Mismatch { exchange: exchange.exchange, differences });
        }
        progress.used += 1;
        Ok(exchange)
    }
}

impl FromStr for Replay {
    type Err = ReplayError;

    fn from_str(recording: &str) -> Result<Self, ReplayError> {
        let mut lines = recording.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let (_, first) = lines.next().ok_or(ReplayError::NotARecording(None))?;
        let not_a_recording = |error| ReplayError::NotARecording(Some(error));
        let first: Value = lenient_json::from_str(first).map_err(not_a_recording)?;
        match first.get("version").and_then(Value::as_u64) {
            Some(version) if version > VERSION => return Err(ReplayError::Version { version }),
            _ => {}
        }
        let header = serde_json::from_value(first).map_err(not_a_recording)?;
        let exchanges = lines.map(|(at, line)| {
            let exchange = lenient_json::from_str(line).and_then(serde_json::from_value);
            exchange.map_err(|source| ReplayError::Malformed { line: at + 1, source })
        });
        let mut exchanges: Vec<Exchange> = exchanges.collect::<Result<_, _>>()?;
        // Concurrent exchanges are written in the order in which they end.
        exchanges.sort_by_key(|exchange| exchange.exchange);
        let recording = Recording { header, exchanges, progress: Mutex::default() };
        Ok(Self { recording: Arc::new(recording), matching: RequestMatching::new(), scrubbers: Scrubbers::default() })
    }
}

fn refused(error: ReplayError) -> ModelError {
    let details = ErrorDetails::new().with_code("replay").with_body(error.to_string()).with_source(error);
    ModelError::InvalidRequest { details: details.boxed() }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Model for Replay {
    fn model_id(&self) -> &str {
        &self.recording.header.model_id
    }

    fn context_window(&self) -> Option<u64> {
        self.recording.header.context_window
    }

    fn capabilities(&self) -> ModelCapabilities {
        self.recording.header.capabilities()
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let exchange = self.next(&request).map_err(refused)?;
        let events = || stream::iter(exchange.events.clone().into_iter().map(Ok));
        let error = || match exchange.error.clone() {
            Some(error) => error.into_error(),
            None => ModelError::protocol("the recorded exchange failed, but has no error"),
        };
        let broken = match exchange.ended {
            Ended::Complete => return Ok(Box::pin(events())),
            Ended::Refused => return Err(error()),
            Ended::Broken => error(),
            Ended::Dropped => refused(ReplayError::Dropped { exchange: exchange.exchange }),
        };
        Ok(Box::pin(events().chain(stream::iter([Err(broken)]))))
    }

    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        Ok(estimate_tokens(&request))
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("model", &self.recording.header.model_id)
            .field("exchanges", &self.recording.exchanges.len())
            .field("used", &self.progress().used)
            .finish_non_exhaustive()
    }
}
