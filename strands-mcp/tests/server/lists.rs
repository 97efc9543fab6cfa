//! Lists that change, prompts and resources.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rmcp::model::{GetPromptRequestParams, ReadResourceRequestParams, SubscriptionFilter};
use serde_json::json;
use strands::mcp::McpServer;
use strands::message::{ImageBlock, ImageFormat};
use strands::{Tool, ToolProvider, async_trait, tool, tools};

use crate::client::{AGES, Age, Client, call, connected, connected_to, served, text, until};

/// One.
#[tool]
fn one() -> &'static str {
    "1"
}

/// Two.
#[tool]
fn two() -> &'static str {
    "2"
}

struct Changing {
    tools: Mutex<Vec<Arc<dyn Tool>>>,
    generation: AtomicU64,
}

#[async_trait]
impl ToolProvider for Changing {
    fn name(&self) -> &str {
        "changing"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        Ok(self.tools.lock().unwrap().clone())
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

impl Changing {
    fn new() -> Arc<Self> {
        Arc::new(Self { tools: Mutex::default(), generation: AtomicU64::new(0) })
    }

    fn set(&self, tools: Vec<Arc<dyn Tool>>) {
        *self.tools.lock().unwrap() = tools;
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn clients_are_notified_of_changed_tools() {
    for age in AGES {
        let provider = Changing::new();
        let server = || McpServer::new(tools![One]).unwrap().tool_provider(Arc::clone(&provider));
        let url = served(server()).await;
        let recorder = Client::default();
        for client in
            [connected(server(), recorder.clone(), age).await, connected_to(&url, recorder.clone(), age, None).await]
        {
            provider.set(Vec::new());
            assert_eq!(client.list_all_tools().await.unwrap().len(), 1);
            let mut subscription = None;
            if age == Age::Stateless {
                let filter = SubscriptionFilter::builder().tools_list_changed().build();
                subscription = Some(client.listen(filter).await.unwrap());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let before = *recorder.list_changes.lock().unwrap();
            provider.set(tools![Two]);
            match &mut subscription {
                Some(subscription) => {
                    let next = tokio::time::timeout(std::time::Duration::from_secs(3), subscription.next());
                    assert!(next.await.unwrap().unwrap().is_some());
                }
                None => {
                    let changes = Arc::clone(&recorder.list_changes);
                    until("the notification", || *changes.lock().unwrap() > before).await;
                }
            }
            let names: Vec<_> =
                client.list_all_tools().await.unwrap().iter().map(|tool| tool.name.to_string()).collect();
            assert_eq!(names, ["one", "two"]);
            assert_eq!(text(&client.call_tool(call("two", json!({}))).await.unwrap()), "2");
        }
    }
}

/// Reviews code.
#[tool]
fn review(
    /// The code.
    code: String,
    language: Option<Language>,
) -> (String, ImageBlock) {
    let language = if language.is_some() { "Rust" } else { "any" };
    (format!("Review this {language} code: {code}"), ImageBlock::new(ImageFormat::Png, vec![1]))
}

#[derive(strands::Deserialize, strands::JsonSchema)]
#[serde(crate = "strands::serde", rename_all = "lowercase")]
#[schemars(crate = "strands::schemars", inline)]
enum Language {
    Rust,
}

/// An order.
#[tool]
fn order(id: u32) -> serde_json::Value {
    json!({"id": id})
}

/// A logo.
#[tool]
fn logo() -> ImageBlock {
    ImageBlock::new(ImageFormat::Png, vec![1, 2])
}

#[tokio::test]
async fn functions_are_prompts_and_resources() {
    for age in AGES {
        let server = McpServer::new(tools![One]).unwrap().prompts(tools![Review]).unwrap();
        let server = server.resource("shop://logo", Logo).unwrap().resource("shop://orders/{id}", Order).unwrap();
        let client = connected(server, Client::default(), age).await;

        let prompts = client.list_all_prompts().await.unwrap();
        let arguments = serde_json::to_value(&prompts[0].arguments).unwrap();
        assert_eq!(arguments[0], json!({"name": "code", "description": "The code.", "required": true}));
        assert_eq!(arguments[1], json!({"name": "language", "required": false}));
        let arguments = json!({"code": "fn main() {}", "language": "rust"}).as_object().unwrap().clone();
        let prompt = client.get_prompt(GetPromptRequestParams::new("review").with_arguments(arguments)).await.unwrap();
        let messages = serde_json::to_value(&prompt.messages).unwrap();
        assert_eq!(messages[0]["content"]["text"], "Review this Rust code: fn main() {}");
        assert_eq!(messages[1]["content"]["type"], "image");
        let error = client.get_prompt(GetPromptRequestParams::new("review")).await.unwrap_err().to_string();
        assert!(error.contains("`code`: required"), "{error}");
        assert!(client.get_prompt(GetPromptRequestParams::new("rewrite")).await.is_err());

        let resources = client.list_all_resources().await.unwrap();
        assert_eq!((&*resources[0].uri, &*resources[0].name), ("shop://logo", "logo"));
        let templates = client.list_all_resource_templates().await.unwrap();
        assert_eq!(templates[0].uri_template, "shop://orders/{id}");
        let read = async |uri: &str| client.read_resource(ReadResourceRequestParams::new(uri)).await;
        let logo = serde_json::to_value(read("shop://logo").await.unwrap().contents).unwrap();
        assert_eq!(logo, json!([{"uri": "shop://logo", "mimeType": "image/png", "blob": "AQI="}]));
        let missing = read("shop://carts/1").await.unwrap_err().to_string();
        assert!(missing.contains("unknown resource"), "{missing}");
    }
}
