//! Lines of a recording: its header and its exchanges.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::models::{ErrorDetails, Model, ModelCapabilities, ModelError, ModelErrorKind, StreamEvent};

/// Version of the format that is written, and the newest that can be read.
pub(super) const VERSION: u64 = 1;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    pub(super) version: u64,
    pub(super) model_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) context_window: Option<u64>,
    #[serde(default)]
    capabilities: ModelCapabilities,
}

impl Header {
    pub(super) fn of(model: &dyn Model) -> Self {
        Self {
            version: VERSION,
            model_id: model.model_id().to_owned(),
            context_window: model.context_window(),
            capabilities: model.capabilities(),
        }
    }

    pub(super) fn capabilities(&self) -> ModelCapabilities {
        self.capabilities
    }
}

/// End of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    Complete,
    Refused,
    Broken,
    Dropped,
}

/// Each line but the first, for reading.
#[derive(Debug, Deserialize)]
pub(super) struct Exchange {
    pub(super) exchange: u64,
    pub(super) request: Value,
    pub(super) ended: Ended,
    #[serde(default)]
    pub(super) events: Vec<StreamEvent>,
    #[serde(default)]
    pub(super) error: Option<RecordedError>,
}

/// Each line but the first, for writing: scrubbed.
#[derive(Debug, Serialize)]
pub(super) struct WrittenExchange {
    pub(super) exchange: u64,
    pub(super) request: Value,
    pub(super) ended: Ended,
    pub(super) events: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Value>,
}

/// A [`ModelError`] in a recording.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordedError {
    kind: ModelErrorKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Texts of the source errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Timeout that elapsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
    /// Maximum size of the response, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    /// Description of a protocol violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    what: Option<String>,
}

/// Source errors of a recorded error, as one text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct RecordedSource(String);

impl RecordedError {
    pub(crate) fn of(error: &ModelError) -> Self {
        let details = error.details();
        Self {
            kind: error.kind(),
            status: details.status(),
            code: details.code().map(str::to_owned),
            request_id: details.request_id().map(str::to_owned),
            body: details.body().map(str::to_owned),
            source: source_texts(error),
            retry_after_ms: error.retry_after().map(milliseconds),
            after_ms: if let ModelError::Timeout { after, .. } = error { after.map(milliseconds) } else { None },
            limit: if let ModelError::ResponseTooLarge { limit, .. } = error { *limit } else { None },
            what: if let ModelError::Protocol { what, .. } = error { Some(what.clone()) } else { None },
        }
    }

    pub(crate) fn into_error(self) -> ModelError {
        let mut details = ErrorDetails::new()
            .with_status(self.status)
            .with_code(self.code)
            .with_request_id(self.request_id)
            .with_body(self.body);
        if let Some(source) = self.source {
            details = details.with_source(RecordedSource(source));
        }
        match self.kind {
            ModelErrorKind::Timeout => {
                ModelError::Timeout { after: self.after_ms.map(Duration::from_millis), details: details.boxed() }
            }
            ModelErrorKind::ResponseTooLarge => {
                ModelError::ResponseTooLarge { limit: self.limit, details: details.boxed() }
            }
            ModelErrorKind::Protocol => {
                ModelError::Protocol { what: self.what.unwrap_or_default(), details: details.boxed() }
            }
            kind => kind.into_error(self.retry_after_ms.map(Duration::from_millis), details),
        }
    }
}

/// Returns the texts of the source errors, joined by colons.
fn source_texts(error: &ModelError) -> Option<String> {
    let sources = std::iter::successors(std::error::Error::source(error), |source| source.source());
    let texts: Vec<String> = sources.map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(": "))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
