//! Small cases: a conversation in a file, with the responses of a server that only a loopback server would give.
//!
//! A file names `provider`, and where they matter `host`, `model`, `options` of the builder, `tools` with the result of each,
//! `history`, `prompts` and `typed` (the prompts ask for structured output). Its `replies` are the responses of the server, one
//! for each request (see [`Reply`]). A file that is a list of exchanges has the form of a [`Recording`]; the provider is told by
//! the path of the first.
//!
//! A test starts a case with a model of its own, and asserts on what the agent made of it:
//!
//! ```
//! # use std::sync::Arc;
//! # use strands_core::testing::{ScriptedModel, ScriptedTurn};
//! use strands_testkit::case::Case;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let case = Case::parse("greeting", r#"{"provider": "openai", "prompts": ["hi"], "replies": []}"#);
//! // The model would be given the URL of the server.
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

/// One file: a conversation and the responses of its server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file, below the folder of all cases: say it in every assertion.
    #[serde(skip)]
    pub name: String,
    /// The provider that is spoken: `anthropic`, `bedrock`, `gemini`, `llamacpp`, `mistral`, `ollama`, `openai` (Chat
    /// Completions) or `responses`.
    pub provider: String,
    /// The host under which the server has to be known, where its name matters.
    #[serde(default)]
    pub host: Option<String>,
    /// Model id, where it matters.
    #[serde(default)]
    pub model: Option<String>,
    /// Options of the builder, by its methods.
    #[serde(default)]
    pub options: Map<String, Value>,
    /// True if the prompts ask for structured output: a `city` and its `degrees`.
    #[serde(default)]
    pub typed: bool,
    /// Tools of the agent.
    #[serde(default)]
    pub tools: Vec<CaseTool>,
    /// Messages before the first prompt.
    #[serde(default)]
    pub history: Vec<Message>,
    /// Prompts, one after the other: texts, or lists of content blocks.
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
    /// A text.
    Text(String),
    /// Content of any kind, which may be empty.
    Content {
        /// The pieces.
        content: Vec<ToolResultContent>,
    },
}

impl Default for CaseResult {
    fn default() -> Self {
        Self::Text("ok".to_owned())
    }
}

impl Case {
    /// Reads one file. Panics, naming the file, if it is no case.
    pub fn load(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("reading case {}: {error}", path.display()));
        Self::parse(&path.display().to_string(), &text)
    }

    /// The case in the text of a file. Panics, saying the name, if it is none.
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

    /// A case with one prompt, whose replies are the recorded responses.
    fn of_exchanges(exchanges: &[Exchange]) -> Self {
        let asked = exchanges.first().map_or_else(|| panic!("no exchanges"), |exchange| &exchange.request);
        // The end of each provider's path.
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
        let provider = provider.unwrap_or_else(|| panic!("no provider is known by the path {}", asked.path));
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

    /// An option of the builder that is true or false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let value = self.options.get(name)?;
        Some(value.as_bool().unwrap_or_else(|| panic!("case {}: option `{name}` is {value}", self.name)))
    }
}

/// Every case in a folder of `cases`, with the name of its file, or `None` if `STRANDS_SHARED` is not set. Panics if the folder
/// holds none, or not just these files: a case that nobody looks at must not be among them.
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
    fn every_case_can_be_read() {
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
    fn a_list_of_exchanges_is_a_case() {
        let text = r#"[{"request": {"method": "POST", "path": "/v1/chat/completions", "body": {"model": "m", "stream": false}},
            "response": {"status": 200, "content_type": "application/json", "body": "{}"}}]"#;
        let case = Case::parse("exchange", text);
        assert_eq!((case.provider.as_str(), case.model.as_deref(), case.replies.len()), ("openai", Some("m"), 1));
        assert_eq!(case.flag("streaming"), Some(false));
    }
}
