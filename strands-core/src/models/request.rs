//! What a model is asked. It borrows everything, so that asking costs nothing but the provider's own serialisation.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SerializedMessages;
use crate::message::{Message, SystemBlock};
use crate::tool_spec::ToolSpec;

/// One request to a model.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ModelRequest<'a> {
    /// The conversation, which ends with a user message. Each tool call has an id of its own; see
    /// [`make_call_ids_unique`](crate::message::make_call_ids_unique).
    pub messages: &'a [Arc<Message>],
    /// The system prompt.
    pub system: &'a [SystemBlock],
    /// The tools that the model may call.
    pub tools: &'a ToolSpecs,
    /// Which tools the model must call; `None` leaves it to the provider's default, which is [`ToolChoice::Auto`].
    pub tool_choice: Option<&'a ToolChoice>,
    /// The answer's text must be JSON of this schema, and no tool may be called. Set only for models whose
    /// [`capabilities`](super::Model::capabilities) say that they follow it.
    pub output_schema: Option<&'a OutputSchema>,
    /// What was written of this conversation for earlier requests, for providers to go on from.
    pub serialized: Option<&'a SerializedMessages>,
}

/// The JSON that an answer must be.
#[derive(Clone)]
#[non_exhaustive]
pub struct OutputSchema {
    /// What it is called: letters, digits, `_` and `-`, 64 at most.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its JSON schema, of an object.
    pub schema: Value,
    rewritten: Arc<Rewritten>,
}

/// Forms of a schema for providers, shared by its clones.
#[derive(Default)]
struct Rewritten {
    /// The schema that they were made of: the field may have been changed since.
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
    /// JSON of this schema.
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self { name: name.into(), description: None, schema, rewritten: Arc::default() }
    }

    /// Returns a provider's form of the schema, made by `rewrite` the first time: the requests of one invocation share it.
    /// `form` names it among those of the same type.
    pub fn rewritten<T: Send + Sync + 'static>(&self, form: &'static str, rewrite: impl FnOnce(&Value) -> T) -> Arc<T> {
        if *self.rewritten.of.get_or_init(|| self.schema.clone()) != self.schema {
            return Arc::new(rewrite(&self.schema));
        }
        self.rewritten.forms.get_or_make(form, || rewrite(&self.schema))
    }

    /// With what it is.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

impl<'a> ModelRequest<'a> {
    /// A request without a system prompt or tools.
    pub fn new(messages: &'a [Arc<Message>]) -> Self {
        static NO_TOOLS: std::sync::LazyLock<ToolSpecs> = std::sync::LazyLock::new(ToolSpecs::default);
        Self { messages, system: &[], tools: &NO_TOOLS, tool_choice: None, output_schema: None, serialized: None }
    }

    /// With a system prompt.
    #[must_use]
    pub fn with_system(mut self, system: &'a [SystemBlock]) -> Self {
        self.system = system;
        self
    }

    /// With tools.
    #[must_use]
    pub fn with_tools(mut self, tools: &'a ToolSpecs) -> Self {
        self.tools = tools;
        self
    }

    /// With the messages that were serialized for earlier requests of this conversation.
    #[must_use]
    pub fn with_serialized(mut self, serialized: &'a SerializedMessages) -> Self {
        self.serialized = Some(serialized);
        self
    }

    /// With the JSON that the answer must be.
    #[must_use]
    pub fn with_output_schema(mut self, schema: &'a OutputSchema) -> Self {
        self.output_schema = Some(schema);
        self
    }

    /// With a choice of tools.
    #[must_use]
    pub fn with_tool_choice(mut self, choice: &'a ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }
}

/// Which tools a model must call. JSON: `{"auto":{}}`, `{"any":{}}`, `{"tool":{"name":"x"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ToolChoice {
    /// The model decides.
    Auto {},
    /// At least one, whichever.
    Any {},
    /// This one.
    Tool {
        /// The tool.
        name: String,
    },
}

/// The tools that a model may call, in the order in which they were declared.
///
/// It is shared, not copied, and remembers what a provider made of it: a provider translates two hundred tools once, not
/// once for each call.
#[derive(Clone, Default)]
pub struct ToolSpecs {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    tools: Vec<Arc<dyn Described>>,
    translations: Translations,
}

/// Translations for providers, each made once.
#[derive(Default)]
struct Translations(Mutex<Vec<Translation>>);

/// A translation by its type and its form.
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
    /// The tools, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ToolSpec> {
        self.shared.tools.iter().map(|tool| tool.spec())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shared.tools.len()
    }

    /// True when there are none.
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

    /// What a provider made of these tools, made by `translate` the first time. `T` names the translation, so a provider
    /// keeps a type of its own for each form it needs.
    pub fn translated<T: Send + Sync + 'static>(&self, translate: impl FnOnce(&Self) -> T) -> Arc<T> {
        self.translated_as("", translate)
    }

    /// Returns the translation of one form, where a provider has several of the same type. `form` names it.
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
        let kept: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&made);
        translations.push((key, kept));
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
    fn a_schema_is_rewritten_once_until_it_changes() {
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
