//! Cases: small conversations in files, each with the scripted responses of a loopback server.
//!
//! A file names `provider` and, if needed, `host`, `model`, `options` of the builder, `tools` with the result of each,
//! `history`, `prompts` and `typed` (the prompts ask for structured output). Its `replies` are the responses of the
//! server, one for each request (see [`Reply`]). A file that is a list of exchanges has the form of a [`Recording`];
//! its provider follows from the path of the first.
//!
//! A test starts a case with its own model and asserts on the agent's response:
//!
//! ```
//! # use std::sync::Arc;
//! # use strands_core::testing::{ScriptedModel, ScriptedTurn};
//! use strands_testkit::case::Case;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let case = Case::parse("greeting", r#"{"provider": "openai", "prompts": ["hi"], "replies": []}"#);
//! // A real test passes the URL of the server to the model.
//! let mut running = case.start(|_server| Arc::new(ScriptedModel::new([ScriptedTurn::text("hello")]))).await;
//! assert_eq!(running.prompt().await.unwrap().text(), "hello");
//! # });
//! ```

mod reply;
mod run;
mod sent;

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use strands_core::message::{Message, ToolResultContent};

pub use self::reply::Reply;
pub use self::run::{Called, Running};
pub use self::sent::{SentCall, assert_nothing_blank, sent_calls};
use crate::recording::{Exchange, Recording, json_files, shared_path};

/// A conversation and the responses of its server, read from one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Path of the file below the folder of all cases; include it in every assertion.
    #[serde(skip)]
    pub name: String,
    /// Provider whose protocol is spoken: `anthropic`, `bedrock`, `gemini`, `llamacpp`, `mistral`, `ollama`, `openai`
    /// (Chat Completions) or `responses`.
    pub provider: String,
    /// Host name of the server, for cases that depend on it.
    #[serde(default)]
    pub host: Option<String>,
    /// Model id, for cases that depend on it.
    #[serde(default)]
    pub model: Option<String>,
    /// Builder options, by the names of the builder's methods.
    #[serde(default)]
    pub options: Map<String, Value>,
    /// True if the prompts ask for structured output with a `city` and its `degrees`.
    #[serde(default)]
    pub typed: bool,
    /// Tools of the agent.
    #[serde(default)]
    pub tools: Vec<CaseTool>,
    /// Messages before the first prompt.
    #[serde(default)]
    pub history: Vec<Message>,
    /// Prompts in order: texts, or lists of content blocks.
    #[serde(default)]
    pub prompts: Vec<Value>,
    /// Responses of the server, one for each request.
    #[serde(default)]
    pub replies: Vec<Reply>,
}

/// A tool of a [`Case`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseTool {
    /// Name.
    pub name: String,
    /// Description.
    #[serde(default)]
    pub description: String,
    /// JSON schema of the arguments.
    pub schema: Value,
    /// The result of each call.
    #[serde(default)]
    pub result: CaseResult,
}

/// The result of a [`CaseTool`].
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum CaseResult {
    /// Text.
    Text(String),
    /// Content of any kind, which may be empty.
    Content {
        /// Content blocks.
        content: Vec<ToolResultContent>,
    },
}

impl Default for CaseResult {
    fn default() -> Self {
        Self::Text("ok".to_owned())
    }
}

impl Case {
    /// Reads one file. Panics with the file's name if it is not a case.
    pub fn load(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("reading case {}: {error}", path.display()));
        Self::parse(&path.display().to_string(), &text)
    }

    /// Parses the text of a file. Panics with the name if it is not a case.
    pub fn parse(name: &str, text: &str) -> Self {
        let read = if text.trim_start().starts_with('[') {
            Recording::parse(text.as_bytes()).map(|exchanges| Self::of_exchanges(&exchanges))
        } else {
            serde_json::from_str(text)
        };
        let mut case = read.unwrap_or_else(|error| panic!("case {name}: {error}"));
        name.clone_into(&mut case.name);
        case
    }

    /// Builds a case with one prompt, whose replies are the recorded responses.
    fn of_exchanges(exchanges: &[Exchange]) -> Self {
        let asked = exchanges.first().map_or_else(|| panic!("no exchanges"), |exchange| &exchange.request);
        // Suffix of each provider's path.
        let paths = [
            ("/chat/completions", "openai"),
            ("/responses", "responses"),
            ("/messages", "anthropic"),
            ("/api/chat", "ollama"),
            ("enerateContent", "gemini"),
            ("/converse", "bedrock"),
            ("/converse-stream", "bedrock"),
        ];
        let provider = paths.iter().find(|(end, _)| asked.path.ends_with(end)).map(|(_, provider)| *provider);
        let provider = provider.unwrap_or_else(|| panic!("no provider has the path {}", asked.path));
        let options = match asked.body.get("stream") {
            Some(Value::Bool(streaming)) => Map::from_iter([("streaming".to_owned(), json!(streaming))]),
            _ => Map::new(),
        };
        Self {
            name: String::new(),
            provider: provider.to_owned(),
            host: None,
            model: asked.body.get("model").and_then(Value::as_str).map(str::to_owned),
            options,
            typed: false,
            tools: Vec::new(),
            history: Vec::new(),
            prompts: vec![json!("hi")],
            replies: exchanges.iter().map(Reply::of_exchange).collect(),
        }
    }

    /// Returns a boolean option of the builder.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let value = self.options.get(name)?;
        Some(value.as_bool().unwrap_or_else(|| panic!("case {}: option `{name}` is {value}", self.name)))
    }
}

/// Returns every case in a folder of `cases`, or `None` if `STRANDS_SHARED` is not set.
/// Panics if the files of the folder are not exactly these, so that a new case can't go untested.
pub fn cases(folder: &str, files: &[&str]) -> Option<Vec<Case>> {
    let root = shared_path("cases")?;
    let found: Vec<_> = json_files(&root.join(folder))
        .into_iter()
        .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let mut expected: Vec<_> = files.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "the files of {folder}");
    Some(files.iter().map(|file| Case::load(&root.join(folder).join(file))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_case() {
        let Some(root) = shared_path("cases") else {
            return;
        };
        let mut read = 0;
        for file in json_files(&root).into_iter().filter(|file| !file.ends_with("table.json")) {
            assert!(!Case::load(&file).replies.is_empty(), "{} has no replies", file.display());
            read += 1;
        }
        assert!(read > 40, "only {read} cases below {}", root.display());
    }

    #[test]
    fn reads_a_list_of_exchanges() {
        let text = r#"[{"request": {"method": "POST", "path": "/v1/chat/completions", "body": {"model": "m", "stream": false}},
            "response": {"status": 200, "content_type": "application/json", "body": "{}"}}]"#;
        let case = Case::parse("exchange", text);
        assert_eq!((case.provider.as_str(), case.model.as_deref(), case.replies.len()), ("openai", Some("m"), 1));
        assert_eq!(case.flag("streaming"), Some(false));
    }
}
