//! Callers see their own tasks, contexts and configurations alone.

use serde_json::{Value, json};
use strands::a2a::axum::http::request::Parts;
use strands::a2a::axum::http::{Method, StatusCode};
use strands::a2a::{A2aContext, A2aServer, Caller, PushTargets};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{tool, tools};

use crate::client::{Client, URL, agent, message, parts_of, reason, with_users};
use crate::controlled::Controlled;

fn remembering() -> ScriptedModel {
    ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("{} messages", request.messages.len())))
}

#[tokio::test]
async fn requests_without_a_caller_are_refused_and_the_card_is_public() {
    let client = Client::of(&with_users(A2aServer::builder(agent(remembering()), URL).bearer_tokens()));
    for (method, path) in [(Method::POST, "/"), (Method::POST, "/message:send"), (Method::GET, "/tasks")] {
        let response = client.raw(method, path, "application/json", "{").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
    }
    let (status, card) = client.version("").http(Method::GET, "/.well-known/agent-card.json", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(card["securitySchemes"]["bearer"]["httpAuthSecurityScheme"]["scheme"], "Bearer");
    assert_eq!(card["securityRequirements"], json!([{"schemes": {"bearer": {}}}]));
    // For clients of 0.3.
    assert_eq!(
        (&card["security"], &card["securitySchemes"]["bearer"]["type"]),
        (&json!([{"bearer": []}]), &json!("http"))
    );
}

/// Guesses the ids of another caller, whose task is running, and of one whose task has ended.
#[tokio::test]
async fn ids_of_others_are_unknown_in_every_request() {
    let (controlled, prompts) = Controlled::new();
    let builder = A2aServer::builder(controlled, URL).push_notifications(PushTargets::public());
    let client = Client::of(&with_users(builder));
    let (alice, mallory) = (client.user("alice"), client.user("mallory"));
    let config = json!({"id": "c", "url": "https://example.com/", "token": "secret"});

    let running = alice.start("one").await;
    let prompt = prompts.next().await;
    let ended = alice.start("two").await;
    prompts.next().await.end("done");
    alice.until(&ended["id"], "completed").await;

    for task in [&running, &ended] {
        let id = task["id"].as_str().unwrap();
        let mut config = config.clone();
        config["taskId"] = json!(id);
        alice.call("CreateTaskPushNotificationConfig", config.clone()).await.unwrap();
        let follow_up = |context: Value| message(json!([{"text": "x"}]), json!({"taskId": id, "contextId": context}));
        for (method, params) in [
            ("GetTask", json!({"id": id})),
            ("CancelTask", json!({"id": id})),
            ("SubscribeToTask", json!({"id": id})),
            ("SendMessage", follow_up(Value::Null)),
            ("SendMessage", follow_up(task["contextId"].clone())),
            ("SendStreamingMessage", follow_up(Value::Null)),
            ("CreateTaskPushNotificationConfig", config.clone()),
            ("GetTaskPushNotificationConfig", json!({"taskId": id, "id": "c"})),
            ("ListTaskPushNotificationConfigs", json!({"taskId": id})),
            ("DeleteTaskPushNotificationConfig", json!({"taskId": id, "id": "c"})),
        ] {
            let error = mallory.call(method, params.clone()).await.unwrap_err();
            // The same as for an id that does not exist, to the letter.
            let none = "00000000-0000-4000-8000-000000000000";
            let params = serde_json::from_str(&params.to_string().replace(id, none)).unwrap();
            let expected = mallory.call(method, params).await.unwrap_err();
            assert_eq!(error["code"], -32001, "{method}");
            assert_eq!(error.to_string(), expected.to_string().replace(none, id), "{method}");
        }
        // Nothing has changed for its owner.
        let configs = alice.call("ListTaskPushNotificationConfigs", json!({"taskId": id})).await.unwrap();
        assert_eq!(configs["configs"].as_array().unwrap().len(), 1);
    }
    let list = |client: Client| async move { client.call("ListTasks", json!({})).await.unwrap() };
    assert_eq!(list(mallory.clone()).await["totalSize"], 0);
    assert_eq!(list(alice.clone()).await["totalSize"], 2);
    let listed = mallory.call("ListTasks", json!({"contextId": running["contextId"]})).await.unwrap();
    assert_eq!(listed["tasks"], json!([]));
    prompt.end("still running");
    alice.until(&running["id"], "completed").await;
}

#[tokio::test]
async fn the_same_context_id_of_two_callers_is_two_conversations() {
    let client = Client::of(&with_users(A2aServer::builder(agent(remembering()), URL)));
    let context = json!("shared");
    for expected in ["1 messages", "3 messages"] {
        for user in ["alice", "bob"] {
            let task = client.user(user).send_in(&context, "hi").await.unwrap();
            assert_eq!(parts_of(&task), &json!([{"text": expected}]), "{user}");
        }
    }
    // Nor is one caller's context busy for another, which would tell that it exists.
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&with_users(A2aServer::builder(controlled, URL)));
    let mut params = message(json!([{"text": "a"}]), json!({"contextId": "shared"}));
    params["configuration"] = json!({"returnImmediately": true});
    client.user("alice").call("SendMessage", params.clone()).await.unwrap();
    let prompt = prompts.next().await;
    client.user("mallory").call("SendMessage", params.clone()).await.unwrap();
    prompts.next().await.end("for mallory");
    assert_eq!(reason(&client.user("alice").call("SendMessage", params).await.unwrap_err()), "CONTEXT_BUSY");
    prompt.end("for alice");
}

#[derive(Clone)]
struct Account(String);

/// Tells who asks.
#[tool]
fn whoami(account: &Account, caller: &Caller, context: &A2aContext) -> String {
    format!("{} {:?} {} {}", account.0, caller.id(), context.caller().unwrap(), context.message_id())
}

#[tokio::test]
async fn tools_get_the_values_of_the_caller() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("whoami", json!({})), ScriptedTurn::text("done")]);
    let agent = agent(model.clone()).tools(tools![Whoami]).injected_per_prompt::<Account>();
    let agent = agent.injected_per_prompt::<Caller>().injected_per_prompt::<A2aContext>();
    let identify = |_: &Parts| Ok(Caller::new("alice").inject(Account("a-1".to_owned())));
    let server = A2aServer::builder(agent, URL).identify_caller(identify).build().unwrap();
    Client::of(&server).send("who am I?").await;
    let requests = model.requests();
    let result = requests[1].messages.last().unwrap();
    assert!(serde_json::to_string(result).unwrap().contains(r#"a-1 Some(\"alice\") alice m1"#), "{result:?}");
}
