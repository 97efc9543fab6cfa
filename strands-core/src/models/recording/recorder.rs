//! Recorder: a model that records the exchanges of another model.

use std::fmt;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use futures_core::Stream;
use serde_json::Value;

use super::RecordingError;
use super::delta_scrubbing::without_secrets;
use super::exchange::{Ended, Header, RecordedError, WrittenExchange};
use super::request_summary::summary;
use super::scrub::Scrubbers;
use crate::models::{
    BlockDelta, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, ReasoningDelta, StreamEvent,
};

/// Maximum size of a response, in bytes. It is held in memory until it ends.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A model that records its exchanges, for [`Replay`](super::Replay). Clones write to the same recording.
///
/// # Contents
///
/// A recording holds a summary of each request, all events of the response, and errors with their kind, status, code and
/// `Retry-After`. An exchange is written in one call when its response ends or is dropped. Each retry of the agent is a
/// separate exchange.
///
/// # Secrets
///
/// Recordings are meant to be committed, so secrets are removed before anything is written: keys and tokens in the
/// well-known formats of AWS, OpenAI and compatible providers, Anthropic, Google, GitHub, GitLab, Slack and Hugging Face,
/// JSON Web Tokens, private keys, `Bearer ..`, passwords in URLs, and values of fields such as `password`, `api_key`,
/// `authorization`, `secret` or `token`, in JSON and in text. The deltas of a text are joined before they are searched.
/// Use [`scrub`](Self::scrub) to remove other private data, such as in tool results, and review a recording before you
/// publish it.
///
/// # Write errors
///
/// A write error does not fail the call. It ends the recording, and [`finish`](Self::finish) returns it. Writing blocks the
/// task, so use a file or memory as the sink.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::models::{Recorder, Replay};
/// # use strands::testing::ScriptedModel as RealModel;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let path = std::env::temp_dir().join(format!("hello-{}.jsonl", std::process::id()));
/// let recorder = Recorder::new(RealModel::responding("Hello."), std::fs::File::create(&path)?);
/// let mut agent = Agent::builder().model(recorder.clone()).build().await?;
/// agent.prompt("Hi").await?;
/// recorder.finish()?;
///
/// // In tests:
/// let replay = Replay::read(std::fs::File::open(&path)?)?;
/// let mut agent = Agent::builder().model(replay.clone()).build().await?;
/// assert_eq!(agent.prompt("Hi").await?.text(), "Hello.");
/// replay.finish()?;
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Recorder {
    model: Arc<dyn Model>,
    scrubbers: Scrubbers,
    sink: Arc<Mutex<Sink>>,
}

/// Destination and state of a recording.
struct Sink {
    out: Box<dyn Write + Send>,
    next: u64,
    has_header: bool,
    /// Error that has ended the recording.
    error: Option<RecordingError>,
}

impl Recorder {
    /// Records the exchanges of `model` to `sink`.
    pub fn new(model: impl Model + 'static, sink: impl Write + Send + 'static) -> Self {
        let sink = Sink { out: Box::new(sink), next: 0, has_header: false, error: None };
        Self { model: Arc::new(model), scrubbers: Scrubbers::default(), sink: Arc::new(Mutex::new(sink)) }
    }

    /// Adds a function that changes everything before it is written, after well-known secrets have been removed.
    ///
    /// It gets the whole text of each text block, reasoning block and tool call's arguments, and every other event, request
    /// and error as JSON. The exchange with the model itself does not change.
    ///
    /// A replay compares its requests with the recorded ones: pass the same function to
    /// [`Replay::scrub`](super::Replay::scrub).
    ///
    /// ```
    /// use serde_json::Value;
    /// use strands::models::Recorder;
    /// # use strands::testing::ScriptedModel;
    /// # let model = ScriptedModel::responding("Hello.");
    ///
    /// fn without_names(value: &mut Value) {
    ///     match value {
    ///         Value::String(text) => *text = text.replace("Ada", "[name]"),
    ///         Value::Array(values) => values.iter_mut().for_each(without_names),
    ///         Value::Object(fields) => fields.values_mut().for_each(without_names),
    ///         _ => {}
    ///     }
    /// }
    ///
    /// let recorder = Recorder::new(model, std::io::sink()).scrub(without_names);
    /// ```
    #[must_use]
    pub fn scrub(mut self, scrub: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.scrubbers.push(scrub);
        self
    }

    /// Flushes the sink. Exchanges in progress are recorded when they end.
    ///
    /// # Errors
    ///
    /// Returns the [`RecordingError`] that has ended the recording, if any.
    pub fn finish(&self) -> Result<(), RecordingError> {
        let mut sink = self.sink();
        sink.begin(&*self.model);
        if sink.error.is_none()
            && let Err(source) = sink.out.flush()
        {
            let next = sink.next;
            sink.failed(next, source);
        }
        sink.error.clone().map_or(Ok(()), Err)
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an exchange. Returns `None` if the recording has ended.
    fn begin(&self, request: &ModelRequest<'_>) -> Option<OpenExchange> {
        let mut sink = self.sink();
        if sink.error.is_some() {
            return None;
        }
        let exchange = sink.next;
        sink.next += 1;
        drop(sink);
        Some(OpenExchange {
            recorder: self.clone(),
            exchange,
            request: summary(request),
            events: Vec::new(),
            bytes: 0,
            ended: Ended::Dropped,
            error: None,
        })
    }
}

impl Sink {
    fn begin(&mut self, model: &dyn Model) {
        if !self.has_header {
            self.has_header = true;
            self.write(0, &Header::of(model));
        }
    }

