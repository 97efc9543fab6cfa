//! Structured output of every kind of type over a provider, with a native schema or with a tool call.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here fails the calling test"
)]

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_core::{Agent, AgentEvent};

use super::{Provider, Tuned};
use crate::response::Response;
use crate::server::Server;

/// A provider with the request and response formats of structured output.
#[async_trait]
pub trait Structured: Provider {
    /// Returns a model that requests output according to a schema.
    async fn following(&self, server: &str) -> Arc<dyn Model> {
        self.model(server, Tuned::default()).await
    }

    /// Returns the schema in a request's body.
    fn schema(&self, body: &Value) -> Option<Value>;

    /// Returns a complete stream with a text in these deltas.
    fn says(&self, pieces: &[&str]) -> Bytes;

    /// Returns a complete stream that calls a tool with arguments in these deltas, or in one if the protocol does not
    /// stream arguments.
    fn calls(&self, tool: &str, pieces: &[&str]) -> Bytes;
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Color {
    Red,
    Green,
}

/// A booking.
#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Booking {
    Flight { number: u32 },
    Hotel { name: String, stars: Option<u8> },
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Stay {
    nights: Option<Option<u8>>,
    hotel: Option<Option<Vec<Option<Booking>>>>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Plan {
    city: String,
    then: Option<Box<Plan>>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Tree {
    Leaf(i32),
    Node(Vec<Tree>),
}

/// Requests an enum, a tagged enum, a list, a number, nested options and recursive types, from a server that supports
/// schemas and from one that rejects them.
pub async fn every_kind_of_output(provider: &'static dyn Structured) {
    for follows in [true, false] {
        let asking = Asking { provider, follows };
        asking.for_output(json!("green"), Color::Green).await;
        let hotel = Booking::Hotel { name: "Grand \"Süd\" 🍯".to_owned(), stars: None };
        asking.for_output(json!({"kind": "hotel", "name": "Grand \"Süd\" 🍯", "stars": null}), hotel).await;
        let list = json!([{"kind": "flight", "number": 7}, {"kind": "flight", "number": 8}]);
        asking.for_output(list, vec![Booking::Flight { number: 7 }, Booking::Flight { number: 8 }]).await;
        asking.for_output(json!(7), 7_u8).await;
        let stay = json!({"nights": null, "hotel": [null, {"kind": "flight", "number": 1}]});
        let hotel = Some(Some(vec![None, Some(Booking::Flight { number: 1 })]));
        asking.for_output(stay, Stay { nights: None, hotel }).await;
        asking.for_output(json!([null, 3]), Some(vec![None, Some(3_u8)])).await;
        let then = Some(Box::new(Plan { city: "Bergen".to_owned(), then: None }));
        let plan = json!({"city": "Oslo", "then": {"city": "Bergen", "then": null}});
        asking.for_output(plan, Plan { city: "Oslo".to_owned(), then }).await;
        let tree = Tree::Node(vec![Tree::Leaf(1), Tree::Node(vec![])]);
        asking.for_output(json!({"node": [{"leaf": 1}, {"node": []}]}), tree).await;
    }
}

#[derive(Clone, Copy)]
struct Asking {
    provider: &'static dyn Structured,
    /// The server supports schemas.
    follows: bool,
}

impl Asking {
    async fn for_output<T: DeserializeOwned + JsonSchema + PartialEq + Debug + 'static>(
        self,
        value: Value,
        expected: T,
    ) {
        let Self { provider, follows } = self;
        let name = format!("{}, {value}, follows schemas: {follows}", provider.name());
        let server = Server::handler(move |request| self.respond(&request.json(), &value)).await;
        let model = provider.following(&server.url()).await;
        let mut agent = Agent::builder().model(model).build().await.unwrap();
        let mut stream = agent.prompt("Go.").output::<T>().stream();
        let (mut partial, mut output) = (Vec::new(), None);
        while let Some(event) = stream.next().await {
            match event.unwrap_or_else(|error| panic!("{name}: {error:?}")) {
                AgentEvent::PartialOutput { value } => partial.push(value),
                AgentEvent::Result { response } => output = Some(response.into_output()),
                _ => {}
            }
        }
        let output = output.unwrap().unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(output, expected, "{name}");
        let last: T = serde_json::from_value(partial.pop().unwrap()).unwrap();
        assert_eq!(last, expected, "{name}");
        let schemas = server.requests().iter().filter(|request| provider.schema(&request.json()).is_some()).count();
        assert!(schemas <= 1, "{name}: a rejected schema was sent again");
    }

    fn respond(self, body: &Value, value: &Value) -> Response {
        let Self { provider, follows } = self;
        let (tool, schema) = match provider.schema(body) {
            Some(_) if !follows => {
                let refusals = provider.refusals().into_iter();
                let mut refusals =
                    refusals.filter(|refusal| refusal.kind == "invalid request" && refusal.status == 400);
                return refusals.next().unwrap().response();
            }
            Some(schema) => (None, schema),
            None => {
                let (tool, schema) = tool_in(body).unwrap_or_else(|| panic!("no schema and no tool in {body}"));
                (Some(tool), schema)
            }
        };
        let pieces = given(&schema, value);
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        provider.response(match tool {
            Some(tool) => provider.calls(&tool, &pieces),
            None => provider.says(&pieces),
        })
    }
}

/// Returns the tool in a request's body and its schema, in the format of any protocol.
fn tool_in(value: &Value) -> Option<(String, Value)> {
    match value {
        Value::Array(items) => items.iter().find_map(tool_in),
        Value::Object(fields) => {
            let names = ["parameters", "input_schema", "parametersJsonSchema", "inputSchema"];
            let schema = names.iter().find_map(|name| fields.get(*name));
            match (fields.get("name").and_then(Value::as_str), schema) {
                (Some(name), Some(schema)) => Some((name.to_owned(), schema.get("json").unwrap_or(schema).clone())),
                _ => fields.values().find_map(tool_in),
            }
        }
        _ => None,
    }
}

/// Serializes the value as the schema requires, in chunks of three characters.
fn given(schema: &Value, value: &Value) -> Vec<String> {
    let only = schema["required"].as_array().filter(|required| required.len() == 1).and_then(|only| only[0].as_str());
    let key = only.filter(|only| ["value", "output"].contains(only));
    let text = key.map_or_else(|| value.clone(), |key| json!({key: value})).to_string();
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(3).map(|piece| piece.iter().collect()).collect()
}
