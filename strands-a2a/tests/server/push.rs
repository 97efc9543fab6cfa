//! Push notifications.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use strands::a2a::axum::body::Bytes;
use strands::a2a::axum::http::{HeaderMap, Method, StatusCode};
use strands::a2a::axum::routing::post;
use strands::a2a::axum::{self, Router};
use strands::a2a::{A2aLimits, A2aServer, MemoryTaskStore, PushTargets};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use crate::client::{Client, URL, message, state_of, with_users};
use crate::controlled::{Controlled, Prompts, Step, question};

/// A receiver on this machine. It responds with the statuses, and then with 200.
struct Receiver {
    url: String,
    received: mpsc::UnboundedReceiver<(HeaderMap, Value)>,
}

impl Receiver {
    async fn start(statuses: &[u16]) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let statuses = Arc::new(Mutex::new(statuses.to_vec()));
        let receive = move |headers: HeaderMap, body: Bytes| async move {
            let body = serde_json::from_slice(&body).unwrap();
            sender.send((headers, body)).unwrap();
            let mut statuses = statuses.lock().await;
            let status = if statuses.is_empty() { 200 } else { statuses.remove(0) };
            let redirect = [("location", "http://127.0.0.1:1/secret")];
            (StatusCode::from_u16(status).unwrap(), redirect, "x")
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(receive))).await });
        Self { url, received }
    }

    async fn next(&mut self) -> (HeaderMap, Value) {
        self.received.recv().await.unwrap()
    }
}

fn on_this_machine() -> PushTargets {
    PushTargets::public().allow_http(true).allow_host("127.0.0.1")
}

fn client(targets: PushTargets) -> (Client, Prompts, Arc<MemoryTaskStore>) {
    let (controlled, prompts) = Controlled::new();
    let store = Arc::new(MemoryTaskStore::new());
    let builder = A2aServer::builder(controlled, URL).push_notifications(targets).task_store(Arc::clone(&store));
    (Client::of(&builder.build().unwrap()), prompts, store)
}

fn params(config: Value) -> Value {
    let mut params = message(json!([{"text": "x"}]), json!({}));
    params["configuration"] = json!({"returnImmediately": true, "taskPushNotificationConfig": config});
    params
}

#[tokio::test]
async fn updates_are_delivered_in_order_with_credentials_and_whole_artifacts() {
    let mut receiver = Receiver::start(&[]).await;
    let (client, prompts, _) = client(on_this_machine());
    let config = json!({
        "url": receiver.url, "token": "t1", "authentication": {"scheme": "Bearer", "credentials": "secret"},
    });
    let task = client.call("SendMessage", params(config)).await.unwrap()["task"].take();
    let prompt = prompts.next().await;
    prompt.step(Step::Text("Hel"));
    prompt.step(Step::Text("lo"));
    prompt.end("Hello");
    let (headers, working) = receiver.next().await;
    assert_eq!(
        (&headers["authorization"], &headers["x-a2a-notification-token"]),
        (&"Bearer secret".parse().unwrap(), &"t1".parse().unwrap())
    );
    assert_eq!(
        (state_of(&working["statusUpdate"]).as_str(), &working["statusUpdate"]["taskId"]),
        ("working", &task["id"])
    );
    let (_, artifact) = receiver.next().await;
    assert_eq!(artifact["artifactUpdate"]["artifact"]["parts"], json!([{"text": "Hello"}]));
    assert_eq!(artifact["artifactUpdate"]["append"], false);
    assert_eq!(state_of(&receiver.next().await.1["statusUpdate"]), "completed");
}

#[tokio::test]
async fn a_client_of_0_3_gets_its_tasks() {
    let mut receiver = Receiver::start(&[]).await;
    let (client, prompts, _) = client(on_this_machine());
    let client = client.version("0.3");
    let message = json!({
        "message": {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "x"}]},
        "configuration": {"blocking": false, "pushNotificationConfig": {"url": receiver.url, "token": "t1"}},
    });
    let task = client.call("message/send", message).await.unwrap();
    prompts.next().await.end("Hello");
    for state in ["working", "completed"] {
        let (_, received) = receiver.next().await;
        assert_eq!((&received["kind"], &received["id"]), (&json!("task"), &task["id"]));
        if received["status"]["state"] == "completed" {
            assert_eq!(received["artifacts"][0]["parts"], json!([{"kind": "text", "text": "Hello"}]));
        } else {
            assert_eq!(state, "working");
        }
    }
    let got = client.call("tasks/pushNotificationConfig/get", json!({"id": task["id"]})).await.unwrap();
    assert_eq!(got["pushNotificationConfig"]["url"], receiver.url);
}

