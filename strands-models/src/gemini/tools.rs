//! Tool specs as JSON text, translated once for all requests of an agent, and the tool choice.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use strands_core::models::{ToolChoice, ToolSpecs};
use strands_core::schema::SchemaDialect;
use strands_core::tool::ToolSpec;

/// The functions that a model may call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Functions {
    function_declarations: Vec<Box<RawValue>>,
}

fn functions(specs: &ToolSpecs) -> Option<Arc<Functions>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Declaration<'a> {
        name: &'a str,
        description: &'a str,
        parameters_json_schema: Value,
    }
    // Serialization fails only for maps with keys that are not strings, and a schema has none.
    let declaration = |spec: &ToolSpec| {
        let ToolSpec { name, description, input_schema, .. } = spec;
        let parameters_json_schema = SchemaDialect::GEMINI.arguments(input_schema);
        to_raw_value(&Declaration { name, description, parameters_json_schema }).ok()
    };
    (!specs.is_empty()).then(|| {
        specs.translated(|specs| Functions { function_declarations: specs.iter().filter_map(declaration).collect() })
    })
}

/// `tools` of a request: functions and built-in tools.
pub(super) struct Tools<'a> {
    functions: Option<Arc<Functions>>,
    built_in: &'a [Value],
}

impl<'a> Tools<'a> {
    pub(super) fn new(specs: &ToolSpecs, built_in: &'a [Value]) -> Option<Self> {
        let functions = functions(specs);
        (functions.is_some() || !built_in.is_empty()).then_some(Self { functions, built_in })
    }

    /// Returns `toolConfig`, unless it is empty. With functions and built-in tools, the model is asked to report calls of the
    /// latter; Google Cloud has no field for this.
    pub(super) fn config(&self, choice: Option<&'a ToolChoice>, cloud: bool) -> Option<ToolConfig<'a>> {
        self.functions.as_ref()?;
        let config = ToolConfig {
            function_calling_config: choice.map(CallingConfig::new),
            include_server_side_tool_invocations: !cloud && !self.built_in.is_empty(),
        };
        (config.function_calling_config.is_some() || config.include_server_side_tool_invocations).then_some(config)
    }
}

impl Serialize for Tools<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Tool<'a> {
            Functions(&'a Functions),
            BuiltIn(&'a Value),
        }
        let functions = self.functions.as_deref().map(Tool::Functions);
        serializer.collect_seq(functions.into_iter().chain(self.built_in.iter().map(Tool::BuiltIn)))
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_calling_config: Option<CallingConfig<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    include_server_side_tool_invocations: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CallingConfig<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'a str; 1]>,
}

impl<'a> CallingConfig<'a> {
    fn new(choice: &'a ToolChoice) -> Self {
        match choice {
            ToolChoice::Any {} => Self { mode: "ANY", allowed_function_names: None },
            // There is no mode for one function, so it is the only allowed one.
            ToolChoice::Tool { name } => Self { mode: "ANY", allowed_function_names: Some([name]) },
            _ => Self { mode: "AUTO", allowed_function_names: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn specs() -> ToolSpecs {
        [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect()
    }

    #[test]
    fn translates_functions_once_and_puts_them_first() {
        let specs = specs();
        assert!(Arc::ptr_eq(&functions(&specs).unwrap(), &functions(&specs).unwrap()));
        let built_in = [json!({"googleSearch": {}})];
        let tools = Tools::new(&specs, &built_in).unwrap();
        let declaration = json!({"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object"}});
        assert_eq!(
            serde_json::to_value(&tools).unwrap(),
            json!([{"functionDeclarations": [declaration]}, {"googleSearch": {}}])
        );
        assert!(Tools::new(&ToolSpecs::default(), &[]).is_none());
        let alone = Tools::new(&ToolSpecs::default(), &built_in).unwrap();
        assert_eq!(serde_json::to_value(&alone).unwrap(), json!([{"googleSearch": {}}]));
    }

    #[test]
    fn requests_built_in_calls_only_with_functions() {
        let (built_in, specs, none) = ([json!({"googleSearch": {}})], specs(), ToolSpecs::default());
        let config = |specs: &ToolSpecs, built_in: &[Value], choice: Option<&ToolChoice>, cloud| {
            serde_json::to_value(Tools::new(specs, built_in).unwrap().config(choice, cloud)).unwrap()
        };
        let expected = json!({"includeServerSideToolInvocations": true});
        assert_eq!(config(&specs, &built_in, None, false), expected);
        assert_eq!(config(&specs, &built_in, None, true), Value::Null);
        assert_eq!(config(&specs, &[], None, false), Value::Null);
        assert_eq!(config(&none, &built_in, Some(&ToolChoice::Any {}), false), Value::Null);
        let look = ToolChoice::Tool { name: "look".to_owned() };
        assert_eq!(
            config(&specs, &[], Some(&look), false),
            json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}})
        );
    }
}
