//! Models of the benchmarks for the agent.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message, Role, SystemBlock};
use strands_core::models::{Model, ModelError, ModelRequest, ModelStream, StreamEvent, ToolSpecs, outgoing_content};

use crate::script::Responses;
use crate::wire::{self, Playback};

/// A model that only copies each event, so that the loop is measured alone.
pub(crate) struct BareModel(Playback<StreamEvent>);

impl BareModel {
    pub(crate) fn new(responses: Responses) -> Self {
        Self(wire::parsed(responses))
    }
}

#[async_trait]
impl Model for BareModel {
    fn model_id(&self) -> &str {
        "bare"
    }

    async fn stream(&self, _: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        Ok(self.0.next().map(|event| Ok(event.clone())).boxed())
    }
}

/// A model that does the work of a provider: it serializes the whole conversation into a request body, and parses each
/// line of the response.
pub(crate) struct WireModel(Playback<String>);

impl WireModel {
    pub(crate) fn new(responses: Responses) -> Self {
        Self(wire::lines(responses))
    }
}

#[async_trait]
impl Model for WireModel {
    fn model_id(&self) -> &str {
        "wire"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        divan::black_box(body_of(request)?);
        let parse = |line: &String| serde_json::from_str(line).map_err(|error| ModelError::protocol(error.to_string()));
        Ok(self.0.next().map(parse).boxed())
    }
}

/// Serializes the request body in the format of Converse.
pub(crate) fn body_of(request: ModelRequest<'_>) -> Result<Vec<u8>, ModelError> {
    let translated = request.tools.translated(Tools::of);
    let body = Body {
        messages: Messages(request.messages),
        system: request.system,
        tool_config: ToolConfig { tools: &translated.0 },
    };
    serde_json::to_vec(&body).map_err(|error| ModelError::protocol(error.to_string()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    messages: Messages<'a>,
    system: &'a [SystemBlock],
    tool_config: ToolConfig<'a>,
}

#[derive(Serialize)]
struct ToolConfig<'a> {
    tools: &'a [Value],
}

/// The tools in the format of Converse, serialized once.
struct Tools(Vec<Value>);

impl Tools {
    fn of(specs: &ToolSpecs) -> Self {
        Self(specs.iter().map(|spec| json!({"toolSpec": spec})).collect())
    }
}

struct Messages<'a>(&'a [Arc<Message>]);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Outgoing<'a> {
            role: Role,
            content: Content<'a>,
        }
        serializer.collect_seq(self.0.iter().map(|message| Outgoing { role: message.role, content: Content(message) }))
    }
}

struct Content<'a>(&'a Message);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut blocks = serializer.serialize_seq(None)?;
        for block in outgoing_content(self.0, "") {
            let block: Cow<'_, ContentBlock> = block;
            blocks.serialize_element(&*block)?;
        }
        blocks.end()
    }
}
