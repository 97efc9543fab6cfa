//! Tools as the protocol lists them, converted once for each change of the list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{Tool, ToolAnnotations as McpAnnotations};
use serde_json::{Map, Value};
use strands_core::{AgentError, ToolAnnotations, ToolRunner, ToolSet, ToolSpec};

use super::output_schema::OutputForm;

/// The tools of a server at one time.
pub(super) struct Listing {
    /// `None` before the tools of providers are listed.
    generations: Option<Vec<u64>>,
    pub(super) tools: Vec<Tool>,
    outputs: HashMap<String, Option<OutputForm>>,
}

/// Cache of the latest listing.
pub(super) struct Listings {
    latest: Mutex<Arc<Listing>>,
}

impl Listings {
    /// Creates a cache with the tools that do not come from providers, which are known at once.
    pub(super) fn new(runner: &ToolRunner) -> Self {
        let generations = Some(runner.generations()).filter(Vec::is_empty);
        Self { latest: Mutex::new(Arc::new(Listing::new(generations, runner.tools()))) }
    }

    /// Returns the tools. They are listed again if a provider has changed.
    ///
    /// # Errors
    ///
    /// Returns an error if a provider can't list its tools.
    pub(super) async fn current(&self, runner: &ToolRunner) -> Result<Arc<Listing>, AgentError> {
        let generations = runner.generations();
        let latest = self.latest();
        if latest.generations.as_ref() == Some(&generations) {
            return Ok(latest);
        }
        let listing = Arc::new(Listing::new(Some(generations), &runner.list_tools().await?));
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&listing);
        Ok(listing)
    }

    /// Returns the latest listing, without listing again.
    pub(super) fn latest(&self) -> Arc<Listing> {
        Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listing {
    fn new(generations: Option<Vec<u64>>, tools: &ToolSet) -> Self {
        let mut listing = Self { generations, tools: Vec::new(), outputs: HashMap::new() };
        for tool in tools.iter() {
            let spec = tool.spec();
            let output = spec.output_schema.as_ref().map(OutputForm::new);
            listing.tools.push(described(spec, output.as_ref()));
            listing.outputs.insert(spec.name.clone(), output);
        }
        listing
    }

    /// Returns the form of a tool's structured content, or `None` for an unknown tool.
    pub(super) fn output(&self, tool: &str) -> Option<Option<&OutputForm>> {
        self.outputs.get(tool).map(Option::as_ref)
    }

    pub(super) fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }
}

fn described(spec: &ToolSpec, output: Option<&OutputForm>) -> Tool {
    let mut tool = Tool::new_with_raw(
        spec.name.clone(),
        (!spec.description.is_empty()).then(|| spec.description.clone().into()),
        Arc::new(object(&spec.input_schema)),
    );
    tool.output_schema = output.map(|output| Arc::clone(&output.schema));
    tool.annotations = annotations(&spec.annotations);
    tool
}

fn object(schema: &Value) -> Map<String, Value> {
    match schema {
        Value::Object(schema) => schema.clone(),
        _ => Map::from_iter([("type".to_owned(), Value::from("object"))]),
    }
}

fn annotations(hints: &ToolAnnotations) -> Option<McpAnnotations> {
    let ToolAnnotations { read_only, destructive, idempotent, open_world, .. } = *hints;
    [read_only, destructive, idempotent, open_world]
        .iter()
        .any(Option::is_some)
        .then(|| McpAnnotations::from_raw(None, read_only, destructive, idempotent, open_world))
}
