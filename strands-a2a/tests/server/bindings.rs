//! JSON-RPC and HTTP+JSON, in both protocol versions.

use serde_json::{Value, json};
use strands::a2a::axum::body::Body;
use strands::a2a::axum::http::{Method, StatusCode};
use strands::a2a::{A2aLimits, A2aServer};
use strands::testing::{ScriptedModel, ScriptedTurn};

use crate::client::{Client, Events, URL, agent, json_of, message, parts_of, reason, server, short, state_of};

fn echo() -> ScriptedModel {
    ScriptedModel::from_fn(|request| {
        let last = request.messages.last().map(|message| message.text()).unwrap_or_default();
        ScriptedTurn::text(format!("you said: {last}"))
    })
}

fn client() -> Client {
    Client::of(&server(agent(echo())))
}

#[tokio::test]
async fn a_message_gets_its_task_over_both_bindings() {
    let client = client();
    let params = message(json!([{"text": "hi"}]), json!({}));
    let over_json_rpc = client.call("SendMessage", params.clone()).await.unwrap();
    let (status, over_http) = client.http(Method::POST, "/message:send", params).await;
    assert_eq!(status, StatusCode::OK);
    for response in [over_json_rpc, over_http] {
        let task = &response["task"];
        assert_eq!(state_of(task), "completed");
        assert_eq!(parts_of(task), &json!([{"text": "you said: hi"}]));
        assert_eq!(task["artifacts"][0]["name"], "agent_response");
        assert_eq!(task["history"][0]["parts"], json!([{"text": "hi"}]));
        assert_eq!(task["history"][0]["taskId"], task["id"]);
        assert!(task["status"]["timestamp"].as_str().unwrap().ends_with('Z'));
        let (status, got) =
            client.http(Method::GET, &format!("/tasks/{}", task["id"].as_str().unwrap()), Value::Null).await;
        assert_eq!((status, &got), (StatusCode::OK, task));
    }
}

#[tokio::test]
async fn a_client_of_0_3_is_served_at_the_same_url() {
    for client in [client().version("0.3"), client().version("")] {
        let message = json!({"message": {
            "kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hi"}],
        }});
        let task = client.call("message/send", message.clone()).await.unwrap();
        assert_eq!((&task["kind"], &task["status"]["state"]), (&json!("task"), &json!("completed")));
        assert_eq!(task["artifacts"][0]["parts"], json!([{"kind": "text", "text": "you said: hi"}]));
        assert_eq!(task["history"][0]["role"], "user");
        assert_eq!(client.call("tasks/get", json!({"id": task["id"]})).await.unwrap(), task);

        let mut events = client.stream("message/stream", message).await;
        let events = events.rest().await;
        let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        let artifact = "artifact-update";
        assert_eq!(kinds, ["task", "status-update", artifact, artifact, artifact, artifact, "status-update"]);
        assert_eq!(events.last().unwrap()["final"], true);

        // Its clients read errors of streams from a stream.
        let mut events = client.stream("tasks/resubscribe", json!({"id": "nope"})).await;
        assert_eq!(events.data().await.unwrap()["error"]["code"], -32001);
        assert_eq!(client.call("tasks/get", json!({"id": "nope"})).await.unwrap_err()["code"], -32001);
        assert_eq!(client.call("SendMessage", json!({})).await.unwrap_err()["code"], -32601);
    }
}

#[tokio::test]
async fn a_name_of_1_0_can_stand_for_its_version() {
    let server = A2aServer::builder(agent(echo()), URL).version_of_method().build().unwrap();
    let client = Client::of(&server).version("");
    let params = message(json!([{"text": "hi"}]), json!({}));
    let task = client.call("SendMessage", params.clone()).await.unwrap()["task"].take();
    assert_eq!(state_of(&task), "completed");
    let events = client.stream("SendStreamingMessage", params.clone()).await.rest().await;
    assert_eq!(state_of(&events.last().unwrap()["statusUpdate"]), "completed");
    assert_eq!(client.call("GetTask", json!({"id": task["id"]})).await.unwrap(), task);
    // Names of 0.3 are of 0.3 as before, and a version in the header counts.
    let of_v03 = client.call("tasks/get", json!({"id": task["id"]})).await.unwrap();
    assert_eq!(of_v03["status"]["state"], "completed");
    assert_eq!(client.version("0.3").call("SendMessage", params.clone()).await.unwrap_err()["code"], -32601);
    // Other servers keep to the specification.
    let strict = self::client().version("");
    assert_eq!(strict.call("SendMessage", params).await.unwrap_err()["code"], -32601);
}

