//! The tools of an agent: in the order in which they were given, each under one name.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{Tool, ToolSpec, is_valid_tool_name};
use crate::models::{Described, ToolSpecs};
use crate::schema::{self, ToolSchemaError};
use crate::schema_validation::{JsonSchemaError, Validator};

/// The tools of an agent, in the order in which they were given. Cheap to clone.
#[derive(Clone, Default)]
pub struct ToolSet {
    tools: Arc<IndexMap<String, Registered>>,
    specs: ToolSpecs,
}

/// A tool with its compiled input schema.
#[derive(Clone)]
struct Registered {
    tool: Arc<dyn Tool>,
    validator: Arc<Validator>,
}

/// An error of tools that can't be given to one agent.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolSetError {
    /// A name that providers refuse.
    #[error("tool name `{name}` is not valid; names are 1 to 64 of `a-z A-Z 0-9 _ -`")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// Two tools that the model could not tell apart.
    #[error("two tools are called `{first}` and `{second}`; rename one, or give their toolset a prefix")]
    DuplicateTool {
        /// The name of the tool that came first.
        first: String,
        /// The name of the other; it may differ in `-` and `_` alone.
        second: String,
    },
    /// A schema that no provider accepts.
    #[error("invalid input schema of tool `{name}`: {reason}")]
    InvalidSchema {
        /// The tool.
        name: String,
        /// The mistake in it.
        reason: ToolSchemaError,
    },
    /// A schema that arguments can't be validated against.
    #[error("the input schema of tool `{name}` is not supported: {error}")]
    UnsupportedSchema {
        /// The tool.
        name: String,
        /// The error, its place in the schema, and advice.
        error: JsonSchemaError,
    },
}

crate::error_chain::debug_with_sources!(ToolSetError);

impl ToolSet {
    /// These tools, in this order.
    ///
    /// # Errors
    ///
    /// [`ToolSetError`] for names that providers refuse or could not tell apart, and for schemas that no provider accepts, such as
    /// one of a text, or that arguments can't be validated against.
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Result<Self, ToolSetError> {
        Self::with_known(tools, &Self::default())
    }

    /// These tools. The schemas of those that are in another set are compiled already.
    pub(crate) fn with_known(
        tools: impl IntoIterator<Item = Arc<dyn Tool>>,
        known: &Self,
    ) -> Result<Self, ToolSetError> {
        let tools = tools.into_iter();
        let (expected, _) = tools.size_hint();
        let mut by_name: IndexMap<String, Registered> = IndexMap::with_capacity(expected);
        let mut alike: HashMap<String, String> = HashMap::with_capacity(expected);
        for tool in tools {
            let ToolSpec { name, input_schema, .. } = tool.spec();
            if !is_valid_tool_name(name) {
                return Err(ToolSetError::InvalidName { name: name.clone() });
            }
            schema::check_arguments(input_schema)
                .map_err(|reason| ToolSetError::InvalidSchema { name: name.clone(), reason })?;
            if let Some(first) = alike.insert(name.replace('-', "_"), name.clone()) {
                return Err(ToolSetError::DuplicateTool { first, second: name.clone() });
            }
            let validator = known.validator(&tool);
            let validator = validator.map_err(|error| ToolSetError::UnsupportedSchema { name: name.clone(), error })?;
            by_name.insert(name.clone(), Registered { tool, validator });
        }
        let specs = by_name.values().map(|registered| Arc::clone(&registered.tool)).collect();
        Ok(Self { tools: Arc::new(by_name), specs })
    }

    /// Returns these tools without some, and with others behind them.
    pub(crate) fn changed(&self, hidden: &[String], added: &[Arc<dyn Tool>]) -> Result<Self, ToolSetError> {
        let is_shown = |tool: &&Arc<dyn Tool>| !hidden.contains(&Tool::spec(&***tool).name);
        Self::with_known(self.iter().chain(added).filter(is_shown).cloned(), self)
    }

    /// Returns the compiled input schema of a tool, which need not be in the set.
    ///
    /// # Errors
    ///
    /// Returns an error if arguments can't be validated against the schema.
    pub(crate) fn validator(&self, tool: &Arc<dyn Tool>) -> Result<Arc<Validator>, JsonSchemaError> {
        let spec = tool.spec();
        let registered = self
            .tools
            .get(&spec.name)
            .filter(|registered| std::ptr::addr_eq(Arc::as_ptr(&registered.tool), Arc::as_ptr(tool)));
        match registered {
            Some(registered) => Ok(Arc::clone(&registered.validator)),
            None => Validator::new(&spec.input_schema).map(Arc::new),
        }
    }

    /// Returns true if this is a clone of another set.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tools, &other.tools)
    }

    /// The tool of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.get(name).map(|registered| &registered.tool)
    }

    /// The tools, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<dyn Tool>> {
        self.tools.values().map(|registered| &registered.tool)
    }

    /// Returns their descriptions for a model.
    pub fn specs(&self) -> &ToolSpecs {
        &self.specs
    }
}

/// A tool as something that has a spec.
struct ToolDescription(Arc<dyn Tool>);

impl Described for ToolDescription {
    fn spec(&self) -> &ToolSpec {
        self.0.spec()
    }
}

impl FromIterator<Arc<dyn Tool>> for ToolSpecs {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Tool>>>(tools: I) -> Self {
        Self::described(tools.into_iter().map(|tool| Arc::new(ToolDescription(tool)) as Arc<dyn Described>))
    }
}

impl std::fmt::Debug for ToolSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.tools.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::tool::{ToolContext, ToolError, ToolOutput};

    struct Named(ToolSpec);

    #[async_trait::async_trait]
    impl Tool for Named {
        fn spec(&self) -> &ToolSpec {
            &self.0
        }

        async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
            Ok(ToolOutput::json(input))
        }
    }

    fn named(name: &str) -> Arc<dyn Tool> {
        Arc::new(Named(ToolSpec::new(name, "Does nothing.", serde_json::json!({}))))
    }

    #[test]
    fn the_schema_of_a_known_tool_is_not_compiled_again() {
        let (first, second) = (named("first"), named("second"));
        let set = ToolSet::new([Arc::clone(&first), second]).unwrap();
        let known = set.validator(&first).unwrap();
        let later = set.changed(&["second".to_owned()], &[named("third")]).unwrap();
        assert!(Arc::ptr_eq(&known, &later.validator(&first).unwrap()));
        let other = ToolSet::with_known([named("first")], &set).unwrap();
        assert!(!Arc::ptr_eq(&known, &other.validator(other.get("first").unwrap()).unwrap()));
    }
}
