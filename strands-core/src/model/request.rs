//! What a model is asked. It borrows everything, so that asking costs nothing but the provider's own serialisation.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::WrittenMessages;
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
    pub written: Option<&'a WrittenMessages>,
}

/// The JSON that an answer must be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OutputSchema {
    /// What it is called: letters, digits, `_` and `-`, 64 at most.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its JSON schema, of an object.
    pub schema: Value,
}

impl OutputSchema {
    /// JSON of this schema.
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self { name: name.into(), description: None, schema }
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
        Self { messages, system: &[], tools: &NO_TOOLS, tool_choice: None, output_schema: None, written: None }
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

    /// With what was written of this conversation for earlier requests.
    #[must_use]
    pub fn with_written(mut self, written: &'a WrittenMessages) -> Self {
        self.written = Some(written);
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
    translations: Mutex<Vec<Translation>>,
}

/// A provider's translation of the tools, by its type and its form.
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
        Self { shared: Arc::new(Shared { tools: tools.into_iter().collect(), translations: Mutex::default() }) }
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
        let key = (TypeId::of::<T>(), form);
        let known = |translations: &[Translation]| {
            let (_, found) = translations.iter().find(|(own, _)| *own == key)?;
            Arc::clone(found).downcast::<T>().ok()
        };
        if let Some(found) = known(&self.shared.translations.lock().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let made = Arc::new(translate(self));
        let mut translations = self.shared.translations.lock().unwrap_or_else(PoisonError::into_inner);
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