    /// Writes a line with one call of the sink, so that it is complete or missing.
    fn write(&mut self, exchange: u64, line: &impl serde::Serialize) {
        if self.error.is_some() {
            return;
        }
        let written = serde_json::to_vec(line).map_err(Into::into).and_then(|mut line| {
            line.push(b'\n');
            self.out.write_all(&line)?;
            self.out.flush()
        });
        if let Err(source) = written {
            self.failed(exchange, source);
        }
    }

    fn failed(&mut self, exchange: u64, source: std::io::Error) {
        self.error = Some(RecordingError::Write { exchange, source: Arc::new(source) });
    }
}

/// An exchange in progress. It is written on drop.
struct OpenExchange {
    recorder: Recorder,
    exchange: u64,
    request: Value,
    events: Vec<StreamEvent>,
    bytes: usize,
    ended: Ended,
    error: Option<RecordedError>,
}

impl OpenExchange {
    fn record(&mut self, event: &StreamEvent) {
        self.bytes = self.bytes.saturating_add(size(event));
        if self.bytes > MAX_BYTES {
            self.events.clear();
            return;
        }
        if matches!(event, StreamEvent::MessageStop { .. }) {
            // A program may stop reading after the stop event.
            self.ended = Ended::Complete;
        }
        self.events.push(event.clone());
    }

    fn failed(&mut self, ended: Ended, error: &ModelError) {
        self.ended = ended;
        self.error = Some(RecordedError::of(error));
    }
}

impl Drop for OpenExchange {
    fn drop(&mut self) {
        let Self { recorder, exchange, request, events, bytes, ended, error } = self;
        let scrubbers = &recorder.scrubbers;
        let line = WrittenExchange {
            exchange: *exchange,
            request: scrubbers.scrubbed(request.take()),
            ended: *ended,
            events: without_secrets(events, scrubbers),
            // An error is always valid JSON.
            error: error.take().map(|error| scrubbers.scrubbed(serde_json::to_value(error).unwrap_or_default())),
        };
        let mut sink = recorder.sink();
        sink.begin(&*recorder.model);
        if *bytes > MAX_BYTES {
            sink.error.get_or_insert(RecordingError::TooLarge { exchange: *exchange, limit: MAX_BYTES });
        }
        sink.write(*exchange, &line);
    }
}

/// Returns the approximate size of an event, in bytes.
fn size(event: &StreamEvent) -> usize {
    let text = match event {
        StreamEvent::ContentBlockDelta { delta, .. } => match delta {
            BlockDelta::Text(text)
            | BlockDelta::ReasoningContent(ReasoningDelta::Text(text) | ReasoningDelta::Signature(text)) => text.len(),
            BlockDelta::ToolUse(delta) => delta.input.len(),
            BlockDelta::ReasoningContent(ReasoningDelta::RedactedContent(bytes)) => bytes.len(),
            // Rare and mostly small, so the length of their JSON will do.
            other => serde_json::to_vec(other).map_or(0, |json| json.len()),
        },
        _ => 0,
    };
    size_of::<StreamEvent>() + text
}

/// A response that is being recorded.
struct RecordedStream {
    events: ModelStream,
    /// `None` once the response has ended.
    recording: Option<OpenExchange>,
}

impl Stream for RecordedStream {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let event = ready!(this.events.as_mut().poll_next(cx));
        if let Some(recording) = &mut this.recording {
            match &event {
                Some(Ok(event)) => recording.record(event),
                Some(Err(error)) => {
                    recording.failed(Ended::Broken, error);
                    this.recording = None;
                }
                None => {
                    recording.ended = Ended::Complete;
                    this.recording = None;
                }
            }
        }
        Poll::Ready(event)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Model for Recorder {
    fn model_id(&self) -> &str {
        self.model.model_id()
    }

    fn context_window(&self) -> Option<u64> {
        self.model.context_window()
    }

    fn capabilities(&self) -> ModelCapabilities {
        self.model.capabilities()
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let Some(mut recording) = self.begin(&request) else { return self.model.stream(request).await };
        match self.model.stream(request).await {
            Ok(events) => Ok(Box::pin(RecordedStream { events, recording: Some(recording) })),
            Err(error) => {
                recording.failed(Ended::Refused, &error);
                Err(error)
            }
        }
    }

    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        self.model.count_tokens(request).await
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("model", &self.model.model_id()).finish_non_exhaustive()
    }
}