#[tokio::test]
async fn failed_deliveries_are_repeated_and_redirects_are_not_followed() {
    let mut receiver = Receiver::start(&[503]).await;
    let (client, prompts, _) = client(on_this_machine());
    client.call("SendMessage", params(json!({"url": receiver.url}))).await.unwrap();
    let _prompt = prompts.next().await;
    let first = receiver.next().await.1;
    assert_eq!(receiver.next().await.1, first);

    let mut receiver = Receiver::start(&[302]).await;
    client.call("SendMessage", params(json!({"url": receiver.url}))).await.unwrap();
    let prompt = prompts.next().await;
    assert_eq!(state_of(&receiver.next().await.1["statusUpdate"]), "working");
    prompt.end("done");
    // The next notification is that of the end: the first was neither repeated nor sent elsewhere.
    assert!(receiver.next().await.1["artifactUpdate"].is_object());
}

#[tokio::test]
async fn configurations_can_be_changed_and_show_no_secrets() {
    let (client, prompts, _) = client(PushTargets::public());
    let task = client.start("x").await;
    let prompt = prompts.next().await;
    let id = task["id"].as_str().unwrap();
    let config = |fields: Value| {
        let mut config = json!({"taskId": id, "url": "https://example.com/hook", "token": "t1", "authentication": {"scheme": "Bearer", "credentials": "s3cret"}});
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        config
    };
    let created = client.call("CreateTaskPushNotificationConfig", config(json!({}))).await.unwrap();
    client.call("CreateTaskPushNotificationConfig", config(json!({"id": "b"}))).await.unwrap();
    client
        .call("CreateTaskPushNotificationConfig", config(json!({"id": "b", "url": "https://example.com/b"})))
        .await
        .unwrap();
    let shown = json!({"taskId": id, "id": created["id"], "url": "https://example.com/hook", "authentication": {"scheme": "Bearer"}});
    assert_eq!(created, shown);
    let got = client.call("GetTaskPushNotificationConfig", json!({"taskId": id, "id": created["id"]})).await.unwrap();
    assert_eq!(got, shown);
    let path = format!("/tasks/{id}/pushNotificationConfigs");
    let (_, list) = client.http(Method::GET, &path, Value::Null).await;
    let urls: Vec<_> = list["configs"].as_array().unwrap().iter().map(|config| &config["url"]).collect();
    assert_eq!(urls, ["https://example.com/hook", "https://example.com/b"]);
    assert!(!list.to_string().contains("s3cret"));

    for _ in 0..2 {
        let (status, _) = client.http(Method::DELETE, &format!("{path}/b"), Value::Null).await;
        assert_eq!(status, StatusCode::OK);
    }
    let missing = client.call("GetTaskPushNotificationConfig", json!({"taskId": id, "id": "b"})).await.unwrap_err();
    assert_eq!(missing["code"], -32001);
    // The run has kept them.
    prompt.end("done");
    client.until(&task["id"], "completed").await;
    let list = client.call("ListTaskPushNotificationConfigs", json!({"taskId": id})).await.unwrap();
    assert_eq!(list["configs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn targets_that_clients_must_not_reach_are_rejected() {
    let (client, prompts, _) = client(PushTargets::public());
    let task = client.start("x").await;
    let _prompt = prompts.next().await;
    for url in
        ["http://example.com/", "https://127.0.0.1/", "https://169.254.169.254/latest/meta-data", "https://[::1]/", "x"]
    {
        let error = client
            .call("CreateTaskPushNotificationConfig", json!({"taskId": task["id"], "url": url}))
            .await
            .unwrap_err();
        assert_eq!(error["code"], -32602, "{url}");
        assert_eq!(client.call("SendMessage", params(json!({"url": url}))).await.unwrap_err()["code"], -32602);
    }
    for fields in [json!({"token": "a\r\nx: y"}), json!({"authentication": {"scheme": "Bearer\n", "credentials": "s"}})]
    {
        let mut config = json!({"taskId": task["id"], "url": "https://example.com/"});
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(client.call("CreateTaskPushNotificationConfig", config).await.unwrap_err()["code"], -32602);
    }
}

#[tokio::test]
async fn names_that_resolve_to_private_addresses_are_not_connected_to() {
    // It passes the check of the URL, since only the resolution shows where it leads.
    let mut receiver = Receiver::start(&[]).await;
    let url = receiver.url.replace("127.0.0.1", "localhost");
    let (controlled, prompts) = Controlled::new();
    let targets = PushTargets::public().allow_http(true);
    let server = A2aServer::builder(controlled, URL).push_notifications(targets).build().unwrap();
    let client = Client::of(&server);
    client.call("SendMessage", params(json!({"url": url}))).await.unwrap();
    prompts.next().await.end("done");
    // All attempts have been made then.
    server.shutdown(Duration::from_secs(20)).await;
    assert!(receiver.received.try_recv().is_err());
    // The same target, allowed.
    let (client, prompts, _) = self::client(PushTargets::public().allow_http(true).allow_host("localhost"));
    client.call("SendMessage", params(json!({"url": url}))).await.unwrap();
    prompts.next().await.end("done");
    receiver.next().await;
}

#[tokio::test]
async fn the_number_of_configurations_is_limited() {
    let (client, prompts, _) = client(PushTargets::public());
    let task = client.start("x").await;
    let _prompt = prompts.next().await;
    let create = || {
        client.call("CreateTaskPushNotificationConfig", json!({"taskId": task["id"], "url": "https://example.com/"}))
    };
    for _ in 0..8 {
        create().await.unwrap();
    }
    assert_eq!(create().await.unwrap_err()["code"], -32602);
}

#[tokio::test]
async fn a_configuration_without_an_id_in_each_message_is_one() {
    let (client, prompts, _) = client(PushTargets::public());
    let mut task = Value::Null;
    for round in 0..10 {
        let mut params = params(json!({"url": format!("https://example.com/{round}")}));
        if let Some(id) = task.get("id") {
            params["message"]["taskId"] = id.clone();
        }
        task = client.call("SendMessage", params).await.unwrap()["task"].take();
        prompts.next().await.step(Step::End(question()));
        client.until(&task["id"], "input_required").await;
    }
    let list = client.call("ListTaskPushNotificationConfigs", json!({"taskId": task["id"]})).await.unwrap();
    let urls: Vec<_> = list["configs"].as_array().unwrap().iter().map(|config| &config["url"]).collect();
    assert_eq!(urls, ["https://example.com/9"]);
}

#[tokio::test]
async fn receivers_of_one_caller_that_do_not_respond_do_not_hold_up_those_of_others() {
    let (controlled, prompts) = Controlled::new();
    let limits = A2aLimits::new().running_tasks_per_caller(100);
    let builder = A2aServer::builder(controlled, URL).push_notifications(on_this_machine()).limits(limits);
    let client = Client::of(&with_users(builder));
    // Connections wait in its queue.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", silent.local_addr().unwrap());
    for _ in 0..70 {
        client.user("alice").call("SendMessage", params(json!({"url": url}))).await.unwrap();
        prompts.next().await.end("done");
    }
    let mut receiver = Receiver::start(&[]).await;
    client.user("bob").call("SendMessage", params(json!({"url": receiver.url}))).await.unwrap();
    let received = tokio::time::timeout(Duration::from_secs(5), receiver.next()).await;
    let (_, working) = received.expect("a notification for bob");
    assert_eq!(state_of(&working["statusUpdate"]), "working");
}

/// Waits for the notification of a state.
async fn notified(receiver: &mut Receiver, state: &str) {
    let reached = async {
        loop {
            let (_, event) = receiver.next().await;
            if event["statusUpdate"].is_object() && state_of(&event["statusUpdate"]) == state {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.unwrap_or_else(|_| panic!("no notification: {state}"));
}

#[tokio::test]
async fn tasks_that_a_shutdown_cancels_are_notified_of() {
    let mut receiver = Receiver::start(&[]).await;
    let (controlled, prompts) = Controlled::new();
    let server = A2aServer::builder(controlled, URL).push_notifications(on_this_machine()).build().unwrap();
    Client::of(&server).call("SendMessage", params(json!({"url": receiver.url}))).await.unwrap();
    let _prompt = prompts.next().await;
    notified(&mut receiver, "working").await;
    server.shutdown(Duration::ZERO).await;
    notified(&mut receiver, "canceled").await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_silent_receivers() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", silent.local_addr().unwrap());
    let (controlled, prompts) = Controlled::new();
    let server = A2aServer::builder(controlled, URL).push_notifications(on_this_machine()).build().unwrap();
    Client::of(&server).call("SendMessage", params(json!({"url": url}))).await.unwrap();
    let _prompt = prompts.next().await;
    tokio::time::timeout(Duration::from_secs(5), server.shutdown(Duration::ZERO)).await.expect("an end");
}

#[tokio::test]
async fn a_configuration_of_another_process_is_notified_of_the_end() {
    let mut receiver = Receiver::start(&[]).await;
    let (one, prompts, store) = client(on_this_machine());
    let (other, _) = Controlled::new();
    let builder = A2aServer::builder(other, URL).push_notifications(on_this_machine()).task_store(store);
    let two = Client::of(&builder.build().unwrap());
    let task = one.start("x").await;
    let prompt = prompts.next().await;
    let config = json!({"taskId": task["id"], "url": receiver.url});
    two.call("CreateTaskPushNotificationConfig", config).await.unwrap();
    // Before the lease is renewed.
    prompt.end("done");
    notified(&mut receiver, "completed").await;
}