#[tokio::test]
async fn an_empty_id_is_none() {
    let client = client();
    let params = message(json!([{"text": "hi"}]), json!({"taskId": "", "contextId": ""}));
    let over_json_rpc = client.call("SendMessage", params.clone()).await.unwrap();
    let (status, over_http) = client.http(Method::POST, "/message:send", params).await;
    assert_eq!(status, StatusCode::OK);
    let contexts = [over_json_rpc, over_http].map(|response| response["task"]["contextId"].clone());
    assert!(contexts.iter().all(|context| context.as_str().is_some_and(|id| !id.is_empty())));
    assert_ne!(contexts[0], contexts[1]);
}

#[tokio::test]
async fn a_server_can_refuse_0_3() {
    let server = A2aServer::builder(agent(echo()), URL).without_v03().build().unwrap();
    let client = Client::of(&server).version("0.3");
    assert_eq!(reason(&client.call("message/send", json!({})).await.unwrap_err()), "VERSION_NOT_SUPPORTED");
}

#[tokio::test]
async fn errors_have_the_codes_of_the_specification() {
    let client = client();
    let task = client.send("hi").await;
    let terminal = message(json!([{"text": "more"}]), json!({"taskId": task["id"]}));
    let unknown = message(json!([{"text": "more"}]), json!({"taskId": "8e5eb1d2-7ee0-4c2b-9c9d-8d1f4dc1f4a0"}));
    let id = task["id"].as_str().unwrap();
    let cases = [
        ("GetTask", json!({"id": "nope"}), Method::GET, "/tasks/nope", -32001, 404),
        ("CancelTask", json!({"id": id}), Method::POST, &format!("/tasks/{id}:cancel"), -32002, 409),
        (
            "ListTaskPushNotificationConfigs",
            json!({"taskId": id}),
            Method::GET,
            &format!("/tasks/{id}/pushNotificationConfigs"),
            -32003,
            400,
        ),
        ("SubscribeToTask", json!({"id": id}), Method::POST, &format!("/tasks/{id}:subscribe"), -32004, 400),
        ("SendMessage", terminal, Method::POST, "/message:send", -32004, 400),
        ("SendStreamingMessage", unknown, Method::POST, "/message:stream", -32001, 404),
        ("GetExtendedAgentCard", json!({}), Method::GET, "/extendedAgentCard", -32004, 400),
        ("SendMessage", json!({"message": 1}), Method::POST, "/message:send", -32602, 400),
        ("SendMessage", message(json!([]), json!({})), Method::POST, "/message:send", -32602, 400),
        (
            "SendMessage",
            message(json!([{"text": "a"}]), json!({"role": "ROLE_AGENT"})),
            Method::POST,
            "/message:send",
            -32602,
            400,
        ),
        (
            "SendMessage",
            message(json!([{"text": "a"}]), json!({"messageId": ""})),
            Method::POST,
            "/message:send",
            -32602,
            400,
        ),
        (
            "SendMessage",
            message(json!([{"text": "a"}]), json!({"contextId": "a\nb"})),
            Method::POST,
            "/message:send",
            -32602,
            400,
        ),
        (
            "SendMessage",
            message(json!([{"raw": "", "mediaType": "application/x-unknown"}]), json!({})),
            Method::POST,
            "/message:send",
            -32005,
            415,
        ),
    ];
    for (method, params, verb, path, code, status) in cases {
        let error = client.call(method, params.clone()).await.unwrap_err();
        assert_eq!(error["code"], code, "{method} {error}");
        let body = if verb == Method::POST { params } else { Value::Null };
        let (found, http) = client.http(verb, path, body).await;
        assert_eq!((found.as_u16(), &http["error"]["code"]), (status, &json!(status)), "{method} {http}");
        assert_eq!(http["error"]["message"], error["message"]);
        assert_eq!(reason(&http), reason(&error));
        assert_eq!(http["error"]["details"][0]["domain"], "a2a-protocol.org");
    }
    assert_eq!(client.call("Unknown", json!({})).await.unwrap_err()["code"], -32601);
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_errors_of_json_rpc() {
    let client = client();
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{}1{}}}"#,
        r#"{"a":"#.repeat(101),
        "}".repeat(101)
    );
    let long_id = json!({"jsonrpc": "2.0", "id": "x".repeat(257), "method": "GetTask"}).to_string();
    for (body, code, id) in [
        (long_id.as_str(), -32600, Value::Null),
        ("{", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"{"jsonrpc":"1.0","id":"x","method":"GetTask"}"#, -32600, json!("x")),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"GetTask"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":[1]}"#, -32602, json!(1)),
        (r#"{"jsonrpc":"2.0","method":"GetTask","params":{"id":"x"}}"#, -32001, Value::Null),
        (&deep, -32600, Value::Null),
    ] {
        let response = client.raw(Method::POST, "/", "application/json", body.to_owned()).await;
        assert_eq!(response.status(), StatusCode::OK, "{body}");
        let response = json_of(response).await;
        assert_eq!((&response["error"]["code"], &response["id"]), (&json!(code), &id), "{body} {response}");
    }
    let (status, _) = client.http(Method::POST, "/message:send", json!([1])).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn other_content_types_are_rejected_so_that_pages_of_other_origins_cannot_send_requests() {
    let client = client();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message(json!([{"text": "a"}]), json!({}))});
    let response = json_of(client.raw(Method::POST, "/", "text/plain", body.to_string()).await).await;
    assert_eq!(response["error"]["code"], -32005);
    let response = client.raw(Method::POST, "/message:send", "text/plain", body.to_string()).await;
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let response = client.raw(
        Method::POST,
        "/message:send",
        "application/a2a+json; charset=utf-8",
        message(json!([{"text": "a"}]), json!({})).to_string(),
    );
    assert_eq!(response.await.status(), StatusCode::OK);
}

