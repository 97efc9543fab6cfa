//! Methods as tools that share a value.

use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use strands::message::ToolResultContent;
use strands::serde_json::{Value, json};
use strands::testing::{ScriptedModel, ScriptedTurn, ToolContextBuilder};
use strands::{Agent, InjectedKey, JsonSchema, Tool, ToolContext, Toolset, tool, toolset};

struct Files {
    names: Mutex<Vec<String>>,
    calls: AtomicUsize,
}

impl Files {
    fn new() -> Self {
        Self { names: Mutex::default(), calls: AtomicUsize::new(0) }
    }
}

struct Suffix(&'static str);

#[toolset(prefix = "files_", read_only, timeout = "5s")]
impl Files {
    /// Lists the files.
    #[tool]
    async fn list(&self, ctx: &ToolContext) -> io::Result<Vec<String>> {
        assert_eq!(ctx.tool_use_id(), "test");
        self.count();
        Ok(self.names.lock().unwrap().clone())
    }

    /// Adds a file.
    ///
    /// # Arguments
    ///
    /// * `name` - Name of the file
    #[tool(name = "add", read_only = false, timeout = "10s")]
    fn add_file(self: &Arc<Self>, name: &str, #[arg(default = 1, range = 1..=3)] times: u8, suffix: &Suffix) -> usize {
        let mut names = self.names.lock().unwrap();
        names.extend((0..times).map(|_| format!("{name}{}", suffix.0)));
        names.len()
    }

    /// Ignores the value.
    #[tool(inline)]
    fn separator() -> &'static str {
        "/"
    }

    /// Counts owners.
    #[tool]
    fn owners(self: Arc<Self>) -> usize {
        Arc::strong_count(&self)
    }

    #[cfg(any())]
    /// Needs a missing value.
    #[tool]
    fn absent(&self) {}

    // Not marked: not a tool.
    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

async fn call(tool: &dyn Tool, input: Value) -> ToolResultContent {
    let ctx = ToolContextBuilder::new("test").inject(Suffix(".txt")).build();
    let output = tool.call(&ctx, input).await.unwrap();
    output.content()[0].clone()
}

#[tokio::test]
async fn tools_share_the_value() {
    let tools = Files::new().into_tools();
    let names: Vec<_> = tools.iter().map(|tool| tool.spec().name.as_str()).collect();
    assert_eq!(names, ["files_list", "files_add", "files_separator", "files_owners"]);
    assert_eq!(call(&tools[1], json!({"name": "a", "times": 2})).await, ToolResultContent::Json(json!(2)));
    assert_eq!(call(&tools[0], json!({})).await, ToolResultContent::Json(json!(["a.txt", "a.txt"])));
    assert_eq!(call(&tools[2], json!({})).await, ToolResultContent::Text("/".into()));
    assert!(tools.iter().all(Tool::checks_input));
    let ctx = ToolContextBuilder::new("test").build();
    let error = tools[1].call(&ctx, json!({"times": 4})).await.unwrap_err();
    assert_eq!(error.to_string(), "`name`: required; `times`: 4 is out of range, expected 1 to 3");
}

#[test]
fn methods_inherit_the_keys_of_the_block() {
    let tools = Files::new().into_tools();
    assert_eq!(tools[0].spec().annotations.read_only, Some(true));
    assert_eq!(tools[1].spec().annotations.read_only, Some(false));
    assert_eq!(tools[0].policy().timeout.map(|time| time.as_secs()), Some(5));
    assert_eq!(tools[1].policy().timeout.map(|time| time.as_secs()), Some(10));
    assert_eq!(tools[1].spec().input_schema["properties"]["name"]["description"], json!("Name of the file"));
    let borrowed: Vec<_> = tools[1].requires().iter().map(InjectedKey::type_name).collect();
    assert!(matches!(borrowed[..], [name] if name.ends_with("::Suffix")), "{borrowed:?}");
    assert!(tools[2].requires().is_empty());
}

#[test]
fn methods_remain_methods() {
    let files = Arc::new(Files::new());
    assert_eq!(files.add_file("a", 1, &Suffix("")), 1);
    assert_eq!(Files::separator(), "/");
}

#[tokio::test]
async fn agents_accept_a_toolset() {
    let model =
        ScriptedModel::new([ScriptedTurn::tool_use("files_separator", json!({})), ScriptedTurn::text("A slash.")]);
    let files = Files::new();
    let mut agent = Agent::builder().model(model).tools(files).inject(Suffix("")).build().await.unwrap();
    assert_eq!(agent.prompt("What separates?").await.unwrap().text(), "A slash.");
}

trait Client: Send + Sync + 'static {
    type Reply: Serialize + JsonSchema + Debug + Send;
    fn get(&self, path: &str) -> Self::Reply;
}

struct Echo;

impl Client for Echo {
    type Reply = String;
    fn get(&self, path: &str) -> String {
        path.to_owned()
    }
}

struct Weather<C> {
    client: C,
}

#[toolset]
impl<C: Client> Weather<C> {
    /// Gets.
    #[tool(output)]
    async fn get(&self, path: String) -> C::Reply {
        self.client.get(&path)
    }
}

// Two more blocks, with functions that list their tools.
#[toolset(into = read_tools)]
impl<C: Client> Weather<C> {
    /// Reads.
    #[tool]
    fn read(&self, path: String) -> C::Reply {
        self.client.get(&path)
    }

    /// Has the name of a method of `Arc`.
    #[tool]
    fn clone(&self) -> &'static str {
        "not the Arc's"
    }
}

mod elsewhere {
    use super::{Client, Weather};
    use strands::{tool, toolset};

    #[toolset(into = pub(super) write_tools, prefix = "write_")]
    impl<C> Weather<C>
    where
        C: Client,
    {
        /// Writes.
        #[tool]
        fn all(&self) {
            let _ = &self.client;
        }
    }
}

#[tokio::test]
async fn supports_generic_and_multiple_blocks() {
    let tools = Weather { client: Echo }.into_tools();
    assert_eq!(call(&tools[0], json!({"path": "x"})).await, ToolResultContent::Text("\"x\"".trim_matches('"').into()));
    assert_eq!(tools[0].spec().output_schema, Some(json!({"type": "string"})));

    let weather = Arc::new(Weather { client: Echo });
    let mut tools = weather.read_tools();
    tools.extend(weather.write_tools());
    let names: Vec<_> = tools.iter().map(|tool| tool.spec().name.as_str()).collect();
    assert_eq!(names, ["read", "clone", "write_all"]);
    assert_eq!(call(&tools[1], json!({})).await, ToolResultContent::Text("not the Arc's".into()));
}
