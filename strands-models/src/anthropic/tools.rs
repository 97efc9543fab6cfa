//! Tool specs as JSON text, translated once for all requests of an agent, and the tool choice.

use std::sync::Arc;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use strands_core::models::{ToolChoice, ToolSpecs};
use strands_core::schema::SchemaDialect;
use strands_core::tool::ToolSpec;

use super::prompt_cache::CacheTtl;

/// Maximum number of strict tools in a request.
const MAX_STRICT: usize = 20;

/// Tool specs in the form of the Messages API.
#[derive(Debug)]
pub(super) struct MessagesTools(Vec<Box<RawValue>>);

pub(super) fn translated(specs: &ToolSpecs) -> Arc<MessagesTools> {
    specs.translated(|specs| {
        let mut strict = 0;
        // Serialization fails only for maps with keys that are not strings, and a schema has none.
        let entries = specs.iter().filter_map(|spec| to_raw_value(&tool(spec, &mut strict)).ok());
        MessagesTools(entries.collect())
    })
}

fn tool<'a>(spec: &'a ToolSpec, strict: &mut usize) -> impl Serialize + 'a {
    #[derive(Serialize)]
    struct Tool<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        description: &'a str,
        input_schema: Value,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
    }
    let schema = spec.strict.then(|| SchemaDialect::ANTHROPIC.strict(&spec.input_schema));
    let schema = schema.and_then(Result::ok).filter(|_| *strict < MAX_STRICT);
    let is_strict = schema.is_some();
    *strict += usize::from(is_strict);
    let input_schema = schema.unwrap_or_else(|| SchemaDialect::ANTHROPIC.arguments(&spec.input_schema));
    Tool { name: &spec.name, description: &spec.description, input_schema, strict: is_strict }
}

/// Tools of a request: the program's, then server tools. The last one may have a cache point.
pub(super) struct AllTools<'a> {
    pub(super) ours: &'a MessagesTools,
    pub(super) servers: &'a [Value],
    pub(super) cached: Option<CacheTtl>,
}

impl AllTools<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.ours.0.is_empty() && self.servers.is_empty()
    }
}

impl Serialize for AllTools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last = (self.ours.0.len() + self.servers.len()).saturating_sub(1);
        let mut tools = serializer.serialize_seq(Some(last + 1))?;
        for (at, tool) in self.ours.0.iter().enumerate() {
            match self.cached.filter(|_| at == last).and_then(|ttl| with_cache_point(tool.get(), ttl)) {
                Some(marked) => tools.serialize_element(&marked)?,
                None => tools.serialize_element(tool)?,
            }
        }
        for (at, tool) in self.servers.iter().enumerate() {
            match self
                .cached
                .filter(|_| self.ours.0.len() + at == last)
                .and_then(|ttl| with_cache_point(&tool.to_string(), ttl))
            {
                Some(marked) => tools.serialize_element(&marked)?,
                None => tools.serialize_element(tool)?,
            }
        }
        tools.end()
    }
}

/// Returns a tool with a cache point.
fn with_cache_point(tool: &str, ttl: CacheTtl) -> Option<Box<RawValue>> {
    let open = tool.trim_end().strip_suffix('}')?;
    let mark = serde_json::to_string(&ttl.control()).ok()?;
    RawValue::from_string(format!(r#"{open},"cache_control":{mark}}}"#)).ok()
}

/// `tool_choice` of Messages.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Choice<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

impl<'a> Choice<'a> {
    pub(super) const NONE: Self = Self { r#type: "none", name: None, disable_parallel_tool_use: false };

    /// Converts a tool choice. Without one, returns `auto` only if parallel calls are disabled.
    pub(super) fn of(choice: Option<&'a ToolChoice>, parallel: Option<bool>) -> Option<Self> {
        let alone = parallel == Some(false);
        let (kind, name) = match choice {
            Some(ToolChoice::Any {}) => ("any", None),
            Some(ToolChoice::Tool { name }) => ("tool", Some(name.as_str())),
            Some(_) => ("auto", None),
            None if alone => ("auto", None),
            None => return None,
        };
        Some(Self { r#type: kind, name, disable_parallel_tool_use: alone })
    }
}

/// True if the choice forces a tool call.
pub(super) fn forces(choice: Option<&ToolChoice>) -> bool {
    matches!(choice, Some(ToolChoice::Any {} | ToolChoice::Tool { .. }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn specs(specs: impl IntoIterator<Item = ToolSpec>) -> ToolSpecs {
        specs.into_iter().collect()
    }

    fn sent(specs: &ToolSpecs, servers: &[Value], cached: Option<CacheTtl>) -> Value {
        serde_json::to_value(AllTools { ours: &translated(specs), servers, cached }).unwrap()
    }

    #[test]
    fn tools_are_translated_once() {
        let look = specs([ToolSpec::new("look", "Looks.", json!({"properties": {}}))]);
        assert!(Arc::ptr_eq(&translated(&look), &translated(&look)));
        assert_eq!(
            sent(&look, &[], None),
            json!([{"name": "look", "description": "Looks.", "input_schema": {"properties": {}, "type": "object"}}])
        );
    }

    #[test]
    fn puts_the_cache_point_on_the_last_tool() {
        let both = specs([
            ToolSpec::new("a", "", json!({"type": "object"})),
            ToolSpec::new("b", "", json!({"type": "object"})),
        ]);
        let marks = |tools: &Value| -> Vec<Value> {
            tools.as_array().unwrap().iter().map(|tool| tool["cache_control"].clone()).collect()
        };
        let ours = sent(&both, &[], Some(CacheTtl::FiveMinutes));
        assert_eq!(marks(&ours), [Value::Null, json!({"type": "ephemeral"})]);
        let search = json!({"type": "web_search_20250305", "name": "web_search"});
        let theirs = sent(&both, &[search], Some(CacheTtl::OneHour));
        assert_eq!(marks(&theirs), [Value::Null, Value::Null, json!({"type": "ephemeral", "ttl": "1h"})]);
    }

    #[test]
    fn makes_tools_strict_if_their_schema_allows() {
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
        let open = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let strict = |schema: &Value| ToolSpec::new("t", "", schema.clone()).with_strict(true);
        let tools = sent(&specs((0..21).map(|_| strict(&closed)).chain([strict(&open)])), &[], None);
        let strict: Vec<_> = tools.as_array().unwrap().iter().map(|tool| tool["strict"] == true).collect();
        assert!(strict[..20].iter().all(|strict| *strict) && !strict[20] && !strict[21], "{strict:?}");
    }

    #[test]
    fn converts_tool_choices() {
        let named = ToolChoice::Tool { name: "look".to_owned() };
        for (choice, parallel, expected) in [
            (None, None, Value::Null),
            (None, Some(true), Value::Null),
            (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
            (Some(&ToolChoice::Auto {}), None, json!({"type": "auto"})),
            (Some(&ToolChoice::Any {}), Some(false), json!({"type": "any", "disable_parallel_tool_use": true})),
            (Some(&named), None, json!({"type": "tool", "name": "look"})),
        ] {
            assert_eq!(serde_json::to_value(Choice::of(choice, parallel)).unwrap(), expected);
        }
    }
}
