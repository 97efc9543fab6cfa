//! The document of all operations.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use strands_core::AgentEvent;

use super::operation::{Content, MakeSchema, Operation, Response};
use crate::http::Problem;
use crate::http::problem::PROBLEM_JSON;

/// Description of streams.
const EVENTS: &str = "Server-sent events. The `data` of an event is the JSON of an `AgentEvent`, and its `id` is \
                      `<run>:<number>`: send the last one as `Last-Event-ID` to continue. An event of the type `failure` has a \
                      `Problem` and ends the stream. Comments keep the connection open.";

/// Returns the OpenAPI 3.1 document.
pub(crate) fn document(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| {
        it.definitions_path = "/components/schemas".into();
        it.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    // Streams have them, but no response as a whole.
    let _ = generator.subschema_for::<AgentEvent>();
    let _ = generator.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(operation.method.to_owned(), describe(operation, &mut generator));
        }
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "strands-serve",
            "description": "Prompts, runs, sessions and approvals of an agent.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "A token of the identity provider. A server in development mode needs none.",
            }},
        },
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut described = object([("operationId", operation.id.into()), ("summary", operation.summary.into())]);
    let mut set = |name: &str, value: Value| drop(described.insert(name.to_owned(), value));
    if let Some(description) = operation.description {
        set("description", description.into());
    }
    if operation.is_public {
        set("security", json!([]));
    }
    let parameters = parameters(operation, generator);
    if !parameters.is_empty() {
        set("parameters", parameters.into());
    }
    if let Some(body) = operation.body {
        let schema = body(generator);
        set("requestBody", json!({"required": true, "content": {"application/json": {"schema": schema}}}));
    }
    let problem = |description: &str| json!({"description": description, "content": problem_content()});
    let responses = operation.responses.iter();
    let mut responses: Map<String, Value> =
        responses.map(|response| (response.status.as_str().to_owned(), respond(response, generator))).collect();
    if !operation.is_public {
        responses.insert("401".to_owned(), problem("The bearer token is missing or invalid."));
    }
    responses.insert("default".to_owned(), problem("A problem."));
    set("responses", responses.into());
    described.into()
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn respond(response: &Response, generator: &mut SchemaGenerator) -> Value {
    let json_of = |make: MakeSchema, generator: &mut SchemaGenerator| json!({"schema": make(generator)});
    let events = || json!({"schema": {"type": "string", "description": EVENTS}});
    let content = match response.content {
        Content::Nothing => None,
        Content::Text => Some(json!({"text/plain": {"schema": {"type": "string"}}})),
        Content::Json(make) => Some(json!({"application/json": json_of(make, generator)})),
        Content::Events => Some(json!({"text/event-stream": events()})),
        Content::JsonOrEvents(make) => {
            Some(json!({"application/json": json_of(make, generator), "text/event-stream": events()}))
        }
        Content::Problem => Some(problem_content()),
    };
    let mut described = object([("description", response.description.into())]);
    if let Some(content) = content {
        described.insert("content".to_owned(), content);
    }
    described.into()
}

fn problem_content() -> Value {
    json!({PROBLEM_JSON: {"schema": {"$ref": format!("#/components/schemas/{}", Problem::schema_name())}}})
}

/// Returns the parameters in the path, in the query, and in headers.
fn parameters(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters = Vec::new();
    for segment in operation.path.split('/') {
        if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
        }
    }
    if let Some(make) = operation.query {
        let query = make(generator);
        let properties = query.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            let mut schema = schema.clone();
            let description = schema.as_object_mut().and_then(|schema| schema.shift_remove("description"));
            parameters.push(json!({"name": name, "in": "query", "description": description, "schema": schema}));
        }
    }
    if operation.reads_last_event_id {
        parameters.push(json!({
            "name": "Last-Event-ID",
            "in": "header",
            "description": "Id of the last event that the client has read.",
            "schema": {"type": "string"},
        }));
    }
    parameters
}
