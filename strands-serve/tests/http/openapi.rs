//! `GET /openapi.json`: the description has all routes, and its references resolve.

use serde_json::Value;

use crate::support::{get, request, rig};

async fn document() -> Value {
    let reply = rig().send(get("/openapi.json")).await;
    assert_eq!(reply.header("content-type"), "application/json");
    reply.ok()
}

#[tokio::test]
async fn describes_the_routes_that_exist() {
    let (document, rig) = (document().await, rig());
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 12);
    let mut ids = Vec::new();
    for (path, operations) in paths {
        let concrete = path.replace("{id}", "x");
        let allowed = rig.send(request("PUT", &concrete).user("alice")).await;
        assert_eq!(allowed.status, 405, "{path}");
        let mut allowed: Vec<String> = allowed.header("allow").split(',').map(str::to_lowercase).collect();
        allowed.retain(|method| method != "head");
        allowed.sort();
        let mut described: Vec<String> = operations.as_object().unwrap().keys().cloned().collect();
        described.sort();
        assert_eq!(described, allowed, "{path}");
        for operation in operations.as_object().unwrap().values() {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            assert!(!operation["summary"].as_str().unwrap().is_empty());
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
            assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem");
            let is_public = operation["security"].as_array().is_some_and(Vec::is_empty);
            let status = rig.send(request("GET", &concrete)).await.status.as_u16();
            assert!(!is_public || status == 200, "{path}: {status}");
        }
    }
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), count), (14, 14));
}

#[tokio::test]
async fn references_resolve() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a reference within the document");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|value| check(document, value));
            }
            Value::Array(values) => values.iter().for_each(|value| check(document, value)),
            _ => {}
        }
    }
    let document = document().await;
    check(&document, &document);
    for schema in ["AgentEvent", "Message", "PromptBody", "PromptResponse", "Problem", "SessionTranscript", "Approval"]
    {
        assert!(!document["components"]["schemas"][schema].is_null(), "{schema}");
    }
}
