//! Lists that change, prompts and resources.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rmcp::model::{GetPromptRequestParams, ReadResourceRequestParams, SubscriptionFilter};
use serde_json::json;
use strands::mcp::{McpServer, ResourceUpdates};
use strands::message::{ImageBlock, ImageFormat};
use strands::{Tool, ToolContext, ToolError, ToolProvider, async_trait, tool, tools};

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

#[tokio::test]
async fn subscribers_are_notified_of_changed_resources() {
    for age in AGES {
        let updates = ResourceUpdates::new();
        let server = McpServer::new(tools![One]).unwrap().resource("shop://logo", Logo).unwrap();
        let recorder = Client::default();
        let client = connected(server.resource_updates(updates.clone()), recorder.clone(), age).await;
        client.list_all_tools().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if age == Age::Stateless {
            let filter = SubscriptionFilter::builder().resource_subscription("shop://logo").build();
            let mut subscription = client.listen(filter).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            updates.changed("shop://other");
            updates.changed("shop://logo");
            let next = tokio::time::timeout(std::time::Duration::from_secs(3), subscription.next());
            let next = serde_json::to_value(next.await.unwrap().unwrap().unwrap()).unwrap();
            assert_eq!(next["params"]["uri"], "shop://logo", "{next}");
            continue;
        }
        #[expect(deprecated, reason = "of older protocols")]
        client.subscribe(rmcp::model::SubscribeRequestParams::new("shop://logo")).await.unwrap();
        updates.changed("shop://other");
        updates.changed("shop://logo");
        let seen = Arc::clone(&recorder.updates);
        until("the update", || *seen.lock().unwrap() == ["shop://logo"]).await;
        #[expect(deprecated, reason = "of older protocols")]
        client.unsubscribe(rmcp::model::UnsubscribeRequestParams::new("shop://logo")).await.unwrap();
        updates.changed("shop://logo");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

/// Logs.
#[tool]
async fn log(ctx: &ToolContext) -> Result<&'static str, ToolError> {
    for level in ["debug", "info", "error"] {
        ctx.progress(json!({"level": level, "data": {"of": level}})).await?;
    }
    Ok("logged")
}

#[tokio::test]
async fn log_messages_are_sent_from_the_level_that_the_client_sets() {
    let recorder = Client::default();
    let client = connected(McpServer::new(tools![Log]).unwrap(), recorder.clone(), Age::Legacy).await;
    client.call_tool(call("log", json!({}))).await.unwrap();
    assert!(recorder.logs.lock().unwrap().is_empty());
    #[expect(deprecated, reason = "of older protocols")]
    {
        let level = rmcp::model::LoggingLevel::Info;
        client.set_level(rmcp::model::SetLevelRequestParams::new(level)).await.unwrap();
    }
    client.call_tool(call("log", json!({}))).await.unwrap();
    let logs = Arc::clone(&recorder.logs);
    until("log messages", || *logs.lock().unwrap() == [json!({"of": "info"}), json!({"of": "error"})]).await;
}
