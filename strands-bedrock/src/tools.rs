//! Serialization of tools as Converse's `toolConfig`. Tools are translated once for all requests of an agent.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use strands_core::models::{ToolChoice, ToolSpecs};
use strands_core::schema::SchemaDialect;
use strands_core::tool::ToolSpec;

use crate::blocks::CachePointJson;

/// Tools as JSON text, ready to be copied into a request.
#[derive(Debug)]
pub(crate) struct Translated(Vec<Box<RawValue>>);

/// Tools as JSON text, all of them strict.
struct TranslatedStrict(Arc<Translated>);

/// Returns the translated tools of a request. They are translated by the first request and reused by later ones.
pub(crate) fn translated(specs: &ToolSpecs, strict: bool) -> Arc<Translated> {
    if strict {
        let strict = specs.translated(|specs| {
            TranslatedStrict(Arc::new(Translated(specs.iter().filter_map(|spec| entry(spec, true)).collect())))
        });
        Arc::clone(&strict.0)
    } else {
        specs.translated(|specs| Translated(specs.iter().filter_map(|spec| entry(spec, spec.strict)).collect()))
    }
}

/// Returns a tool that does nothing. Bedrock requires declared tools if the history has tool calls, even if the agent has
/// no tools.
pub(crate) fn placeholder(strict: bool) -> Arc<Translated> {
    let spec = ToolSpec::new(
        "noop",
        "This is a fake tool that MUST be completely ignored.",
        json!({"type": "object", "properties": {}}),
    );
    Arc::new(Translated(entry(&spec, strict).into_iter().collect()))
}

fn entry(spec: &ToolSpec, strict: bool) -> Option<Box<RawValue>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry<'a> {
        tool_spec: Spec<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec<'a> {
        name: &'a str,
        // Bedrock rejects empty descriptions, and blank text elsewhere.
        #[serde(skip_serializing_if = "is_blank")]
        description: &'a str,
        input_schema: Schema,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
    }
    #[derive(Serialize)]
    struct Schema {
        json: Value,
    }
    let held = strict.then(|| SchemaDialect::BEDROCK.strict(&spec.input_schema)).and_then(Result::ok);
    let strict = held.is_some();
    let schema = held.unwrap_or_else(|| SchemaDialect::BEDROCK.arguments(&spec.input_schema));
    let entry = Entry {
        tool_spec: Spec {
            name: &spec.name,
            description: &spec.description,
            input_schema: Schema { json: schema },
            strict,
        },
    };
    // Fails only for maps with keys that are not strings; a schema has none.
    serde_json::value::to_raw_value(&entry).ok()
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// The `toolConfig` of a request.
#[derive(Debug)]
pub(crate) struct ToolConfig<'a> {
    pub(crate) tools: Arc<Translated>,
    /// Time to live of the cache point after the tools, if there is a point. The inner `None` is Bedrock's default.
    pub(crate) cache: Option<Option<&'a str>>,
    pub(crate) choice: Option<&'a ToolChoice>,
}

impl Serialize for ToolConfig<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            tools: Tools<'a>,
            tool_choice: &'a ToolChoice,
        }
        Wire { tools: Tools(&self.tools.0, self.cache), tool_choice: self.choice.unwrap_or(&ToolChoice::Auto {}) }
            .serialize(serializer)
    }
}

struct Tools<'a>(&'a [Box<RawValue>], Option<Option<&'a str>>);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Item<'a> {
            Tool(&'a RawValue),
            #[serde(rename_all = "camelCase")]
            Point {
                cache_point: CachePointJson<'a>,
            },
        }
        let tools = self.0.iter().map(|tool| Item::Tool(tool));
        let point = self.1.map(|ttl| Item::Point { cache_point: CachePointJson("default", ttl) });
        serializer.collect_seq(tools.chain(point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates_tools_once() {
        let specs: ToolSpecs = [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect();
        assert!(Arc::ptr_eq(&translated(&specs, false), &translated(&specs, false)));
        assert!(Arc::ptr_eq(&translated(&specs, true), &translated(&specs, true)));
    }

    #[test]
    fn a_single_tool_may_be_strict() {
        let specs: ToolSpecs = [
            ToolSpec::new("a", "A.", json!({"type": "object"})).with_strict(true),
            ToolSpec::new("b", " ", json!({"type": "object"})),
        ]
        .into_iter()
        .collect();
        let config = ToolConfig { tools: translated(&specs, false), cache: Some(Some("1h")), choice: None };
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            json!({"tools": [
                {"toolSpec": {"name": "a", "description": "A.", "strict": true, "inputSchema": {"json": {"type": "object", "properties": {}, "additionalProperties": false}}}},
                {"toolSpec": {"name": "b", "inputSchema": {"json": {"type": "object"}}}},
                {"cachePoint": {"type": "default", "ttl": "1h"}},
            ], "toolChoice": {"auto": {}}})
        );
    }
}
