//! Requests to a model. They borrow everything, so a request costs no more than the provider's serialization.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::SerializedMessages;
use crate::message::{Message, SystemBlock};
use crate::tool_spec::ToolSpec;

/// One request to a model.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ModelRequest<'a> {
    /// The conversation, which ends with a user message. Ids of tool calls are unique; see
    /// [`make_call_ids_unique`](crate::message::make_call_ids_unique).
    pub messages: &'a [Arc<Message>],
    /// The system prompt.
    pub system: &'a [SystemBlock],
    /// The tools that the model may call.
    pub tools: &'a ToolSpecs,
    /// Tools that the model must call; `None` is the provider's default, [`ToolChoice::Auto`].
    pub tool_choice: Option<&'a ToolChoice>,
    /// Schema for native structured output: the text of the response must be JSON of this schema, and no tool may be
    /// called. Set only if [`capabilities`](super::Model::capabilities) include it.
    pub output_schema: Option<&'a OutputSchema>,
    /// Messages that earlier requests of this conversation have serialized, for providers to reuse.
    pub serialized: Option<&'a SerializedMessages>,
}

/// JSON schema of a structured output.
#[derive(Clone)]
#[non_exhaustive]
pub struct OutputSchema {
    /// Name of the output: at most 64 letters, digits, `_` and `-`.
    pub name: String,
    /// Description of the output, for the model.
    pub description: Option<String>,
    /// JSON schema of the output: an object.
    pub schema: Value,
    rewritten: Arc<Rewritten>,
}

/// Forms of a schema for providers, shared by its clones.
#[derive(Default)]
struct Rewritten {
    /// The schema that they were made from. The public field may have changed since.
    of: OnceLock<Value>,
    forms: Translations,
}

impl PartialEq for OutputSchema {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, description, schema, rewritten: _ } = self;
        *name == other.name && *description == other.description && *schema == other.schema
    }
}

impl std::fmt::Debug for OutputSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, description, schema, rewritten: _ } = self;
        let mut fields = f.debug_struct("OutputSchema");
        fields.field("name", name).field("description", description).field("schema", schema).finish()
    }
}

impl OutputSchema {
    /// Creates an output schema without a description.
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self { name: name.into(), description: None, schema, rewritten: Arc::default() }
    }

    /// Returns a provider's form of the schema. The first call makes it with `rewrite`; all requests of an invocation
    /// share it. `form` names it among forms of the same type.
    pub fn rewritten<T: Send + Sync + 'static>(&self, form: &'static str, rewrite: impl FnOnce(&Value) -> T) -> Arc<T> {
        if *self.rewritten.of.get_or_init(|| self.schema.clone()) != self.schema {
            return Arc::new(rewrite(&self.schema));
        }
        self.rewritten.forms.get_or_make(form, || rewrite(&self.schema))
    }

    /// Sets the description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

impl ModelRequest<'_> {
    /// Returns the request as JSON, without the parts that it does not have.
    pub(crate) fn to_json(self) -> Value {
        let schema = self.output_schema.map(|schema| json!({"name": schema.name, "schema": schema.schema}));
        let specs: Vec<&ToolSpec> = self.tools.iter().collect();
        json!({
            "messages": self.messages,
            "system": self.system,
            "tools": specs,
            "tool_choice": self.tool_choice,
            "output_schema": schema,
        })
    }
}

impl<'a> ModelRequest<'a> {
    /// Creates a request without a system prompt or tools.
    pub fn new(messages: &'a [Arc<Message>]) -> Self {
        static NO_TOOLS: std::sync::LazyLock<ToolSpecs> = std::sync::LazyLock::new(ToolSpecs::default);
        Self { messages, system: &[], tools: &NO_TOOLS, tool_choice: None, output_schema: None, serialized: None }
    }

    /// Sets the system prompt.
    #[must_use]
    pub fn with_system(mut self, system: &'a [SystemBlock]) -> Self {
        self.system = system;
        self
    }

    /// Sets the tools that the model may call.
    #[must_use]
    pub fn with_tools(mut self, tools: &'a ToolSpecs) -> Self {
        self.tools = tools;
        self
    }

    /// Sets the messages that earlier requests of this conversation have serialized.
    #[must_use]
    pub fn with_serialized(mut self, serialized: &'a SerializedMessages) -> Self {
        self.serialized = Some(serialized);
        self
    }

    /// Sets the schema of the structured output.
    #[must_use]
    pub fn with_output_schema(mut self, schema: &'a OutputSchema) -> Self {
        self.output_schema = Some(schema);
        self
    }

