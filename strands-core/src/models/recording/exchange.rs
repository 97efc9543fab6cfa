//! The lines of a recording.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::models::{ErrorDetails, Model, ModelCapabilities, ModelError, ModelErrorKind, StreamEvent};

/// The version that is written, and the newest that is read.
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

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    Complete,
    Refused,
    Broken,
    Dropped,
}

/// Each line but the first, as it is read.
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

/// Each line but the first, as it is written: scrubbed.
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
    /// What was beneath it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// How long was waited for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
    /// The most bytes that the answer could have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    /// What was malformed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    what: Option<String>,
}

/// What was beneath an error when it was recorded.
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
            source: in_words(error),
            retry_after_ms: error.retry_after().map(milliseconds),
            after_ms: if let ModelError::Timeout { after, .. } = error { after.map(milliseconds) } else { None },
            limit: if let ModelError::ResponseTooLarge { limit, .. } = error { *limit } else { None },
            what: if let ModelError::Protocol { what, .. } = error { Some(what.clone()) } else { None },
        }
    }

    pub(crate) fn into_error(self) -> ModelError {
        let mut details = ErrorDetails::new();
        if let Some(status) = self.status {
            details = details.with_status(status);
        }
        if let Some(code) = self.code {
            details = details.with_code(code);
        }
        if let Some(request_id) = self.request_id {
            details = details.with_request_id(request_id);
        }
        if let Some(body) = self.body {
            details = details.with_body(body);
        }
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

/// The errors beneath one, joined.
fn in_words(error: &ModelError) -> Option<String> {
    let mut words: Option<String> = None;
    let mut beneath = std::error::Error::source(error);
    while let Some(source) = beneath {
        let all = words.get_or_insert_default();
        if !all.is_empty() {
            all.push_str(": ");
        }
        all.push_str(&source.to_string());
        beneath = source.source();
    }
    words
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
