//! Tools in the form of Responses.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use strands_core::models::{ToolChoice, ToolSpecs};
use strands_core::schema::SchemaDialect;
use strands_core::tool::ToolSpec;

use crate::chat_completions::{AllTools, Function, word};

/// Translated once for all requests of an agent.
#[derive(Debug)]
pub(super) struct ResponsesTools(Vec<Box<RawValue>>);

impl ResponsesTools {
    pub(super) fn new(specs: &ToolSpecs) -> Arc<Self> {
        #[derive(Serialize)]
        struct Tool<'a> {
            r#type: &'static str,
            #[serde(flatten)]
            function: Function<'a>,
        }
        let entry = |spec: &ToolSpec| {
            let mut function = Function::new(spec, &SchemaDialect::OPENAI);
            // By default the provider makes a schema strict, and all properties required
            // (<https://platform.openai.com/docs/guides/function-calling#strict-mode>).
            function.strict.get_or_insert(false);
            to_raw_value(&Tool { r#type: "function", function }).ok()
        };
        specs.translated(|specs| Self(specs.iter().filter_map(entry).collect()))
    }

    /// Returns all tools, including server tools.
    pub(super) fn with<'a>(&'a self, server_tools: &'a [Value]) -> Option<AllTools<'a>> {
        AllTools::new(&self.0, server_tools)
    }
}

pub(super) fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Tool { name } => json!({"type": "function", "name": name}),
        choice => word(choice, "required").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates_tools_once() {
        let specs: ToolSpecs = [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect();
        let tools = ResponsesTools::new(&specs);
        assert!(Arc::ptr_eq(&tools, &ResponsesTools::new(&specs)));
        assert_eq!(
            serde_json::to_value(tools.with(&[json!({"type": "web_search"})]).unwrap()).unwrap(),
            json!([
                {"type": "function", "name": "look", "description": "Looks.",
                    "parameters": {"type": "object", "properties": {}}, "strict": false},
                {"type": "web_search"},
            ])
        );
        assert!(ResponsesTools::new(&ToolSpecs::default()).with(&[]).is_none());
    }
}