    /// Sets the tools that the model must call.
    #[must_use]
    pub fn with_tool_choice(mut self, choice: &'a ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }
}

/// Tools that a model must call. JSON: `{"auto":{}}`, `{"any":{}}`, `{"tool":{"name":"x"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ToolChoice {
    /// The model decides whether it calls a tool.
    Auto {},
    /// The model must call at least one of the tools.
    Any {},
    /// The model must call this tool.
    Tool {
        /// Name of the tool.
        name: String,
    },
}

/// Specs of the tools that a model may call, in the order of their declaration.
///
/// Clones share the specs and the translations of providers, so a provider translates each list of tools once and not for
/// each request.
#[derive(Clone, Default)]
pub struct ToolSpecs {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    tools: Vec<Arc<dyn Described>>,
    translations: Translations,
}

/// Forms of tools or of a schema for providers. Each is made once.
#[derive(Default)]
struct Translations(Mutex<Vec<Translation>>);

/// A translation, keyed by its type and its form.
type Translation = ((TypeId, &'static str), Arc<dyn Any + Send + Sync>);

/// Something that has a tool spec: a tool, or the spec itself.
pub(crate) trait Described: Send + Sync {
    fn spec(&self) -> &ToolSpec;
}

impl Described for ToolSpec {
    fn spec(&self) -> &ToolSpec {
        self
    }
}

impl ToolSpecs {
    /// Returns the tool specs, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ToolSpec> {
        self.shared.tools.iter().map(|tool| tool.spec())
    }

    /// Returns the number of tools.
    pub fn len(&self) -> usize {
        self.shared.tools.len()
    }

    /// Returns true if there are no tools.
    pub fn is_empty(&self) -> bool {
        self.shared.tools.is_empty()
    }

    /// Returns these tools and one more.
    pub(crate) fn with(&self, spec: ToolSpec) -> Self {
        let known = self.shared.tools.iter().map(Arc::clone);
        Self::described(known.chain([Arc::new(spec) as Arc<dyn Described>]))
    }

    pub(crate) fn described(tools: impl IntoIterator<Item = Arc<dyn Described>>) -> Self {
        Self { shared: Arc::new(Shared { tools: tools.into_iter().collect(), translations: Translations::default() }) }
    }

    /// Returns a provider's translation of these tools. The first call makes it with `translate`. `T` is its key, so a
    /// provider defines a type for each form that it needs.
    pub fn translated<T: Send + Sync + 'static>(&self, translate: impl FnOnce(&Self) -> T) -> Arc<T> {
        self.translated_as("", translate)
    }

    /// Returns one of several translations of the same type. `form` names it.
    pub fn translated_as<T: Send + Sync + 'static>(
        &self,
        form: &'static str,
        translate: impl FnOnce(&Self) -> T,
    ) -> Arc<T> {
        self.shared.translations.get_or_make(form, || translate(self))
    }
}

impl Translations {
    fn get_or_make<T: Send + Sync + 'static>(&self, form: &'static str, make: impl FnOnce() -> T) -> Arc<T> {
        let key = (TypeId::of::<T>(), form);
        let known = |translations: &[Translation]| {
            let (_, found) = translations.iter().find(|(own, _)| *own == key)?;
            Arc::clone(found).downcast::<T>().ok()
        };
        if let Some(found) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let made = Arc::new(make());
        let mut translations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known(&translations) {
            return found;
        }
        let cached: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&made);
        translations.push((key, cached));
        made
    }
}

impl FromIterator<ToolSpec> for ToolSpecs {
    fn from_iter<I: IntoIterator<Item = ToolSpec>>(specs: I) -> Self {
        Self::described(specs.into_iter().map(|spec| Arc::new(spec) as Arc<dyn Described>))
    }
}

impl std::fmt::Debug for ToolSpecs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|spec| &spec.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_a_schema_once_until_it_changes() {
        let form = |schema: &OutputSchema| schema.rewritten("text", Value::to_string);
        let schema = OutputSchema::new("city", serde_json::json!({"type": "object"}));
        let first = form(&schema);
        let mut other = schema.clone().with_description("A city.");
        assert!(Arc::ptr_eq(&first, &form(&other)));
        other.schema = serde_json::json!({"type": "object", "title": "City"});
        assert_eq!(*form(&other), other.schema.to_string());
        assert!(Arc::ptr_eq(&first, &form(&schema)));
        assert_eq!(schema, OutputSchema::new("city", serde_json::json!({"type": "object"})));
    }
}
