//! Server-sent events read with curl. When curl ends, the model call is dropped.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use extensions::model::{Echo, Engine, EngineModel};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, iter, pending};
use serde_json::Value;
use strands::models::RetryPolicy;
use strands::{Agent, AgentBuilder};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::Notify;

const PROMPT: &str = "one two three";

/// Sends a prompt to a new server with curl.
async fn ask(engine: impl Engine + 'static, headers: &[&str]) -> Child {
    ask_agent(Agent::builder().model(EngineModel::new(engine)), headers).await
}

async fn ask_agent(agents: AgentBuilder, headers: &[&str]) -> Child {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ask", listener.local_addr().unwrap());
    let routes = extensions::server::routes(agents);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let headers = headers.iter().flat_map(|header| ["-H", header]);
    let mut curl = Command::new("curl");
    curl.args(["-sSN", "--noproxy", "*", "--max-time", "30", "-w", "\nstatus: %{http_code} %{content_type}\n"]);
    curl.args(headers).args(["-d", PROMPT, &url]);
    curl.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("curl is installed")
}

#[tokio::test]
async fn curl_reads_every_event() {
    let output = ask(Echo, &["Authorization: Bearer alice"]).await.wait_with_output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.trim_end().ends_with("status: 200 text/event-stream"), "{text}");
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events.map(|data| serde_json::from_str(data).unwrap()).collect();
    let deltas =
        events.iter().filter(|event| event["type"] == "text_delta").map(|event| event["text"].as_str().unwrap());
    assert_eq!(deltas.collect::<Vec<_>>(), ["one ", "two ", "three"]);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "result");
    assert_eq!(last["response"]["stop_reason"], "end_turn");
    assert_eq!(last["response"]["message"]["content"][0]["text"], PROMPT);
}

/// Fails at once.
struct Fails;

impl Engine for Fails {
    fn respond(&self, _: &str) -> BoxStream<'static, Result<String, std::io::Error>> {
        iter([Err(std::io::Error::other("out of memory"))]).boxed()
    }
}

#[tokio::test]
async fn errors_are_json_text() {
    let agents = Agent::builder().model(EngineModel::new(Fails)).retry(RetryPolicy::never());
    let output = ask_agent(agents, &["Authorization: Bearer alice"]).await.wait_with_output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, failure) = text.split_once("event: failure\ndata: ").expect(&text);
    let (message, _) = failure.split_once("\n\n").expect(&text);
    let message: String = serde_json::from_str(message).unwrap();
    assert!(message.starts_with("the model call failed after 1 attempt: "), "{message}");
}

#[tokio::test]
async fn rejects_unauthenticated_requests() {
    let output = ask(Echo, &[]).await.wait_with_output().await.unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("status: 401"), "{output:?}");
}

/// Generates one word and then stalls. Sends a message when its stream is dropped.
struct Stalls(Arc<Notify>);

struct Tells(Arc<Notify>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Engine for Stalls {
    fn respond(&self, _: &str) -> BoxStream<'static, Result<String, std::io::Error>> {
        let tells = Tells(Arc::clone(&self.0));
        iter([Ok("Well,".to_owned())]).chain(pending()).inspect(move |_| _ = &tells).boxed()
    }
}

#[tokio::test]
async fn a_disconnected_client_ends_the_model_call() {
    let ended = Arc::new(Notify::new());
    let mut curl = ask(Stalls(Arc::clone(&ended)), &["Authorization: Bearer alice"]).await;
    let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("Well,") {
            break;
        }
    }
    assert!(futures_util::poll!(std::pin::pin!(ended.notified())).is_pending(), "the model call is under way");
    curl.kill().await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), ended.notified()).await.expect("the model call to end");
}
