//! Stored form of a run: JSON with a version.

use serde::Serialize;
use serde::de::Error as _;
use serde_json::Value;

use super::Run;

/// Version of the format, the only one that can be read.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct StoredRun<'a> {
    version: u32,
    #[serde(flatten)]
    run: &'a Run,
}

pub(crate) fn save(run: &Run) -> Result<Value, serde_json::Error> {
    serde_json::to_value(StoredRun { version: VERSION, run })
}

pub(crate) fn restore(stored: Value) -> Result<Run, serde_json::Error> {
    let version = stored.get("version").and_then(Value::as_u64);
    if version != Some(u64::from(VERSION)) {
        let found = version.map_or_else(|| "without a version".to_owned(), |version| format!("of version {version}"));
        return Err(serde_json::Error::custom(format!(
            "unsupported run {found}: this release reads version {VERSION}"
        )));
    }
    serde_json::from_value(stored)
}
