//! Keys and JSON of the documents of runs, in the layouts of Strands' session managers.
//!
//! Each document has a revision, which is new with each write: of two workers that write equal runs, each can tell its own document
//! from that of the other. Strands ignores it.

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::lenient_json;
use strands_core::session::SessionError;

use crate::documents::{self, corrupt};
use crate::{key_layout, snapshots};

const REVISION: &str = "revision";
const SCOPE: &str = "multiAgent";
const VERSION: &str = "1.0";
const EXPECTED: &str = "the run of a graph or swarm";
const EXPECTED_SNAPSHOT: &str = "a snapshot of a graph or swarm, version 1.0";
/// Maximum length of a text that an error quotes.
const SHOWN: usize = 40;

/// A layout of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Separate documents for messages and records: the run is the document.
    Messages,
    /// Snapshots: the run is the state in a snapshot.
    Snapshots,
}

/// A run that is written.
#[derive(Serialize)]
struct Revised<'a> {
    #[serde(flatten)]
    run: &'a Map<String, Value>,
    revision: String,
}

/// A snapshot of a graph or swarm.
#[derive(Serialize, Deserialize)]
struct Snapshot<S> {
    scope: String,
    schema_version: String,
    created_at: String,
    data: Data<S>,
    #[serde(default)]
    app_data: Map<String, Value>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Data<S> {
    orchestrator_id: String,
    state: S,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// The part of a run that a summary names.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    revision: Option<String>,
}

impl Layout {
    /// Returns the key of a run's document. Both ids are valid.
    pub(super) fn key(self, session_id: &str, id: &str) -> String {
        match self {
            Self::Messages => key_layout::multi_agent_document(session_id, id),
            Self::Snapshots => snapshots::key_layout::latest_of_multi_agent(session_id, id),
        }
    }

    /// Parses the run in a document.
    pub(crate) fn parse(self, location: &str, id: &str, bytes: &[u8]) -> Result<Map<String, Value>, SessionError> {
        let mut run = match self {
            Self::Messages => documents::read(location, EXPECTED, bytes)?,
            Self::Snapshots => {
                let snapshot: Snapshot<Map<_, _>> = documents::read(location, EXPECTED_SNAPSHOT, bytes)?;
                snapshot.validate(location, id)?;
                snapshot.data.state
            }
        };
        run.shift_remove(REVISION);
        Ok(run)
    }

    /// Serializes a run as a new revision of the document in the store.
    pub(super) fn write(
        self,
        location: &str,
        id: &str,
        run: &Map<String, Value>,
        stored: Option<&[u8]>,
    ) -> Result<Bytes, SessionError> {
        let run = Revised { run, revision: snapshots::ids::next() };
        match self {
            Self::Messages => documents::write(location, &run),
            Self::Snapshots => {
                let mut snapshot: Snapshot<IgnoredAny> = match stored {
                    Some(bytes) => documents::read(location, EXPECTED_SNAPSHOT, bytes)?,
                    None => Snapshot::new(id),
                };
                snapshot.created_at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
                let json = serde_json::to_vec(&snapshot.with_state(run));
                json.map(Bytes::from).map_err(|error| crate::storage::failed("write", location, error))
            }
        }
    }

    /// Summarizes a document for an error, without its content.
    pub(super) fn summary(self, bytes: &[u8]) -> String {
        let outline = match self {
            Self::Messages => lenient_json::from_slice::<Outline>(bytes).ok(),
            Self::Snapshots => {
                lenient_json::from_slice::<Snapshot<Outline>>(bytes).ok().map(|snapshot| snapshot.data.state)
            }
        };
        let Some(Outline { status, revision }) = outline else {
            return format!("{} bytes that are not a run", bytes.len());
        };
        let named = |text: Option<String>| text.map_or_else(|| "none".to_owned(), |text| shown(&text));
        format!("revision {} with status `{}`", named(revision), named(status))
    }
}

impl Snapshot<IgnoredAny> {
    fn new(id: &str) -> Self {
        Self {
            scope: SCOPE.to_owned(),
            schema_version: VERSION.to_owned(),
            created_at: String::new(),
            data: Data { orchestrator_id: id.to_owned(), state: IgnoredAny, unknown: Map::new() },
            app_data: Map::new(),
            unknown: Map::new(),
        }
    }

    fn with_state<S>(self, state: S) -> Snapshot<S> {
        let Self { scope, schema_version, created_at, data, app_data, unknown } = self;
        let data = Data { orchestrator_id: data.orchestrator_id, state, unknown: data.unknown };
        Snapshot { scope, schema_version, created_at, data, app_data, unknown }
    }
}

impl<S> Snapshot<S> {
    fn validate(&self, location: &str, id: &str) -> Result<(), SessionError> {
        if self.scope == SCOPE && self.schema_version == VERSION && self.data.orchestrator_id == id {
            return Ok(());
        }
        let found = format!(
            "its scope is `{}`, its version {}, and it is of `{}`",
            shown(&self.scope),
            shown(&self.schema_version),
            shown(&self.data.orchestrator_id)
        );
        Err(corrupt(location, EXPECTED_SNAPSHOT, found))
    }
}

/// Returns the error of a run that is no JSON object.
pub(super) fn not_an_object(location: &str) -> SessionError {
    crate::storage::failed("write", location, "the document is not a JSON object")
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).flat_map(char::escape_debug).collect()
}
