//! State of this crate in a document, with a digest of the fields of Strands that belong to it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::DocumentError;
use crate::depth::fits;

const VERSION: u64 = 1;
/// The deepest state that is stored as JSON and not as text: with what is around it, it stays below the 127 levels that `serde_json`
/// reads.
const MAX_DEPTH: usize = 64;
/// The deepest state that can be stored.
const MAX_TEXT_DEPTH: usize = 120;

/// Fields of Strands that say how far a run is. A program that changes them changes the run.
const PROGRESS: [&str; 8] = [
    "status",
    "completed_nodes",
    "failed_nodes",
    "interrupted_nodes",
    "next_nodes_to_execute",
    "execution_order",
    "node_history",
    "current_task",
];

#[derive(Serialize, Deserialize)]
struct OwnState {
    version: u64,
    /// Digest of the fields of Strands.
    of: Uuid,
    state: Value,
}

/// Returns the state as it is stored in a document with these fields of Strands.
pub(super) fn write(state: Value, strands: &Map<String, Value>) -> Result<Value, DocumentError> {
    let state = if fits(&state, MAX_DEPTH) {
        state
    } else if fits(&state, MAX_TEXT_DEPTH) {
        Value::String(state.to_string())
    } else {
        return Err(DocumentError::TooDeep { max: MAX_TEXT_DEPTH });
    };
    let own = OwnState { version: VERSION, of: digest(strands), state };
    serde_json::to_value(own).map_err(DocumentError::field("run"))
}

/// Returns the state in a document, unless another program has changed the run since.
pub(super) fn read(stored: &Value, strands: &Map<String, Value>) -> Result<Option<Value>, DocumentError> {
    let version = stored.get("version").and_then(Value::as_u64);
    if let Some(found) = version.filter(|found| *found > VERSION) {
        return Err(DocumentError::LaterVersion { found, known: VERSION });
    }
    let own = OwnState::deserialize(stored).map_err(DocumentError::field("run"))?;
    if own.of != digest(strands) {
        return Ok(None);
    }
    match own.state {
        Value::String(text) => serde_json::from_str(&text).map(Some).map_err(DocumentError::field("run")),
        state => Ok(Some(state)),
    }
}

fn digest(strands: &Map<String, Value>) -> Uuid {
    let ended = strands.get("node_results").and_then(Value::as_object).into_iter().flatten();
    let results: Vec<_> =
        ended.map(|(node, result)| (node, result.get("status"), result.get("execution_count"))).collect();
    let progress = PROGRESS.map(|name| strands.get(name));
    let json = serde_json::to_vec(&(progress, results)).unwrap_or_default();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &json)
}
