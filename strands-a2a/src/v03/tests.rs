//! Both edges, compared with the compatibility layer of `a2a-sdk` 1.x on messages of two servers; `.ci/a2a/v03_pairs.py` writes the file.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use a2a::{
    AgentCard, CancelTaskRequest, DeleteTaskPushNotificationConfigRequest, GetTaskPushNotificationConfigRequest,
    GetTaskRequest, ListTaskPushNotificationConfigsRequest, ListTaskPushNotificationConfigsResponse,
    SendMessageRequest, SendMessageResponse, StreamResponse, SubscribeToTaskRequest, Task, TaskPushNotificationConfig,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client_edge::{card_to_v1, event_to_v1, send_params_to_v03, task_to_v1};
use super::server_edge::{add_v03_to_card, error_to_v03, event_to_v03, params_to_v1, result_to_v03};
use super::{METHODS, Method, TranslationError};

#[derive(Deserialize)]
struct Pair {
    kind: String,
    method: Option<String>,
    v03: Value,
    v1: Value,
    v03_of_v1: Option<Value>,
}

fn pairs(kind: &str) -> Vec<Pair> {
    let pairs: Vec<Pair> = serde_json::from_str(include_str!("../../tests/v03_pairs.json")).unwrap();
    let found: Vec<_> = pairs.into_iter().filter(|pair| pair.kind == kind).collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

fn method(name: &str) -> Method {
    Method::from_v03(name).unwrap()
}

/// The JSON without fields that mean the same when they are left out, and with whole numbers, which a `Struct` of protobuf does not have.
fn plain(value: Value) -> Value {
    let is_default =
        |value: &Value| matches!(value, Value::Null | Value::Bool(false)) || *value == json!([]) || *value == json!({});
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, plain(value)))
            .filter(|(_, value)| !is_default(value))
            .collect(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 => json!(float as i64),
            _ => number.into(),
        },
        other => other,
    }
}

/// Compares two messages of 1.0 as the type that the official SDK reads.
#[track_caller]
fn assert_same<T: DeserializeOwned + PartialEq + std::fmt::Debug>(ours: Value, theirs: Value) {
    let read = |value| serde_json::from_value::<T>(plain(value)).unwrap();
    assert_eq!(read(ours), read(theirs));
}

/// Asserts that an object has the fields of another one.
#[track_caller]
fn assert_contains(whole: &Value, part: &Value, path: &str) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                assert_contains(whole.get(name).unwrap_or(&Value::Null), value, &format!("{path}.{name}"));
            }
        }
        (Value::Array(whole), Value::Array(part)) => {
            assert_eq!(whole.len(), part.len(), "{path}");
            for (whole, part) in whole.iter().zip(part) {
                assert_contains(whole, part, path);
            }
        }
        _ => assert_eq!(whole, part, "{path}"),
    }
}

#[test]
fn has_the_names_of_all_methods() {
    for (method, v03, v1) in METHODS {
        assert_eq!(Method::from_v03(v03), Some(*method));
        assert_eq!((method.v03(), method.v1()), (*v03, *v1));
    }
    assert_eq!(METHODS.len(), 10);
    assert_eq!(Method::from_v03("SendMessage"), None);
}

#[test]
fn reads_parameters_of_clients() {
    for Pair { method: name, v03, v1, .. } in pairs("params") {
        let method = method(&name.unwrap());
        let ours = params_to_v1(method, v03.clone()).unwrap();
        match method {
            Method::SendMessage | Method::SendStreamingMessage => assert_same::<SendMessageRequest>(ours, v1),
            Method::GetTask => assert_same::<GetTaskRequest>(ours, v1),
            Method::CancelTask => assert_same::<CancelTaskRequest>(ours, v1),
            Method::SubscribeToTask => assert_same::<SubscribeToTaskRequest>(ours, v1),
            Method::CreatePushConfig => assert_same::<TaskPushNotificationConfig>(ours, v1),
            Method::GetPushConfig if v03.get("pushNotificationConfigId").is_none() => {
                assert_eq!(ours, json!({"taskId": "t1", "id": ""}));
            }
            Method::GetPushConfig => assert_same::<GetTaskPushNotificationConfigRequest>(ours, v1),
            Method::ListPushConfigs => assert_same::<ListTaskPushNotificationConfigsRequest>(ours, v1),
            Method::DeletePushConfig => assert_same::<DeleteTaskPushNotificationConfigRequest>(ours, v1),
            Method::GetExtendedCard => panic!("has no parameters"),
        }
    }
    assert_eq!(params_to_v1(Method::GetExtendedCard, Value::Null).unwrap(), json!({}));
}

