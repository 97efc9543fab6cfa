//! Recorded exchanges with real providers: location and file format.
//!
//! They are not part of the project. The environment variable `STRANDS_SHARED` names the folder that holds
//! `recordings/<provider>/…/*.json`; without it every function here returns `None`. If it is set, a missing or empty
//! folder is an error and panics.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

/// The variable that names the folder with the recordings.
const VARIABLE: &str = "STRANDS_SHARED";

/// Recording of one conversation: its exchanges, in order.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Path below `recordings`, such as `bedrock/agent/completion_smoke.json`; include it in every assertion.
    pub name: String,
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
}

/// One request and its response.
#[derive(Clone, Debug, Deserialize)]
pub struct Exchange {
    /// The request.
    pub request: RecordedRequest,
    /// The provider's response.
    pub response: RecordedResponse,
}

/// The request of an [`Exchange`].
#[derive(Clone, Debug, Deserialize)]
pub struct RecordedRequest {
    /// HTTP method.
    pub method: String,
    /// Path as sent, percent-encoding included.
    pub path: String,
    /// Query parameters, in order.
    #[serde(default)]
    pub query: Vec<(String, String)>,
    /// JSON body; `Null` if there was none.
    #[serde(default)]
    pub body: Value,
}

/// The response of an [`Exchange`].
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawResponse")]
pub struct RecordedResponse {
    /// HTTP status.
    pub status: u16,
    /// The `content-type` header.
    pub content_type: String,
    /// Body, byte for byte.
    pub body: Bytes,
}

/// A response as stored in the file: text, or base64 if it is not text.
#[derive(Deserialize)]
struct RawResponse {
    status: u16,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
}

impl TryFrom<RawResponse> for RecordedResponse {
    type Error = String;

    fn try_from(raw: RawResponse) -> Result<Self, String> {
        let body = match (raw.body, raw.body_base64) {
            (Some(_), Some(_)) => {
                return Err("a response has both `body` and `body_base64`".to_owned());
            }
            (Some(text), None) => Bytes::from(text),
            // Two recordings hold the JSON itself here; no base64 begins with `{`.
            (None, Some(text)) if text.starts_with('{') => Bytes::from(text),
            (None, Some(encoded)) => STANDARD
                .decode(encoded)
                .map(Bytes::from)
                .map_err(|error| format!("`body_base64` is not base64: {error}"))?,
            (None, None) => Bytes::new(),
        };
        Ok(Self { status: raw.status, content_type: raw.content_type.unwrap_or_default(), body })
    }
}

impl Recording {
    /// Reads one file. Panics with the file's name if it is not a recording.
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_else(|error| panic!("reading recording {}: {error}", path.display()));
        let exchanges = Self::parse(&text).unwrap_or_else(|error| panic!("recording {}: {error}", path.display()));
        Self { name: path.display().to_string(), exchanges }
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    /// Returns an error if the text is not a JSON array of exchanges.
    pub fn parse(text: &[u8]) -> serde_json::Result<Vec<Exchange>> {
        serde_json::from_slice(text)
    }
}

/// Returns the folder that `STRANDS_SHARED` names, or `None` if the variable is not set.
///
/// A relative path is resolved against the workspace, the usual directory of the command; cargo runs tests elsewhere.
/// Panics if the variable is set and the folder does not exist, so that such a run cannot pass without it.
pub fn shared_dir() -> Option<PathBuf> {
    let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty())?;
    Some(resolve(Path::new(&value)))
}

fn resolve(value: &Path) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(value);
    assert!(
        path.is_dir(),
        "{VARIABLE} is set to `{}`, but {} is no folder: correct the variable, or unset it to run without shared data",
        value.display(),
        path.display(),
    );
    path
}

/// Returns a file or folder below [`shared_dir`], or `None` if the variable is not set. Panics if it does not exist.
pub fn shared_path(relative: &str) -> Option<PathBuf> {
    let path = shared_dir()?.join(relative);
    assert!(path.exists(), "{VARIABLE} is set, but {} does not exist", path.display());
    Some(path)
}

/// Returns every recording of a provider, sorted by name, or `None` if `STRANDS_SHARED` is not set.
/// Panics if the provider has no recordings.
pub fn recordings(provider: &str) -> Option<Vec<Recording>> {
    let root = shared_path("recordings")?;
    let folder = root.join(provider);
    let recordings: Vec<Recording> = json_files(&folder)
        .into_iter()
        .map(|path| {
            let mut recording = Recording::load(&path);
            if let Ok(name) = path.strip_prefix(&root) {
                recording.name = name.display().to_string();
            }
            recording
        })
        .collect();
    assert!(!recordings.is_empty(), "{VARIABLE} is set, but {} holds no recording", folder.display());
    Some(recordings)
}

/// Returns every `*.json` below a folder, sorted. Panics if the folder cannot be read.
pub fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("listing {}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap_or_else(|error| panic!("listing {}: {error}", folder.display())).path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_text_and_base64_bodies() {
        let exchanges = Recording::parse(
            br#"[{"request": {"method": "POST", "path": "/m/a%3A0/converse", "query": [["alt", "sse"]], "body": {"a": 1}},
                  "response": {"status": 200, "content_type": "application/json", "body": "{}"}},
                 {"request": {"method": "GET", "path": "/", "query": [], "body": null},
                  "response": {"status": 404, "content_type": "application/vnd.amazon.eventstream", "body_base64": "AAEC"}}]"#,
        )
        .unwrap();
        assert_eq!(exchanges[0].request.path, "/m/a%3A0/converse");
        assert_eq!(exchanges[0].request.query, [("alt".to_owned(), "sse".to_owned())]);
        assert_eq!(exchanges[0].response.body, "{}");
        assert_eq!(exchanges[1].request.body, Value::Null);
        assert_eq!(exchanges[1].response.body, &[0u8, 1, 2][..]);

        let text =
            br#"[{"request": {"method": "GET", "path": "/"}, "response": {"status": 400, "body_base64": "{}"}}]"#;
        assert_eq!(Recording::parse(text).unwrap()[0].response.body, "{}");
    }

    #[test]
    fn describes_invalid_files() {
        let broken =
            br#"[{"request": {"method": "GET", "path": "/"}, "response": {"status": 200, "body_base64": "?"}}]"#;
        assert!(Recording::parse(broken).unwrap_err().to_string().contains("not base64"));
    }

    #[test]
    fn resolves_relative_folders_against_the_workspace() {
        assert!(resolve(Path::new("strands-testkit/src")).is_dir());
    }

    #[test]
    #[should_panic(expected = "is no folder")]
    fn panics_if_the_folder_is_missing() {
        resolve(Path::new("no-such-folder"));
    }

    #[test]
    fn reads_every_recording() {
        let Some(root) = shared_path("recordings") else {
            return;
        };
        let files = json_files(&root);
        assert!(files.len() > 700, "only {} recordings below {}", files.len(), root.display());
        for file in files {
            assert!(!Recording::load(&file).exchanges.is_empty(), "{} is empty", file.display());
        }
        let bedrock = recordings("bedrock").unwrap();
        assert!(bedrock.iter().all(|recording| recording.name.starts_with("bedrock/")));
    }
}
