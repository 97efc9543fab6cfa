//! Requests as servers get them, in each binding.

use strands::a2a::Transport;
use strands::message::{ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, ImageFormat, MediaSource};
use strands::serde_json::{Value, json};
use strands::{PromptRequest, TraceContext};
use strands_testkit::{Response, Server};

use crate::peer::{CARD, COMPLETED, Peer, WORKING, card, chunk, ended, prompt, status, task, whole_task};

/// A prompt with every kind of content.
fn content() -> [ContentBlock; 3] {
    let image = ImageBlock::new(ImageFormat::Png, vec![1, 2, 3]);
    let document = DocumentBlock::new("notes", DocumentFormat::Txt, MediaSource::from(b"hello".to_vec()));
    ["hi".into(), image.into(), document.into()]
}

#[tokio::test]
async fn streams_over_json_rpc() {
    let peer = Peer::new(|call| {
        call.stream(&[
            task(WORKING),
            status(WORKING, "on it"),
            chunk("Hel", false),
            chunk("lo", true),
            ended(COMPLETED),
        ])
    });
    let peer = peer.await;
    let trace: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    let trace = trace.with_state("vendor=1").unwrap();
    let prompted = prompt(&peer.agent().await, PromptRequest::new(content()).inject(trace).keep_conversation()).await;
    assert_eq!((prompted.text.as_str(), prompted.reasoning.as_slice()), ("Hello", ["on it".to_owned()].as_slice()));
    let response = prompted.response();
    assert_eq!(response.text(), "Hello");
    assert_eq!(response.continuation.unwrap().value()["a2a"]["contextId"], "c1");

    let [request] = peer.calls().try_into().unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/rpc"));
    for (name, value) in [
        ("a2a-version", "1.0"),
        ("content-type", "application/json"),
        ("accept", "text/event-stream, application/json"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "vendor=1"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    let mut body = request.json();
    assert_eq!((&body["jsonrpc"], &body["method"]), (&json!("2.0"), &json!("SendStreamingMessage")));
    let message = body["params"]["message"].take();
    assert_eq!(body["params"], json!({"message": null}));
    assert!(message["messageId"].as_str().is_some_and(|id| id.len() == 36), "{message}");
    assert_eq!(message["role"], "ROLE_USER");
    assert_eq!(message.get("taskId"), None);
    assert_eq!(
        message["parts"],
        json!([
            {"text": "hi"},
            {"raw": "AQID", "mediaType": "image/png"},
            {"raw": "aGVsbG8=", "mediaType": "text/plain", "filename": "notes.txt"},
        ])
    );
}

#[tokio::test]
async fn streams_over_json_rpc_of_protocol_0_3() {
    let v03 = |call: &crate::peer::Call| {
        call.stream(&[
            json!({"kind": "task", "id": "t1", "contextId": "c1", "status": {"state": "submitted"}}),
            json!({
                "kind": "artifact-update", "taskId": "t1", "contextId": "c1", "append": false,
                "artifact": {"artifactId": "a1", "parts": [{"kind": "text", "text": "Hello"}]},
            }),
            json!({"kind": "status-update", "taskId": "t1", "contextId": "c1", "final": true, "status": {"state": "completed"}}),
        ])
    };
    let v03_card = |host: &str| {
        let mut card = card(host, &[]);
        card.as_object_mut().unwrap().remove("supportedInterfaces");
        card["url"] = json!(format!("http://{host}/"));
        card["protocolVersion"] = json!("0.3.0");
        card
    };
    let peer = Peer::with_card(v03_card, v03).await;
    assert_eq!(prompt(&peer.agent().await, PromptRequest::new(content())).await.response().text(), "Hello");
    let [request] = peer.calls().try_into().unwrap();
    assert_eq!(request.header("a2a-version"), Some("0.3"));
    let body = request.json();
    assert_eq!(body["method"], "message/stream");
    assert_eq!(
        (&body["params"]["message"]["role"], &body["params"]["message"]["kind"]),
        (&json!("user"), &json!("message"))
    );
    assert_eq!(
        body["params"]["message"]["parts"],
        json!([
            {"kind": "text", "text": "hi"},
            {"kind": "file", "file": {"bytes": "AQID", "mimeType": "image/png"}},
            {"kind": "file", "file": {"bytes": "aGVsbG8=", "mimeType": "text/plain", "name": "notes.txt"}},
        ])
    );
}

#[tokio::test]
async fn uses_the_urls_of_http_and_json() {
    let server = Server::handler(|request| {
        let event = |event: Value| format!("data: {event}\n\n");
        match request.path.as_str() {
            CARD => {
                let mut card = card(request.header("host").unwrap(), &[("HTTP+JSON", "1.0", "/rest/")]);
                card["supportedInterfaces"][0]["tenant"] = json!("a b");
                Response::json(200, &card)
            }
            // The stream breaks off, and the task is read and subscribed to.
            "/rest/a%20b/message:stream" => Response::sse(event(task(WORKING))),
            "/rest/a%20b/tasks/t1" => Response::json(200, &whole_task(WORKING, &["Hel"])),
            "/rest/a%20b/tasks/t1:subscribe" => {
                Response::sse([event(chunk("lo", true)), event(ended(COMPLETED))].concat())
            }
            path => panic!("{path}"),
        }
    });
    let server = server.await;
    let agent = strands::a2a::A2aAgent::builder(server.url()).preferred_transport(Transport::HttpJson).connect().await;
    assert_eq!(prompt(&agent.unwrap(), "hi").await.text, "Hello");
    let sent: Vec<_> = server.requests().iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    assert_eq!(
        sent,
        [
            format!("GET {CARD}"),
            "POST /rest/a%20b/message:stream".to_owned(),
            "GET /rest/a%20b/tasks/t1".to_owned(),
            "GET /rest/a%20b/tasks/t1:subscribe".to_owned(),
            "GET /rest/a%20b/tasks/t1".to_owned(),
        ]
    );
    let body = server.requests()[1].json();
    assert_eq!(body["message"]["parts"], json!([{"text": "hi"}]));
}

#[tokio::test]
async fn polls_a_server_that_does_not_stream() {
    let polled = |host: &str| {
        let mut card = card(host, &[("JSONRPC", "1.0", "/rpc")]);
        card["capabilities"] = json!({});
        card
    };
    let working = |texts| {
        let mut task = whole_task(WORKING, texts);
        task["status"]["message"] = json!({"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "on it"}]});
        task
    };
    let peer = Peer::with_card(polled, move |call| match (call.method.as_str(), call.number) {
        ("SendMessage", _) => call.result(json!({"task": working(&[])})),
        (_, 1) => call.result(working(&["Hel"])),
        _ => call.result(whole_task(COMPLETED, &["Hel", "lo"])),
    });
    let peer = peer.await;
    let prompted = prompt(&peer.agent().await, "hi").await;
    assert_eq!((prompted.text.as_str(), prompted.reasoning.len()), ("Hello", 1), "each message once");
    assert_eq!(prompted.response().text(), "Hello");
    assert_eq!(peer.methods(), ["SendMessage", "GetTask", "GetTask"]);
    let first = peer.calls()[0].json();
    assert_eq!(first["params"]["configuration"], json!({"returnImmediately": true}));
    assert_eq!(peer.calls()[1].json()["params"], json!({"id": "t1"}));
}

#[tokio::test]
async fn a_message_is_a_whole_response() {
    let message =
        json!({"message": {"messageId": "m", "contextId": "c9", "role": "ROLE_AGENT", "parts": [{"text": "Hi"}]}});
    for streams in [true, false] {
        let message = message.clone();
        let peer =
            Peer::new(
                move |call| {
                    if streams { call.stream(std::slice::from_ref(&message)) } else { call.result(message.clone()) }
                },
            );
        let peer = peer.await;
        let prompted = prompt(&peer.agent().await, PromptRequest::new("hi").keep_conversation()).await;
        assert_eq!(prompted.text, "Hi");
        assert_eq!(prompted.response().continuation.unwrap().value()["a2a"]["contextId"], "c9");
        assert_eq!(peer.methods(), ["SendStreamingMessage"]);
    }
}

#[tokio::test]
async fn an_empty_id_of_a_message_is_no_context() {
    let message =
        json!({"message": {"messageId": "m", "contextId": "", "role": "ROLE_AGENT", "parts": [{"text": "Hi"}]}});
    let peer = Peer::new(move |call| call.result(message.clone())).await;
    let agent = peer.agent().await;
    let first = prompt(&agent, PromptRequest::new("one").keep_conversation()).await.response().continuation.unwrap();
    prompt(&agent, PromptRequest::new("two").continue_from(first)).await.response();
    let contexts: Vec<_> = peer.calls().iter().map(|it| it.json()["params"]["message"]["contextId"].clone()).collect();
    assert_eq!(contexts, [Value::Null, Value::Null]);
}

#[tokio::test]
async fn a_task_without_artifacts_ends_with_the_last_message() {
    for events in [
        vec![task(WORKING), status(COMPLETED, "Done.")],
        vec![task(WORKING), status(WORKING, "Done."), ended(COMPLETED)],
        vec![json!({"task": {
            "id": "t1", "contextId": "c1", "status": {"state": COMPLETED},
            "history": [
                {"messageId": "1", "role": "ROLE_AGENT", "parts": [{"text": "Done."}]},
                {"messageId": "2", "role": "ROLE_USER", "parts": [{"text": "Hi."}]},
            ],
        }})],
    ] {
        let peer = Peer::new(move |call| call.stream(&events)).await;
        assert_eq!(prompt(&peer.agent().await, "hi").await.response().text(), "Done.");
    }
}

#[tokio::test]
async fn a_conversation_goes_on_in_its_context() {
    let peer = Peer::new(|call| call.stream(&[task(WORKING), chunk("ok", false), ended(COMPLETED)])).await;
    let agent = peer.agent().await;
    let first = prompt(&agent, PromptRequest::new("one").keep_conversation()).await.response();
    let request = PromptRequest::new("two").continue_from(first.continuation.unwrap());
    assert!(prompt(&agent, request).await.response().continuation.is_none());
    prompt(&agent, "three").await.response();
    let contexts: Vec<_> = peer.calls().iter().map(|it| it.json()["params"]["message"]["contextId"].clone()).collect();
    assert_eq!(contexts, [Value::Null, json!("c1"), Value::Null]);
}