#[test]
fn writes_parameters_for_servers() {
    for Pair { method, v03, v1, .. } in pairs("params") {
        if !method.unwrap().starts_with("message/") {
            continue;
        }
        let ours = send_params_to_v03(v1).unwrap();
        let mut expected = plain(v03);
        if let Some(configuration) = expected.get_mut("configuration").and_then(Value::as_object_mut) {
            // A length of zero is no limit in 0.3.
            configuration.retain(|name, value| name != "historyLength" || *value != json!(0));
            configuration.remove("pushNotificationConfig");
        }
        let mut ours = plain(ours);
        if let Some(configuration) = ours.get_mut("configuration").and_then(Value::as_object_mut) {
            // Clients here have no push notifications.
            configuration.remove("taskPushNotificationConfig");
        }
        assert_eq!(ours, expected);
    }
}

#[test]
fn reads_events_of_servers() {
    for Pair { v03, v1, .. } in pairs("event") {
        if v03["status"]["state"] == "unknown" {
            assert_eq!(event_to_v1(v03).unwrap()["statusUpdate"]["status"]["state"], "TASK_STATE_UNSPECIFIED");
            continue;
        }
        assert_same::<StreamResponse>(event_to_v1(v03.clone()).unwrap(), v1.clone());
        let mut without_kind = v03;
        without_kind.as_object_mut().unwrap().remove("kind");
        assert_same::<StreamResponse>(event_to_v1(without_kind).unwrap(), v1);
    }
}

#[test]
fn writes_events_for_clients() {
    for Pair { v1, v03_of_v1, .. } in pairs("event") {
        let ours = event_to_v03(v1).unwrap();
        let mut expected = plain(v03_of_v1.unwrap());
        if expected["kind"] == "status-update" {
            assert!(ours["final"].is_boolean());
            // The stream of a task ends when it waits for input, and servers of 0.3 say so; a2a-sdk does not.
            if ["input-required", "auth-required"].contains(&expected["status"]["state"].as_str().unwrap()) {
                expected["final"] = true.into();
            }
        }
        assert_eq!(plain(ours), expected);
    }
}

#[test]
fn translates_results() {
    for Pair { method: name, v03, v1, v03_of_v1, .. } in pairs("result") {
        let method = method(&name.unwrap());
        match method {
            Method::SendMessage => {
                assert_same::<SendMessageResponse>(event_to_v1(v03).unwrap(), v1.clone());
            }
            Method::GetTask | Method::CancelTask => assert_same::<Task>(task_to_v1(v03).unwrap(), v1.clone()),
            Method::ListPushConfigs => {
                serde_json::from_value::<ListTaskPushNotificationConfigsResponse>(v1.clone()).unwrap();
            }
            _ => {}
        }
        assert_eq!(plain(result_to_v03(method, v1).unwrap()), plain(v03_of_v1.unwrap()), "{method:?}");
    }
    assert_eq!(result_to_v03(Method::DeletePushConfig, json!({})).unwrap(), Value::Null);
}

#[test]
fn reads_cards_of_servers() {
    for Pair { v03, v1, .. } in pairs("card") {
        let ours = card_to_v1(v03).unwrap();
        let endpoints = |card: &Value| -> Vec<_> {
            let interfaces = card["supportedInterfaces"].as_array().unwrap().iter();
            interfaces.map(|interface| (interface["url"].clone(), interface["protocolBinding"].clone())).collect()
        };
        assert_eq!(endpoints(&ours), endpoints(&v1));
        assert_eq!(ours["supportedInterfaces"][0]["protocolVersion"], "0.3.0");
    }
    // As it is, with the fields of 0.3 beside those of 1.0.
    let card = json!({"name": "a", "url": "http://a/old", "supportedInterfaces": [{"url": "http://a/new"}]});
    assert_eq!(card_to_v1(card.clone()).unwrap(), card);
    assert_eq!(card_to_v1(json!({"name": "a"})).unwrap_err(), TranslationError::NoEndpoint);
}

