//! Ordered set of an agent's tools, with unique names.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::{Tool, ToolSpec, is_valid_tool_name};
use crate::models::{Described, ToolSpecs};
use crate::schema::{self, ToolSchemaError};
use crate::schema_validation::{JsonSchemaError, Validator};

/// Ordered set of an agent's tools. Cheap to clone.
#[derive(Clone, Default)]
pub struct ToolSet {
    tools: Arc<IndexMap<String, Registered>>,
    specs: ToolSpecs,
}

/// A tool with its compiled input schema.
#[derive(Clone)]
struct Registered {
    tool: ListedTool,
    validator: Arc<Validator>,
}

/// A tool with its source.
#[derive(Clone)]
pub(crate) struct ListedTool {
    pub(crate) tool: Arc<dyn Tool>,
    /// Name of the tool provider; `None` for a tool of the program.
    pub(crate) provider: Option<Arc<str>>,
}

impl From<Arc<dyn Tool>> for ListedTool {
    /// Creates a tool of the program.
    fn from(tool: Arc<dyn Tool>) -> Self {
        Self { tool, provider: None }
    }
}

/// An error of tools that can't form a set.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolSetError {
    /// A tool has a name that providers reject.
    #[error("invalid tool name `{name}`: names are 1 to 64 characters of `a-z A-Z 0-9 _ -`")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// Two tools have names that a model can't distinguish.
    #[error("duplicate tools {}; rename one, or give their toolset a prefix", pair(.first, .first_provider, .second, .second_provider))]
    DuplicateTool {
        /// The name of the first tool.
        first: String,
        /// The name of the tool provider that listed the first tool; `None` for a tool of the program.
        first_provider: Option<String>,
        /// The name of the second tool; it may differ only in `-` and `_`.
        second: String,
        /// The name of the tool provider that listed the second tool; `None` for a tool of the program.
        second_provider: Option<String>,
    },
    /// A tool has a schema that no provider accepts.
    #[error("invalid input schema of tool `{name}`: {reason}")]
    InvalidSchema {
        /// The name of the tool.
        name: String,
        /// The error in the schema.
        reason: ToolSchemaError,
    },
    /// The agent behind a tool has a session of its own.
    #[error(
        "the agent of tool `{name}` has a session manager, so that the calls of all agents with the tool are one conversation: remove it, \
         or call `.shares_session(true)` on the `AgentTool` if that is meant"
    )]
    SharedSession {
        /// The name of the tool.
        name: String,
    },
    /// A tool has a schema that can't be compiled for validation.
    #[error("the input schema of tool `{name}` is not supported: {error}")]
    UnsupportedSchema {
        /// The name of the tool.
        name: String,
        /// The error, with its place in the schema and advice.
        error: JsonSchemaError,
    },
}

crate::error_chain::debug_with_sources!(ToolSetError);

impl ToolSet {
    /// Creates a set of tools, in this order.
    ///
    /// # Errors
    ///
    /// Returns [`ToolSetError`] for invalid or duplicate names, for schemas that no provider accepts, such as that of a
    /// string, and for schemas that can't be compiled for validation.
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Result<Self, ToolSetError> {
        Self::with_known(tools.into_iter().map(ListedTool::from), &Self::default())
    }

    /// Checks that a tool with this spec can be in a set: its name, and its input schema.
    ///
    /// Agents make the same checks. Use it for specs from elsewhere, such as a remote server, to leave out a tool instead of
    /// failing to build the agent.
    ///
    /// # Errors
    ///
    /// Returns [`ToolSetError`] like [`new`](Self::new), except for duplicate names.
    pub fn check_spec(spec: &ToolSpec) -> Result<(), ToolSetError> {
        check_name_and_root(spec)?;
        let unsupported = |error| ToolSetError::UnsupportedSchema { name: spec.name.clone(), error };
        Validator::new(&spec.input_schema).map(drop).map_err(unsupported)
    }

    /// Creates a set of tools. Schemas of tools that are also in `known` are not compiled again.
    pub(crate) fn with_known(tools: impl IntoIterator<Item = ListedTool>, known: &Self) -> Result<Self, ToolSetError> {
        let tools = tools.into_iter();
        let (expected, _) = tools.size_hint();
        let mut by_name: IndexMap<String, Registered> = IndexMap::with_capacity(expected);
        let mut alike: HashMap<String, (String, Option<Arc<str>>)> = HashMap::with_capacity(expected);
        for listed in tools {
            let ListedTool { tool, provider } = &listed;
            let spec = tool.spec();
            check_name_and_root(spec)?;
            tool.check()?;
            let name = &spec.name;
            if let Some((first, first_provider)) =
                alike.insert(name.replace('-', "_"), (name.clone(), provider.clone()))
            {
                return Err(ToolSetError::DuplicateTool {
                    first,
                    first_provider: first_provider.map(|provider| provider.to_string()),
                    second: name.clone(),
                    second_provider: provider.as_ref().map(|provider| provider.to_string()),
                });
            }
            let validator = known.validator(tool);
            let validator = validator.map_err(|error| ToolSetError::UnsupportedSchema { name: name.clone(), error })?;
            by_name.insert(name.clone(), Registered { tool: listed, validator });
        }
        let specs = by_name.values().map(|registered| Arc::clone(&registered.tool.tool)).collect();
        Ok(Self { tools: Arc::new(by_name), specs })
    }

