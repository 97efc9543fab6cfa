//! Responses.

use serde_json::{Value, json};

use crate::rig::{MODEL, Rig};

#[tokio::test]
async fn responds_to_an_input() {
    let rig = Rig::new();
    let reply = rig.respond(json!("Hello to you"), json!({"metadata": {"trip": "7"}})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let json = reply.json();
    assert_eq!(
        (&json["object"], &json["status"], &json["model"]),
        (&json!("response"), &json!("completed"), &json!(MODEL))
    );
    assert_eq!((&json["store"], &json["metadata"]), (&json!(true), &json!({"trip": "7"})));
    assert_eq!(json["output"].as_array().unwrap().len(), 1);
    let item = &json["output"][0];
    assert_eq!(
        (&item["type"], &item["role"], &item["status"]),
        (&json!("message"), &json!("assistant"), &json!("completed"))
    );
    assert_eq!(item["content"][0]["text"], "You said: Hello to you");
    assert_eq!(
        json["usage"],
        json!({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0}})
    );
}

#[tokio::test]
async fn streams_typed_events_in_order() {
    let rig = Rig::new();
    let reply = rig.respond(json!("Hello"), json!({"stream": true})).await;
    let events = reply.events();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds, expected);
    let named: Vec<_> = reply.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(named, expected);
    assert!(events.iter().enumerate().all(|(at, event)| event["sequence_number"] == at));

    let done = &events[10]["response"];
    assert_eq!(done["id"], events[0]["response"]["id"]);
    assert_eq!((&events[0]["response"]["status"], &done["status"]), (&json!("in_progress"), &json!("completed")));
    assert_eq!(done["output"][0], events[9]["item"]);
    assert_eq!(done["output"][0]["content"][0], events[8]["part"]);
    assert_eq!(events[7]["text"], "You said: Hello");
    let id = &done["output"][0]["id"];
    assert!(events[3..9].iter().all(|event| event["item_id"] == *id && event["output_index"] == 0));
    assert_eq!(done["usage"]["total_tokens"], 15);
}

#[tokio::test]
async fn ends_name_their_reasons() {
    let rig = Rig::new();
    for stream in [false, true] {
        let last = |reply: crate::rig::Reply| match stream {
            true => reply.events().pop().unwrap(),
            false => json!({"type": "", "response": reply.json()}),
        };
        let event = last(rig.respond(json!("too long"), json!({"stream": stream})).await);
        let response = &event["response"];
        assert_eq!((&response["status"], &response["stop_reason"]), (&json!("incomplete"), &json!("max_tokens")));
        assert_eq!(response["incomplete_details"], json!({"reason": "max_output_tokens"}));
        assert!(!stream || event["type"] == "response.incomplete");
    }
    let events = rig.respond(json!("break"), json!({"stream": true})).await.events();
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(last["response"]["error"]["code"], "server_error");
    rig.respond(json!("fail"), json!({})).await.assert_error(502, None, "model_failed");
}

#[tokio::test]
async fn a_response_continues_the_one_before() {
    let rig = Rig::new();
    let first = rig.respond(json!("one"), json!({})).await;
    let id = first.json()["id"].clone();
    let second = rig.respond(json!("two"), json!({"previous_response_id": id, "stream": true})).await;
    let done = second.events().pop().unwrap()["response"].clone();
    assert_eq!(done["previous_response_id"], id);
    assert_eq!(second.session_id(), first.session_id());
    let texts: Vec<_> = rig.seen().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one", "You said: one", "two"]);

    // Sessions don't branch.
    let older = rig.respond(json!("three"), json!({"previous_response_id": id})).await;
    older.assert_error(400, Some("previous_response_id"), "previous_response_not_found");
    let third = rig.respond(json!("three"), json!({"previous_response_id": done["id"]})).await;
    assert_eq!(third.status, 200, "{}", third.text);
    assert_eq!(rig.seen().len(), 5);
    assert_eq!(rig.sessions().await.len(), 1);
}

#[tokio::test]
async fn no_response_of_another_user_is_continued() {
    let rig = Rig::new();
    let first = rig.respond(json!("my secret"), json!({})).await;
    let requests = rig.model.requests().len();
    let ids = [
        first.json()["id"].clone(),
        json!("resp_"),
        json!("resp_0123"),
        json!("resp_0123456789abcdef0123456789abcdef"),
        json!("resp_0123456789abcdef0123456789abcdef/../session_for_user_alice"),
        json!(first.session_id()),
        json!("ü".repeat(30)),
        json!(""),
    ];
    for id in ids {
        let body = json!({"model": MODEL, "input": "and?", "previous_response_id": id});
        let reply = rig.post("/v1/responses", "bob", &body).await;
        reply.assert_error(400, Some("previous_response_id"), "previous_response_not_found");
    }
    assert_eq!(rig.model.requests().len(), requests, "no model was called");
    assert_eq!(rig.sessions().await.len(), 1, "no session was created");
}

#[tokio::test]
async fn a_response_that_is_not_stored_can_not_be_continued() {
    let rig = Rig::new();
    let reply = rig.respond(json!("one"), json!({"store": false})).await;
    assert_eq!(reply.json()["store"], false);
    assert!(!reply.headers.contains_key("x-session-id"));
    assert!(rig.sessions().await.is_empty());
    let next = rig.respond(json!("two"), json!({"previous_response_id": reply.json()["id"]})).await;
    next.assert_error(400, Some("previous_response_id"), "previous_response_not_found");

    // The client resends the output items instead.
    let mut input = vec![json!({"type": "message", "role": "user", "content": "one"})];
    input.extend(reply.json()["output"].as_array().unwrap().clone());
    input.push(json!({"role": "user", "content": [{"type": "input_text", "text": "two"}]}));
    assert_eq!(rig.respond(json!(input), json!({"store": false})).await.status, 200);
    let seen = rig.seen();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].1.contains("You said: one"), "{seen:?}");
}

#[tokio::test]
async fn a_conversation_is_a_session() {
    let rig = Rig::new();
    for conversation in [json!("conv_1"), json!({"id": "conv_1"})] {
        let json = rig.respond(json!("Hi"), json!({"conversation": conversation, "store": false})).await.json();
        assert_eq!((&json["conversation"], &json["store"]), (&json!({"id": "conv_1"}), &json!(true)));
    }
    assert_eq!(rig.seen().len(), 3);
    let both = json!({"conversation": "conv_1", "previous_response_id": "resp_0123456789abcdef0123456789abcdef"});
    rig.respond(json!("Hi"), both).await.assert_error(400, Some("previous_response_id"), "invalid_session_id");
}

#[tokio::test]
async fn each_model_call_with_text_is_an_item() {
    let rig = Rig::new();
    let reply = rig.respond(json!("delete it"), json!({"stream": true})).await;
    let done = reply.events().pop().unwrap()["response"].clone();
    let texts: Vec<&Value> =
        done["output"].as_array().unwrap().iter().map(|item| &item["content"][0]["text"]).collect();
    assert_eq!(texts, ["This conversation is paused and continues after a decision about:\n- approval of `delete`"]);
    assert_eq!((&done["status"], &done["stop_reason"]), (&json!("completed"), &json!("interrupt")));
}