#[test]
fn one_card_is_for_clients_of_both_versions() {
    for Pair { mut v03, mut v1, .. } in pairs("card") {
        for skill in v1["skills"].as_array_mut().unwrap() {
            // Protobuf leaves an empty list out, which the official SDK for Rust does not.
            skill.as_object_mut().unwrap().entry("tags").or_insert_with(|| json!([]));
        }
        let mut both = v1.clone();
        add_v03_to_card(&mut both).unwrap();
        // Version 0.3 is spoken over JSON-RPC alone.
        v03.as_object_mut().unwrap().remove("additionalInterfaces");
        assert_contains(&plain(both.clone()), &plain(v03), "card");
        let read = |card| serde_json::from_value::<AgentCard>(card).unwrap();
        assert_eq!(read(both), read(v1));
    }
}

#[test]
fn the_endpoint_for_old_clients_is_the_one_that_speaks_their_version() {
    let card = |interfaces: Value| json!({"supportedInterfaces": interfaces, "capabilities": {}});
    let new = json!({"url": "http://a/1", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"});
    let old = json!({"url": "http://a/03", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"});
    let rest = json!({"url": "http://a/rest", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"});
    for (interfaces, expected) in [(json!([rest, new, old]), "http://a/03"), (json!([rest, new]), "http://a/1")] {
        let mut card = card(interfaces);
        add_v03_to_card(&mut card).unwrap();
        assert_eq!(card["url"], expected);
        assert_eq!(card["protocolVersion"], "0.3.0");
    }
    assert_eq!(add_v03_to_card(&mut card(json!([rest]))), Err(TranslationError::NoEndpoint));
}

#[test]
fn times_without_a_zone_are_in_utc_and_other_texts_are_no_times() {
    let status = |time| json!({"kind": "status-update", "taskId": "t", "contextId": "c", "status": {"state": "working", "timestamp": time}});
    for (time, expected) in [
        (json!("2026-11-30T10:00:00.5"), json!("2026-11-30T10:00:00.500+00:00")),
        (json!("2026-11-30T10:00:00+02:00"), json!("2026-11-30T10:00:00+02:00")),
        (json!("yesterday"), Value::Null),
        (json!(5), Value::Null),
    ] {
        let event = event_to_v1(status(time)).unwrap();
        assert_eq!(event["statusUpdate"]["status"].get("timestamp").unwrap_or(&Value::Null), &expected);
    }
}

#[test]
fn errors_that_are_new_are_internal_errors() {
    for (code, expected) in [(-32001, -32001), (-32007, -32007), (-32008, -32603), (-32009, -32603), (-32700, -32700)] {
        assert_eq!(error_to_v03(json!({"code": code, "message": "m"})), json!({"code": expected, "message": "m"}));
    }
}

#[test]
fn rejects_what_has_another_form() {
    for params in [
        json!([]),
        json!({"message": "hi"}),
        json!({"message": {"parts": []}}),
        json!({"message": {"role": "system", "parts": []}}),
        json!({"message": {"role": "user", "parts": "hi"}}),
        json!({"message": {"role": "user", "parts": ["hi"]}}),
        json!({"message": {"role": "user", "parts": [{"kind": "text"}]}}),
        json!({"message": {"role": "user", "parts": [{"kind": "file", "file": "a"}]}}),
        json!({"message": {"role": "user", "parts": [{"kind": "file", "file": {"name": "a"}}]}}),
    ] {
        params_to_v1(Method::SendMessage, params.clone()).expect_err(&params.to_string());
    }
    for event in [
        json!("text"),
        json!({"kind": "other"}),
        json!({"kind": "task", "status": {}}),
        json!({"kind": "task", "status": "working"}),
        json!({"kind": "artifact-update", "artifact": []}),
    ] {
        event_to_v1(event.clone()).expect_err(&event.to_string());
    }
}

#[test]
fn the_kind_of_a_part_of_a_client_is_that_of_its_content() {
    let params = |part: Value| json!({"message": {"role": "user", "parts": [part]}});
    for part in [
        json!({"kind": "text", "data": {"a": 1}}),
        json!({"kind": "data", "text": "hi"}),
        json!({"kind": "image", "text": "hi"}),
        json!({"kind": 1, "text": "hi"}),
        json!({"kind": null, "text": "hi"}),
        json!({"text": "hi"}),
    ] {
        params_to_v1(Method::SendMessage, params(part.clone())).expect_err(&part.to_string());
        // Servers that mix them up are understood.
        let message = json!({"kind": "message", "messageId": "m", "role": "agent", "parts": [part]});
        event_to_v1(message).unwrap();
    }
}