#[tokio::test]
async fn large_bodies_are_rejected() {
    let server = A2aServer::builder(agent(echo()), URL).limits(A2aLimits::new().body_bytes(1_000)).build().unwrap();
    let client = Client::of(&server);
    let body = message(json!([{"text": "a".repeat(1_000)}]), json!({})).to_string();
    for path in ["/", "/message:send"] {
        let response = client.raw(Method::POST, path, "application/json", body.clone()).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(json_of(response).await["error"].is_object());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_an_error() {
    let endless = Body::from_stream(futures_util::stream::pending::<Result<&str, std::io::Error>>());
    let response = client().raw(Method::POST, "/message:send", "application/json", endless).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn names_of_the_protocols_definition_are_accepted() {
    let client = client();
    let message =
        json!({"message": {"message_id": "m", "role": "ROLE_USER", "context_id": "c1", "parts": [{"text": "hi"}]}});
    let task = client.call("SendMessage", message).await.unwrap()["task"].take();
    assert_eq!(task["contextId"], "c1");
    let got = client.call("GetTask", json!({"id": task["id"], "history_length": 0})).await.unwrap();
    assert_eq!(got.get("history"), None);
}

#[tokio::test]
async fn streams_over_http_have_events_without_an_envelope() {
    let client = client();
    let body = message(json!([{"text": "hi"}]), json!({})).to_string();
    let mut events = Events::of(client.raw(Method::POST, "/message:stream", "application/json", body).await);
    let mut all = Vec::new();
    while let Some(event) = events.data().await {
        all.push(short(&event));
    }
    assert_eq!(all, ["task submitted", "working", "=you ", "+said: ", "+hi", "=you said: hi.", "completed"]);
}

#[tokio::test]
async fn the_version_can_be_in_the_query() {
    let client = client().version("");
    let (status, error) = client.http(Method::GET, "/tasks", Value::Null).await;
    assert_eq!((status, reason(&error)), (StatusCode::BAD_REQUEST, "VERSION_NOT_SUPPORTED"));
    let (status, _) = client.http(Method::GET, "/tasks?A2A-Version=1.0", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let error = client.version("2.0").call("GetTask", json!({"id": "x"})).await.unwrap_err();
    assert_eq!((&error["code"], reason(&error)), (&json!(-32009), "VERSION_NOT_SUPPORTED"));
}
