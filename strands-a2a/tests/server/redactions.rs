//! Content that a guardrail has voided.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use strands::a2a::{A2aLimits, A2aServer, MemoryTaskStore, RecordKey, RecordKind, TaskStore};
use strands::guardrails::{Check, Guardrail, GuardrailHook, Redaction, Verdict};
use strands::message::Message;
use strands::models::StopReason;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{AgentEvent, AgentResponse, ToolContext, ToolError, async_trait, tool, tools};

use crate::client::{Client, URL, agent, message, parts_of, server, short, state_of, status_text};
use crate::controlled::{Controlled, Step};

fn redacted(user: Option<&str>, assistant: Option<&str>) -> Step {
    Step::Event(AgentEvent::Redacted { user: user.map(str::to_owned), assistant: assistant.map(str::to_owned) })
}

#[tokio::test]
async fn a_rejected_task_keeps_neither_the_prompt_nor_the_text_that_a_guardrail_has_replaced() {
    let (controlled, prompts) = Controlled::new();
    let store = Arc::new(MemoryTaskStore::new());
    let client = Client::of(&A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).build().unwrap());
    let prompt_text = json!([{"text": "my card is 4111"}]);
    let mut events = client.stream("SendStreamingMessage", message(prompt_text, json!({}))).await;
    let prompt = prompts.next().await;
    prompt.step(Step::Text("the key is "));
    prompt.step(Step::Text("hunter2"));
    prompt.step(redacted(Some("[removed]"), Some("blocked")));
    let intervened = AgentResponse::new(Message::assistant("blocked"), StopReason::GuardrailIntervened);
    prompt.step(Step::End(intervened));
    let all = events.rest().await;
    let short: Vec<_> = all.iter().map(short).collect();
    assert_eq!(short, ["task submitted", "working", "=the key is ", "+hunter2", "=blocked", "rejected"]);

    let id = &all[0]["task"]["id"];
    let task = client.get(id).await.unwrap();
    assert_eq!((parts_of(&task), status_text(&task).as_str()), (&json!([{"text": "blocked"}]), "blocked"));
    assert_eq!(task["history"][0]["parts"], json!([{"text": "[removed]"}]));
    let key = RecordKey::new("anonymous", RecordKind::Task, id.as_str().unwrap());
    let stored = store.get(&key).await.unwrap().unwrap();
    let stored = std::str::from_utf8(&stored.content).unwrap();
    assert!(!stored.contains("hunter2") && !stored.contains("4111"), "{stored}");
}

#[tokio::test]
async fn text_after_a_replacement_takes_its_place() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let mut events = client.stream("SendStreamingMessage", message(json!([{"text": "x"}]), json!({}))).await;
    let prompt = prompts.next().await;
    // Nothing has been sent that it could replace.
    prompt.step(redacted(None, Some("blocked")));
    prompt.step(Step::Text("a"));
    prompt.step(redacted(None, Some("blocked")));
    prompt.step(Step::Text("b"));
    prompt.end("b");
    let short: Vec<_> = events.rest().await.iter().map(short).collect();
    assert_eq!(short, ["task submitted", "working", "=a", "=blocked", "=b", "=b.", "completed"]);
}

#[tokio::test]
async fn a_prompt_that_is_replaced_leaves_the_store_while_its_task_runs() {
    let (controlled, prompts) = Controlled::new();
    let store = Arc::new(MemoryTaskStore::new());
    let limits = A2aLimits::new().lease(Duration::from_secs(1));
    let builder = A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).limits(limits);
    let client = Client::of(&builder.build().unwrap());
    let task = client.start("my card is 4111").await;
    let prompt = prompts.next().await;
    prompt.step(redacted(Some("[removed]"), None));
    let key = RecordKey::new("anonymous", RecordKind::Task, task["id"].as_str().unwrap());
    let removed = async {
        loop {
            let stored = store.get(&key).await.unwrap().unwrap();
            let content = std::str::from_utf8(&stored.content).unwrap();
            if !content.contains("4111") {
                break assert!(content.contains("[removed]"), "{content}");
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), removed).await.expect("the next renewal of the lease removes it");
    prompt.end("done");
    client.until(&task["id"], "completed").await;
}

