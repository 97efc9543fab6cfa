//! Requests for a neutral conversation, compared with those of the reference client.
//!
//! `STRANDS_SHARED` names the folder with its captures; without it only the lists of differences are compared.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the calling test")]

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strands_core::message::{Message, SystemBlock};
use strands_core::models::{Model, ModelRequest, ToolChoice, ToolSpecs};
use strands_core::tool::ToolSpec;

use super::{Provider, turn};
use crate::recording::{json_files, shared_path};
use crate::request::Request;
use crate::response::Response;
use crate::server::Server;

/// A provider with captured requests of the reference client.
#[async_trait]
pub trait Referenced: Provider {
    /// Returns the folder below `wire`.
    fn captures(&self) -> &'static str;

    /// Returns the minimum number of cases in it.
    fn at_least(&self) -> usize;

    /// Returns the intended differences of our requests. The book has the same table, with the reasons.
    fn differences(&self) -> &'static [Difference];

    /// Returns the page of the book with the table: `include_str!` of `docs/src/models/….md`.
    fn page(&self) -> &'static str;

    /// Returns a model with the options of the capture.
    async fn configured(&self, server: &str, capture: &Capture) -> Arc<dyn Model>;

    /// True if this case is sent with streaming off.
    fn is_whole(&self, capture: &Capture) -> bool {
        capture.name == "30_non_streaming"
    }
}

/// An intended difference between our requests and those of the reference client.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// Name in the book's table.
    pub name: &'static str,
    /// Changes the reference's request (`method`, `path`, `query`, `body`) of a case into ours; true if that changed
    /// anything.
    pub change: fn(&str, &mut Value) -> bool,
    /// The folders whose captures show it. Empty if none does, because the case is missing or the reference rejects it.
    pub captures: &'static [&'static str],
}

impl Difference {
    /// Creates a difference that captures show.
    pub const fn new(
        name: &'static str,
        change: fn(&str, &mut Value) -> bool,
        captures: &'static [&'static str],
    ) -> Self {
        Self { name, change, captures }
    }

    /// Creates a difference that no capture shows.
    pub const fn unseen(name: &'static str) -> Self {
        Self { name, change: |_, _| false, captures: &[] }
    }
}

/// A captured request of the reference client.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The case, such as `13_inference_params`.
    pub name: String,
    /// The requested model.
    pub model_id: String,
    /// Its options by the reference's names.
    pub config: Value,
    /// The body that is being compared.
    pub body: Value,
}

impl Capture {
    /// Returns a numeric parameter of the request, from `config.params` or `config`.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.parameter(name).as_f64()
    }

    /// Returns an integer parameter of the request, from `config.params` or `config`.
    pub fn count(&self, name: &str) -> Option<u32> {
        self.parameter(name).as_u64().map(|count| u32::try_from(count).unwrap())
    }

    /// Returns a string-list parameter of the request, from `config.params` or `config`.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let texts = self.parameter(name);
        texts.is_array().then(|| parsed(texts))
    }

    /// Returns a parameter of the request, from `config.params` or `config`; null if it was not given.
    pub fn parameter(&self, name: &str) -> &Value {
        self.config["params"].get(name).unwrap_or(&self.config[name])
    }
}

/// Calls the function with each value inside this one, and with this one.
pub fn each_value(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_value(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| each_value(field, change)),
        _ => {}
    }
    change(value);
}

/// A [change](Difference::change) that removes `tools` if it is empty.
pub fn empty_tools(_: &str, request: &mut Value) -> bool {
    let body = &mut request["body"];
    let empty = body["tools"].as_array().is_some_and(Vec::is_empty);
    if empty && let Some(fields) = body.as_object_mut() {
        fields.shift_remove("tools");
    }
    empty
}

/// Compares the table in the provider's code with the one in the book.
pub fn the_book_lists_the_same_differences(provider: &dyn Referenced) {
    let table = provider.page().split("| difference |").nth(1).unwrap_or_default();
    let in_book: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let here: Vec<_> = provider.differences().iter().map(|difference| difference.name).collect();
    assert_eq!(in_book, here, "{}", provider.name());
}

