//! Tools as Converse's `toolConfig`. They are translated once for all requests of an agent.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use strands_core::model::{ToolChoice, ToolSpecs};
use strands_core::tool::ToolSpec;

use crate::blocks::PointJson;

/// The tools as JSON text, ready to be copied into a request.
#[derive(Debug)]
pub(crate) struct Translated(Vec<Box<RawValue>>);

/// The same, each tool strict.
struct TranslatedStrict(Arc<Translated>);

/// The tools of a request, translated now or before.
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

/// A tool that does nothing: Bedrock wants tools declared when history has calls, even where the agent has none left.
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
        // Bedrock refuses a description without a character in it.
        #[serde(skip_serializing_if = "str::is_empty")]
        description: &'a str,
        input_schema: Schema<'a>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
    }
    #[derive(Serialize)]
    struct Schema<'a> {
        json: &'a Value,
    }
    let strict_schema = strict.then(|| strict_schema(&spec.input_schema));
    let entry = Entry {
        tool_spec: Spec {
            name: &spec.name,
            description: &spec.description,
            input_schema: Schema { json: strict_schema.as_ref().unwrap_or(&spec.input_schema) },
            strict,
        },
    };
    // Only a map whose keys are no text fails here, and a schema has none.
    serde_json::value::to_raw_value(&entry).ok()
}

/// The `toolConfig` of a request.
#[derive(Debug)]
pub(crate) struct ToolConfig<'a> {
    pub(crate) tools: Arc<Translated>,
    /// The life of the cache point behind the tools, where there is one.
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
                cache_point: PointJson<'a>,
            },
        }
        let tools = self.0.iter().map(|tool| Item::Tool(tool));
        let point = self.1.map(|ttl| Item::Point { cache_point: PointJson("default", ttl) });
        serializer.collect_seq(tools.chain(point))
    }
}

/// The schema with `additionalProperties: false` on every object that does not say otherwise, and without references
/// that have keywords beside them, as strict tools want it.
fn strict_schema(schema: &Value) -> Value {
    let mut strict = schema.clone();
    Strict { root: schema, inside: Vec::new(), copies: 0 }.apply(&mut strict);
    strict
}

/// How many references are replaced by what they refer to; a schema of others' making may grow without end.
const MOST_COPIES: usize = 1_000;

struct Strict<'a> {
    root: &'a Value,
    /// The references that led here: a schema may refer to itself.
    inside: Vec<String>,
    copies: usize,
}

impl Strict<'_> {
    fn apply(&mut self, schema: &mut Value) {
        let Value::Object(node) = schema else {
            return;
        };
        let reference = self.replace_reference(node);
        for key in ["$defs", "definitions", "properties"] {
            if let Some(Value::Object(children)) = node.get_mut(key) {
                for child in children.values_mut() {
                    self.apply(child);
                }
            }
        }
        if node.get("type").and_then(Value::as_str) == Some("object") && !node.contains_key("additionalProperties") {
            node.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        if let Some(items) = node.get_mut("items") {
            self.apply(items);
        }
        for key in ["anyOf", "allOf", "oneOf"] {
            if let Some(Value::Array(variants)) = node.get_mut(key) {
                for variant in variants {
                    self.apply(variant);
                }
            }
        }
        if reference {
            self.inside.pop();
        }
    }

    /// Puts what a reference refers to in its place, if keywords stand beside it. These win.
    fn replace_reference(&mut self, node: &mut Map<String, Value>) -> bool {
        if node.len() < 2 || self.copies == MOST_COPIES {
            return false;
        }
        let Some(reference) = node.get("$ref").and_then(Value::as_str) else {
            return false;
        };
        if self.inside.iter().any(|outer| outer == reference) {
            return false;
        }
        let referred = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let Some(Value::Object(referred)) = referred else {
            return false;
        };
        self.inside.push(reference.to_owned());
        self.copies += 1;
        let mut merged = referred.clone();
        for (key, value) in std::mem::take(node) {
            if key != "$ref" {
                merged.insert(key, value);
            }
        }
        *node = merged;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_schemas_close_every_object() {
        let schema = json!({
            "type": "object",
            "properties": {
                "leg": {"$ref": "#/$defs/Leg", "description": "the first"},
                "plain": {"$ref": "#/$defs/Leg"},
                "open": {"type": "object", "additionalProperties": {"type": "string"}},
                "list": {"type": "array", "items": {"type": "object"}},
                "either": {"anyOf": [{"type": "object"}, {"type": "null"}]},
            },
            "$defs": {"Leg": {"type": "object", "description": "a leg", "properties": {"next": {"$ref": "#/$defs/Leg", "title": "n"}}}},
        });
        let strict = strict_schema(&schema);
        assert_eq!(strict["additionalProperties"], json!(false));
        let leg = &strict["properties"]["leg"];
        assert_eq!(leg["description"], json!("the first"));
        assert_eq!(leg["additionalProperties"], json!(false));
        assert!(leg.get("$ref").is_none());
        assert_eq!(strict["properties"]["plain"], json!({"$ref": "#/$defs/Leg"}));
        assert_eq!(strict["properties"]["open"]["additionalProperties"], json!({"type": "string"}));
        assert_eq!(strict["properties"]["list"]["items"]["additionalProperties"], json!(false));
        assert_eq!(strict["properties"]["either"]["anyOf"][0]["additionalProperties"], json!(false));
    }

    #[test]
    fn tools_are_translated_once() {
        let specs: ToolSpecs = [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect();
        assert!(Arc::ptr_eq(&translated(&specs, false), &translated(&specs, false)));
        assert!(Arc::ptr_eq(&translated(&specs, true), &translated(&specs, true)));
    }

    #[test]
    fn a_tool_may_be_strict_by_itself() {
        let specs: ToolSpecs = [
            ToolSpec::new("a", "A.", json!({"type": "object"})).with_strict(true),
            ToolSpec::new("b", "", json!({"type": "object"})),
        ]
        .into_iter()
        .collect();
        let config = ToolConfig { tools: translated(&specs, false), cache: Some(Some("1h")), choice: None };
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            json!({"tools": [
                {"toolSpec": {"name": "a", "description": "A.", "strict": true, "inputSchema": {"json": {"type": "object", "additionalProperties": false}}}},
                {"toolSpec": {"name": "b", "inputSchema": {"json": {"type": "object"}}}},
                {"cachePoint": {"type": "default", "ttl": "1h"}},
            ], "toolChoice": {"auto": {}}})
        );
    }
}