/// Numbers of cards do not pass.
struct Cards(fn(&str, usize) -> Verdict);

#[async_trait]
impl Guardrail for Cards {
    fn name(&self) -> &str {
        "cards"
    }

    async fn check(&self, check: &Check<'_>) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        Ok(check.text.find("4111").map_or(Verdict::Pass, |at| (self.0)(check.text, at)))
    }
}

/// Verdicts about a text with the number 4111.
const REDACT: fn(&str, usize) -> Verdict = |_, at| Verdict::Redact(vec![Redaction::new(at..at + 4, "****")]);
const REWRITE: fn(&str, usize) -> Verdict = |text, _| Verdict::Rewrite(text.replace("4111", "a card"));
const BLOCK: fn(&str, usize) -> Verdict = |_, _| Verdict::block("No cards, please.");

/// The texts of the user in a task, none of which is anywhere else in the store.
async fn texts_of_user(store: &MemoryTaskStore, task: &Value) -> Vec<Value> {
    for (kind, id) in [(RecordKind::Task, &task["id"]), (RecordKind::Context, &task["contextId"])] {
        let stored = store.get(&RecordKey::new("anonymous", kind, id.as_str().unwrap())).await.unwrap().unwrap();
        let content = std::str::from_utf8(&stored.content).unwrap();
        assert!(!content.contains("4111"), "{content}");
    }
    let of_user = task["history"].as_array().unwrap().iter().filter(|message| message["role"] == "ROLE_USER");
    of_user.map(|message| message["parts"][0]["text"].clone()).collect()
}

#[tokio::test]
async fn a_prompt_that_a_guardrail_of_the_program_changes_or_blocks_is_not_kept() {
    for (verdict, response) in [(REDACT, "done"), (REWRITE, "done"), (BLOCK, "No cards, please.")] {
        let store = Arc::new(MemoryTaskStore::new());
        let agent = agent(ScriptedModel::responding("done")).hook(GuardrailHook::new(Cards(verdict)));
        let client = Client::of(&A2aServer::builder(agent, URL).task_store(Arc::clone(&store)).build().unwrap());
        let sent = client.send("4111").await;
        assert_eq!((state_of(&sent).as_str(), &parts_of(&sent)[0]["text"]), ("completed", &json!(response)));
        let task = client.get(&sent["id"]).await.unwrap();
        assert_eq!(sent["history"], task["history"]);
        assert_eq!(texts_of_user(&store, &task).await, ["[redacted by a guardrail]"]);
        // One that passes stays.
        let next = client.send_in(&task["contextId"], "hello").await.unwrap();
        assert_eq!(texts_of_user(&store, &next).await, ["hello"]);
    }
}

/// Pays.
#[tool]
fn pay(ctx: &ToolContext) -> Result<String, ToolError> {
    ctx.interrupt("card", json!("Your card?"))?;
    Ok("paid".to_owned())
}

#[tokio::test]
async fn a_response_that_a_guardrail_of_the_program_changes_or_blocks_is_not_kept() {
    for (verdict, state, text) in [
        (REDACT, "completed", "[redacted by a guardrail]"),
        (REWRITE, "completed", "[redacted by a guardrail]"),
        (BLOCK, "input_required", "[refused by a hook]"),
    ] {
        let store = Arc::new(MemoryTaskStore::new());
        let model = ScriptedModel::new([ScriptedTurn::tool_use("pay", json!({})), ScriptedTurn::text("done")]);
        let agent = agent(model).tools(tools![Pay]).hook(GuardrailHook::new(Cards(verdict)));
        let client = Client::of(&A2aServer::builder(agent, URL).task_store(Arc::clone(&store)).build().unwrap());
        let task = client.send("pay").await;
        let response = message(json!([{"text": "4111"}]), json!({"taskId": task["id"]}));
        let resumed = client.call("SendMessage", response).await.unwrap()["task"].take();
        assert_eq!(state_of(&resumed), state);
        assert_eq!(texts_of_user(&store, &resumed).await, ["pay", text]);
    }
}