/// Sends every captured case and compares method, path, query and body. Every difference of the table has to be seen in
/// the captures that it lists, and in no others.
pub async fn is_sent_what_the_reference_sends(provider: &dyn Referenced) {
    let Some(folder) = shared_path("wire") else {
        return;
    };
    let captures = provider.captures();
    let (mut wrong, mut compared, mut shown) = (Vec::new(), 0, Vec::new());
    for file in json_files(&folder.join(captures)) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let (read, case) = (document(&file), document(&folder.join("cases").join(file.file_name().unwrap())));
        let theirs = read["requests"].as_array().unwrap();
        let mut capture = Capture {
            name: name.to_owned(),
            model_id: read["model_id"].as_str().unwrap().to_owned(),
            config: read["config"].clone(),
            body: Value::Null,
        };
        if theirs.is_empty() {
            // The reference rejects a request that we send.
            assert!(read["python_raises"].is_object(), "{name}");
            let sent = send(provider, &capture, &Conversation::of(&case)).await;
            assert!(!sent.body.is_empty(), "{name}");
        }
        for (at, request) in theirs.iter().enumerate() {
            capture.body = request["body"].clone();
            let by_agent = case["kind"].as_str().is_some_and(|kind| kind.starts_with("agent"));
            let conversation =
                if by_agent { Conversation::of_agent(&folder, &capture, at) } else { Conversation::of(&case) };
            let sent = send(provider, &capture, &conversation).await;
            let mut request = request.clone();
            for Difference { name: difference, change, captures: seen_in } in provider.differences() {
                if change(name, &mut request) {
                    assert!(seen_in.contains(&captures), "{difference} in {captures}/{name}");
                    shown.push(*difference);
                }
            }
            let query: serde_json::Map<_, _> =
                sent.query.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            // A colon may be encoded or not.
            let path = sent.path.replace("%3A", ":");
            let ours = json!({"method": sent.method, "path": path, "query": query, "body": sent.json()});
            for part in ["method", "path", "query", "body"] {
                let (ours, theirs) = (&ours[part], &request[part]);
                if ours != theirs {
                    wrong.push(format!("{name}, request {at}, {part}:\n  ours   {ours}\n  theirs {theirs}"));
                }
            }
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{captures}: {}", wrong.join("\n"));
    assert!(compared >= provider.at_least(), "only {compared} in {captures}");
    for Difference { name, captures: seen_in, .. } in provider.differences() {
        assert_eq!(shown.contains(name), seen_in.contains(&captures), "{name} in {captures}");
    }
}

fn document(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Sends one request of a case.
async fn send(provider: &dyn Referenced, capture: &Capture, conversation: &Conversation) -> Request {
    let reply = if Referenced::is_whole(provider, capture) {
        Response::json(200, &provider.fine_document())
    } else {
        provider.response(provider.fine())
    };
    let server = Server::repeat(reply).await;
    let model = provider.configured(&server.url(), capture).await;
    let mut request =
        ModelRequest::new(&conversation.messages).with_system(&conversation.system).with_tools(&conversation.tools);
    if let Some(choice) = &conversation.choice {
        request = request.with_tool_choice(choice);
    }
    turn(&*model, request).await.unwrap_or_else(|error| panic!("{}: {error:?}", capture.name));
    server.requests().remove(0)
}

struct Conversation {
    messages: Vec<Arc<Message>>,
    system: Vec<SystemBlock>,
    tools: ToolSpecs,
    choice: Option<ToolChoice>,
}

impl Conversation {
    fn of(case: &Value) -> Self {
        let tools: Option<Vec<ToolSpec>> = parsed(&case["tool_specs"]);
        let messages: Vec<Message> = parsed(&case["messages"]);
        let system: Option<Vec<SystemBlock>> = parsed(&case["system_prompt_content"]);
        let prompt = case["system_prompt"].as_str().filter(|prompt| !prompt.is_empty());
        Self {
            messages: messages.into_iter().map(Arc::new).collect(),
            system: system.or_else(|| Some(vec![SystemBlock::from(prompt?)])).unwrap_or_default(),
            tools: tools.unwrap_or_default().into_iter().collect(),
            choice: parsed(&case["tool_choice"]),
        }
    }

    /// Builds the conversation of an agent's request from Bedrock's capture of it: that history includes the messages
    /// added by the loop, and Bedrock's protocol is the neutral format.
    fn of_agent(folder: &Path, capture: &Capture, at: usize) -> Self {
        let bedrock = document(&folder.join("bedrock").join(&capture.name).with_extension("json"));
        let body = &bedrock["requests"][at]["body"];
        let messages: Vec<Message> = parsed(&body["messages"]);
        let tools = body["toolConfig"]["tools"].as_array();
        let choice: Option<ToolChoice> = parsed(&body["toolConfig"]["toolChoice"]);
        Self {
            messages: messages.into_iter().map(Arc::new).collect(),
            system: parsed(&body["system"]),
            tools: tools.into_iter().flatten().map(|tool| parsed::<ToolSpec>(&tool["toolSpec"])).collect(),
            // Bedrock's capture has an explicit automatic choice if none was given.
            choice: choice.filter(|choice| !matches!(choice, ToolChoice::Auto { .. })),
        }
    }
}

fn parsed<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}
