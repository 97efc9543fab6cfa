//! Tools as JSON text, translated once for all requests of an agent.

use std::sync::Arc;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use strands_core::models::{ToolChoice, ToolSpecs};
use strands_core::schema::SchemaDialect;
use strands_core::tool::ToolSpec;

use super::dialect::Dialect;
use super::schema::written as written_schema;

/// Tools in the form of Chat Completions.
#[derive(Debug)]
struct ChatTools(Vec<Box<RawValue>>);

/// Function of a tool, as in all protocols of OpenAI.
#[derive(Serialize)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    description: &'a str,
    parameters: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strict: Option<bool>,
}

impl<'a> Function<'a> {
    pub(crate) fn new(spec: &'a ToolSpec, schemas: &SchemaDialect) -> Self {
        let (parameters, is_strict) = written_schema(&spec.input_schema, spec.strict, schemas);
        let strict = is_strict.then_some(true);
        Self { name: &spec.name, description: &spec.description, parameters, strict }
    }
}

fn translate<'a>(specs: impl Iterator<Item = &'a ToolSpec>, schemas: &SchemaDialect) -> ChatTools {
    #[derive(Serialize)]
    struct Tool<'a> {
        r#type: &'static str,
        function: Function<'a>,
    }
    // Only a map with keys that are not strings has no JSON, and a schema has none.
    let entry =
        |spec: &ToolSpec| to_raw_value(&Tool { r#type: "function", function: Function::new(spec, schemas) }).ok();
    ChatTools(specs.filter_map(entry).collect())
}

/// Tools of a request, and the tool choice.
pub(super) struct Offer {
    tools: Option<Arc<ChatTools>>,
    pub(super) choice: Option<Value>,
}

impl Offer {
    pub(super) fn new(specs: &ToolSpecs, choice: Option<&ToolChoice>, dialect: &Dialect) -> Self {
        if specs.is_empty() {
            return Self { tools: None, choice: None };
        }
        match choice {
            // If there is only one tool, a choice without a name selects it.
            Some(ToolChoice::Tool { name }) if !dialect.named_choice => {
                let only = specs.iter().filter(|spec| spec.name == *name);
                Self { tools: Some(Arc::new(translate(only, dialect.schemas))), choice: Some(json!(dialect.any_tool)) }
            }
            choice => {
                let tools =
                    specs.translated_as(dialect.schemas.name(), |specs| translate(specs.iter(), dialect.schemas));
                Self { tools: Some(tools), choice: choice.map(|choice| written(choice, dialect)) }
            }
        }
    }

    pub(super) fn has_functions(&self) -> bool {
        self.tools.is_some()
    }

    /// Returns all tools, including server tools.
    pub(super) fn tools<'a>(&'a self, server_tools: &'a [Value]) -> Option<AllTools<'a>> {
        let functions = self.tools.as_ref().map_or(&[][..], |tools| &tools.0);
        AllTools::new(functions, server_tools)
    }
}

/// Functions of the program, and tools that the provider itself runs.
pub(crate) struct AllTools<'a> {
    functions: &'a [Box<RawValue>],
    server_tools: &'a [Value],
}

impl<'a> AllTools<'a> {
    /// Returns `None` if there are none.
    pub(crate) fn new(functions: &'a [Box<RawValue>], server_tools: &'a [Value]) -> Option<Self> {
        (!functions.is_empty() || !server_tools.is_empty()).then_some(Self { functions, server_tools })
    }
}

impl Serialize for AllTools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tools = serializer.serialize_seq(Some(self.functions.len() + self.server_tools.len()))?;
        self.functions.iter().try_for_each(|tool| tools.serialize_element(tool))?;
        self.server_tools.iter().try_for_each(|tool| tools.serialize_element(tool))?;
        tools.end()
    }
}

fn written(choice: &ToolChoice, dialect: &Dialect) -> Value {
    match choice {
        ToolChoice::Tool { name } => json!({"type": "function", "function": {"name": name}}),
        choice => word(choice, dialect.any_tool).into(),
    }
}

/// Returns a choice without a name, where `any` stands for any tool.
pub(crate) fn word(choice: &ToolChoice, any: &'static str) -> &'static str {
    if matches!(choice, ToolChoice::Any {}) { any } else { "auto" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat_completions::ReasoningReplay;

    fn specs() -> ToolSpecs {
        ["look", "book"].map(|name| ToolSpec::new(name, "It.", json!({"type": "object"}))).into_iter().collect()
    }

    fn sent(offer: &Offer) -> Value {
        serde_json::to_value(offer.tools(&[json!({"type": "web_search"})]).unwrap()).unwrap()
    }

    #[test]
    fn translates_tools_once() {
        let (specs, dialect) = (specs(), Dialect::openai("openai", ReasoningReplay::Never));
        let [one, other] = [(); 2].map(|()| Offer::new(&specs, None, &dialect).tools.unwrap());
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(
            sent(&Offer::new(&specs, None, &dialect)),
            json!([
                {"type": "function", "function": {"name": "look", "description": "It.",
                    "parameters": {"type": "object", "properties": {}}}},
                {"type": "function", "function": {"name": "book", "description": "It.",
                    "parameters": {"type": "object", "properties": {}}}},
                {"type": "web_search"},
            ])
        );
        assert!(Offer::new(&ToolSpecs::default(), None, &dialect).tools(&[]).is_none());
    }

    #[test]
    fn writes_tool_choices_for_the_server() {
        let (specs, openai) = (specs(), Dialect::openai("openai", ReasoningReplay::Never));
        let unnamed = Dialect { named_choice: false, any_tool: "any", ..openai.clone() };
        let choice = |choice: &ToolChoice, dialect| Offer::new(&specs, Some(choice), dialect).choice.unwrap();
        let book = ToolChoice::Tool { name: "book".to_owned() };
        assert_eq!(choice(&ToolChoice::Any {}, &openai), "required");
        assert_eq!(choice(&ToolChoice::Any {}, &unnamed), "any");
        assert_eq!(choice(&ToolChoice::Auto {}, &unnamed), "auto");
        assert_eq!(choice(&book, &openai), json!({"type": "function", "function": {"name": "book"}}));
        assert_eq!(choice(&book, &unnamed), "any");
        let alone = sent(&Offer::new(&specs, Some(&book), &unnamed));
        assert_eq!(alone[0]["function"]["name"], "book");
        assert_eq!(alone[1], json!({"type": "web_search"}));
    }
}