    /// Returns a set without the hidden tools, and with the added ones at its end.
    pub(crate) fn changed(&self, hidden: &[String], added: &[Arc<dyn Tool>]) -> Result<Self, ToolSetError> {
        let listed = self.tools.values().map(|registered| registered.tool.clone());
        let added = added.iter().map(|tool| ListedTool::from(Arc::clone(tool)));
        Self::with_known(listed.chain(added).filter(|listed| !hidden.contains(&listed.tool.spec().name)), self)
    }

    /// Returns the compiled input schema of a tool, which may be outside of the set.
    ///
    /// # Errors
    ///
    /// Returns an error if the schema can't be compiled.
    pub(crate) fn validator(&self, tool: &Arc<dyn Tool>) -> Result<Arc<Validator>, JsonSchemaError> {
        let spec = tool.spec();
        let registered = self
            .tools
            .get(&spec.name)
            .filter(|registered| std::ptr::addr_eq(Arc::as_ptr(&registered.tool.tool), Arc::as_ptr(tool)));
        match registered {
            Some(registered) => Ok(Arc::clone(&registered.validator)),
            None => match Validator::new(&spec.input_schema) {
                Err(_) if tool.policy().unsupported_schema => Validator::new(&Value::Bool(true)),
                compiled => compiled,
            }
            .map(Arc::new),
        }
    }

    /// Returns true if this is a clone of `other`.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tools, &other.tools)
    }

    /// Returns the tool with a name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.get(name).map(|registered| &registered.tool.tool)
    }

    /// Returns the tools in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<dyn Tool>> {
        self.tools.values().map(|registered| &registered.tool.tool)
    }

    /// Returns the specs of the tools, for a model.
    pub fn specs(&self) -> &ToolSpecs {
        &self.specs
    }
}

/// Formats two tools, with their sources if a provider is among them.
fn pair(first: &str, first_provider: &Option<String>, second: &str, second_provider: &Option<String>) -> String {
    if first_provider.is_none() && second_provider.is_none() {
        return format!("`{first}` and `{second}`");
    }
    let source = |provider: &Option<String>| match provider {
        Some(provider) => format!("`{provider}`"),
        None => "the program".to_owned(),
    };
    format!("`{first}` of {} and `{second}` of {}", source(first_provider), source(second_provider))
}

/// Checks what providers require of any tool.
fn check_name_and_root(spec: &ToolSpec) -> Result<(), ToolSetError> {
    let ToolSpec { name, input_schema, .. } = spec;
    if !is_valid_tool_name(name) {
        return Err(ToolSetError::InvalidName { name: name.clone() });
    }
    schema::check_arguments(input_schema).map_err(|reason| ToolSetError::InvalidSchema { name: name.clone(), reason })
}

/// A tool as a source of its spec.
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
    use serde_json::json;

    use super::*;
    use crate::tool::{ToolContext, ToolError, ToolOutput, ToolPolicy};

    struct Named(ToolSpec, ToolPolicy);

    #[async_trait::async_trait]
    impl Tool for Named {
        fn spec(&self) -> &ToolSpec {
            &self.0
        }

        fn policy(&self) -> ToolPolicy {
            self.1
        }

        async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
            Ok(ToolOutput::json(input))
        }
    }

    fn named(name: &str) -> Arc<dyn Tool> {
        Arc::new(Named(ToolSpec::new(name, "Does nothing.", json!({})), ToolPolicy::new()))
    }

    #[test]
    fn accepts_an_unsupported_schema_by_policy_alone() {
        let schema = json!({"type": "object", "properties": {"name": {"type": "string", "pattern": "^(?!x)"}}});
        let spec = ToolSpec::new("find", "Finds.", schema);
        let refused = |result| matches!(result, Err(ToolSetError::UnsupportedSchema { name, .. }) if name == "find");
        assert!(refused(ToolSet::check_spec(&spec)));
        let with = |accepted| {
            let policy = ToolPolicy::new().with_unsupported_schema(accepted);
            ToolSet::new([Arc::new(Named(spec.clone(), policy)) as Arc<dyn Tool>])
        };
        assert!(refused(with(false).map(drop)));
        let set = with(true).unwrap();
        let find = set.get("find").unwrap();
        assert_eq!(set.validator(find).unwrap().check(&json!({"name": "xx"})), Ok(()));
        assert_eq!(find.spec(), &spec);
    }

    #[test]
    fn does_not_compile_the_schema_of_a_known_tool_again() {
        let (first, second) = (named("first"), named("second"));
        let set = ToolSet::new([Arc::clone(&first), second]).unwrap();
        let known = set.validator(&first).unwrap();
        let later = set.changed(&["second".to_owned()], &[named("third")]).unwrap();
        assert!(Arc::ptr_eq(&known, &later.validator(&first).unwrap()));
        let other = ToolSet::with_known([named("first").into()], &set).unwrap();
        assert!(!Arc::ptr_eq(&known, &other.validator(other.get("first").unwrap()).unwrap()));
    }
}
